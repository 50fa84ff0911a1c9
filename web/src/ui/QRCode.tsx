// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react'
import { encode, svgPath, TooLong } from './qr'
import './qrcode.css'

/** A QR code, dark on light in both themes: cameras expect it. null when the text does not fit. */
export function QRCode({ text, label }: { text: string; label: string }) {
  const matrix = useMemo(() => {
    try {
      return encode(text)
    } catch (e) {
      if (e instanceof TooLong) return null
      throw e
    }
  }, [text])
  if (!matrix) return null
  const side = matrix.length + 8
  return (
    <svg className="qr" viewBox={`-4 -4 ${side} ${side}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect x={-4} y={-4} width={side} height={side} className="qr-light" />
      <path d={svgPath(matrix)} className="qr-dark" />
    </svg>
  )
}

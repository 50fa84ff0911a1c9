// SPDX-License-Identifier: Apache-2.0
// The console's own signs, drawn on a 16 x 16 grid with a 1.5 px line. They
// stand beside a word or carry a label; none means anything alone.
import type { SVGProps } from 'react'
import { paths, type IconName } from './icons'

export type { IconName } from './icons'

interface Props extends Omit<SVGProps<SVGSVGElement>, 'name'> {
  name: IconName
  size?: number
  /** Spoken name. Without it the icon is decoration. */
  label?: string
}

export function Icon({ name, size = 16, label, ...rest }: Props) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
      focusable="false"
      {...rest}
    >
      {label && <title>{label}</title>}
      {paths[name]}
    </svg>
  )
}

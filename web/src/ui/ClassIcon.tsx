// SPDX-License-Identifier: Apache-2.0
// One sign per device class of core/device, with the class's name beside it or
// as its spoken label.
import type { ReactNode } from 'react'

const d = (...all: string[]): ReactNode[] => all.map((one) => <path key={one} d={one} />)
const c = (cx: number, cy: number, r: number): ReactNode => <circle key={`${cx},${cy},${r}`} cx={cx} cy={cy} r={r} />

const paths: Record<string, ReactNode> = {
  ct: [c(8, 7, 5), c(8, 7, 2), ...d('M1.75 13.25h12.5')],
  mr: [...d('M2.5 3h11v8h-11z', 'M1.75 13.25h12.5'), c(8, 7, 2.25)],
  ultrasound: d('M5.5 2.5h5l-.75 4h-3.5z', 'M4 13.5c1-2.5 2.3-3.75 4-3.75s3 1.25 4 3.75', 'M6.5 8.25h3'),
  xray: d('M2.5 2.5h11v11h-11z', 'M8 4.5v7', 'M5 6c1 .8 2 1 3 1s2-.2 3-1', 'M5 9c1 .8 2 1 3 1s2-.2 3-1'),
  'c-arm': d('M12 3.5A5.5 5.5 0 1 0 12 12.5', 'M10.5 2l3 2.5', 'M10.5 14l3-2.5', 'M2.75 8H1.25'),
  angiography: d('M8 13.5V9', 'M8 9L4.5 6V2.5', 'M8 9l3.5-3V2.5', 'M4.5 6L2.5 5', 'M11.5 6l2-1'),
  'nuclear-medicine': [c(8, 8, 1.2), ...d('M8 2.25v3', 'M3 11l2.6-1.6', 'M13 11l-2.6-1.6'), c(8, 8, 5.75)],
  endoscopy: [...d('M3 2.5h4v3H3z', 'M5 5.5v3.75a3.5 3.5 0 0 0 7 0V7'), c(12, 5, 1.75)],
  modality: [...d('M2.5 3h11v8h-11z', 'M5 13.5h6'), c(8, 7, 2.25)],
  pacs: d('M2.5 2.5h11v3.5h-11z', 'M2.5 6h11v3.75h-11z', 'M2.5 9.75h11v3.75h-11z', 'M5 4.25h1', 'M5 8h1', 'M5 11.6h1'),
  'image-processor': d('M4.5 4.5h7v7h-7z', 'M6.5 4.5v-2', 'M9.5 4.5v-2', 'M6.5 13.5v-2', 'M9.5 13.5v-2', 'M4.5 6.5h-2', 'M4.5 9.5h-2', 'M13.5 6.5h-2', 'M13.5 9.5h-2'),
  'xr-headset': d('M2 5.5h12v5.25h-3.6L9 9H7l-1.4 1.75H2z', 'M4 5.5L5.25 3.5h5.5L12 5.5'),
  'xr-processor': [...d('M2.5 3h11v7.5h-11z', 'M5.5 13.25h5', 'M5 5.5h6v2.5H9.2L8.5 7h-1l-.7 1H5z')],
  'surgical-robot': [c(3.5, 12.25, 1.25), c(6, 5, 1.25), c(11.5, 4, 1.25), ...d('M3.9 11l1.7-4.75', 'M7.25 4.75l3-.5', 'M12 5.25l.9 3', 'M11.75 8.25h2.5v2', 'M1.75 13.75h6')],
  'surgical-table': d('M1.75 5.5h12.5v2.25H1.75z', 'M8 7.75v5', 'M4.5 13h7'),
  'surgical-navigation': [c(8, 8, 2.5), ...d('M8 1.75v3', 'M8 11.25v3', 'M1.75 8h3', 'M11.25 8h3')],
  'infusion-pump': d('M4.5 2.5h7v6h-7z', 'M6.5 4.75h3', 'M8 8.5v2', 'M8 10.5c-1 1.2-1.5 1.9-1.5 2.5a1.5 1.5 0 0 0 3 0c0-.6-.5-1.3-1.5-2.5z'),
  'patient-monitor': d('M2 3h12v8H2z', 'M4 7.25h1.75l1.25-2 1.75 3.75L10 7.25h2', 'M5.5 13.5h5'),
  ventilator: d('M8 2.5v4', 'M8 6.5C6.5 5 5 6.25 4 8c-.9 1.6-1.5 3.25-1.5 4.25 0 1.3 4 1.5 4.5-.5.3-1 .25-2.25 1-5.25z', 'M8 6.5c1.5-1.5 3-.25 4 1.5.9 1.6 1.5 3.25 1.5 4.25 0 1.3-4 1.5-4.5-.5'),
  anaesthesia: d('M3 7.25c0-2.75 2.2-4.25 5-4.25s5 1.5 5 4.25c0 3.25-2 5.75-5 5.75s-5-2.5-5-5.75z', 'M6.25 8.25h3.5', 'M8 3V1.5'),
  'lab-analyser': d('M6 2.5h4', 'M6.75 2.5v4L3.5 12a1 1 0 0 0 .9 1.5h7.2a1 1 0 0 0 .9-1.5L9.25 6.5v-4', 'M5.2 9.5h5.6'),
  'interface-engine': d('M2.5 5.25h9', 'M9 2.75l2.5 2.5L9 7.75', 'M13.5 10.75h-9', 'M7 8.25l-2.5 2.5L7 13.25'),
  ehr: d('M3.25 2.5h9.5v11h-9.5z', 'M8 5v4', 'M6 7h4', 'M5.75 11.25h4.5'),
  rtls: [c(8, 6.5, 1.75), ...d('M8 14c-3-3.2-4.5-5.6-4.5-7.5a4.5 4.5 0 0 1 9 0C12.5 8.400 11 10.800 8 14z')],
  workstation: d('M2.5 2.75h11v7.5h-11z', 'M5.5 13.25h5', 'M8 10.25v3'),
  server: d('M2.5 2.75h11v4.5h-11z', 'M2.5 8.75h11v4.5h-11z', 'M5 5h.5', 'M5 11h.5'),
  printer: d('M4.5 6V2.5h7V6', 'M2.5 6h11v5h-2', 'M4.500 11h-2V6', 'M4.5 9h7v4.5h-7z'),
  camera: [...d('M1.75 4.750h9v6.500h-9z', 'M10.75 7l3.5-1.75v5.5L10.750 9')],
  phone: d('M3.25 2.75h2.5l1 3-1.5 1a7.5 7.5 0 0 0 4 4l1-1.5 3 1v2.5c-5.5.5-10.5-4.5-10-10z'),
  mobile: d('M4.75 1.75h6.500v12.500h-6.500z', 'M7.250 12h1.500'),
  network: [...d('M1.75 8.750h12.500v4h-12.500z', 'M4 10.750h.5', 'M6.500 10.750h.5', 'M8 8.500V6.250', 'M5.400 5.500a3.750 3.750 0 0 1 5.200 0', 'M3.600 3.400a6.300 6.300 0 0 1 8.800 0')],
  'building-system': d('M3.5 13.500v-11h9v11z', 'M6.250 5.250h.5', 'M9.250 5.250h.5', 'M6.250 8h.5', 'M9.250 8h.5', 'M7 13.500V11h2v2.500'),
  scanner: [c(7, 7, 4.25), ...d('M10.200 10.200l3.300 3.300', 'M7 5v2.250l1.500 1')],
  unknown: [c(8, 8, 5.5), ...d('M6.400 6.300a1.650 1.650 0 1 1 2.300 1.500c-.5.2-.7.5-.7 1', 'M8 11h.01')],
}

export function ClassIcon({ class: name, label, size = 16 }: { class: string; label?: string; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.35}
      strokeLinecap="round"
      strokeLinejoin="round"
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
      focusable="false"
    >
      {label && <title>{label}</title>}
      {paths[name] ?? paths.unknown}
    </svg>
  )
}

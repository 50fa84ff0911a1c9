// SPDX-License-Identifier: Apache-2.0
/** The sign of the project: a field, kept. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 24 24" aria-hidden focusable="false">
      <circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" strokeWidth="2.400" strokeDasharray="42.400 14.150" strokeDashoffset="-7.070" strokeLinecap="round" />
      <circle cx="12" cy="12" r="3.200" fill="currentColor" />
    </svg>
  )
}

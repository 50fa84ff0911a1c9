// SPDX-License-Identifier: Apache-2.0
// Form fields: a label above, help below, and the error in the help's place
// tied to the control, so that it is spoken with it.
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from 'react'
import { cx } from './cx'
import './field.css'
import { Icon } from './Icon'

interface Frame {
  label: string
  /** The label is spoken only: for filters whose meaning is seen. */
  hideLabel?: boolean
  help?: ReactNode
  error?: string
  unit?: string
}

function Frame({ id, label, hideLabel, help, error, unit, className, children }: Frame & { id: string; className?: string; children: ReactNode }) {
  return (
    <div className={cx('field', className)}>
      <label htmlFor={id} className={hideLabel ? 'sr-only' : 'field-label'}>
        {label}
      </label>
      <div className="field-control">
        {children}
        {unit && <span className="field-unit">{unit}</span>}
      </div>
      {error ? (
        <p className="field-error" id={`${id}-help`}>
          <Icon name="warning" size={13} />
          {error}
        </p>
      ) : (
        help && (
          <p className="field-help" id={`${id}-help`}>
            {help}
          </p>
        )
      )}
    </div>
  )
}
function aria(id: string, f: Frame) {
  return { 'aria-describedby': f.error || f.help ? `${id}-help` : undefined, 'aria-invalid': f.error ? (true as const) : undefined }
}

export function Field({ label, hideLabel, help, error, unit, className, ...rest }: Frame & InputHTMLAttributes<HTMLInputElement>) {
  const own = useId()
  const id = rest.id ?? own
  const f = { label, hideLabel, help, error, unit }
  return (
    <Frame id={id} {...f} className={className}>
      <input className="input" spellCheck={false} {...rest} id={id} {...aria(id, f)} />
    </Frame>
  )
}

export function TextArea({ label, hideLabel, help, error, unit, className, ...rest }: Frame & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const own = useId()
  const id = rest.id ?? own
  const f = { label, hideLabel, help, error, unit }
  return (
    <Frame id={id} {...f} className={className}>
      <textarea className="input" rows={3} {...rest} id={id} {...aria(id, f)} />
    </Frame>
  )
}

export interface Option {
  value: string
  label: string
  disabled?: boolean
}

/** The platform's own list: works with every screen reader, on every phone, with every keyboard. */
export function Select({ label, hideLabel, help, error, unit, className, options, small, ...rest }: Frame & { options: Option[]; small?: boolean } & SelectHTMLAttributes<HTMLSelectElement>) {
  const own = useId()
  const id = rest.id ?? own
  const f = { label, hideLabel, help, error, unit }
  return (
    <Frame id={id} {...f} className={className}>
      <span className="select">
        <select className={cx('input', small && 'input-s')} {...rest} id={id} {...aria(id, f)}>
          {options.map((o) => (
            <option key={o.value} value={o.value} disabled={o.disabled}>
              {o.label}
            </option>
          ))}
        </select>
        <Icon name="chevron-down" size={14} />
      </span>
    </Frame>
  )
}

export function Checkbox({ label, help, className, ...rest }: { label: ReactNode; help?: ReactNode } & Omit<InputHTMLAttributes<HTMLInputElement>, 'type'>) {
  const id = useId()
  return (
    <div className={cx('check', className)}>
      <input type="checkbox" id={id} aria-describedby={help ? `${id}-help` : undefined} {...rest} />
      <label htmlFor={id}>
        {label}
        {help && (
          <span className="field-help" id={`${id}-help`}>
            {help}
          </span>
        )}
      </label>
    </div>
  )
}

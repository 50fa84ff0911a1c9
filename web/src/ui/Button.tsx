// SPDX-License-Identifier: Apache-2.0
import { forwardRef, type ButtonHTMLAttributes } from 'react'
import './button.css'
import { cx } from './cx'
import { Icon, type IconName } from './Icon'
import { Tooltip } from './Tooltip'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  small?: boolean
  icon?: IconName
  /** Work is under way: the button keeps its size and does not act again. */
  busy?: boolean
  /** Why the button is disabled, for whoever wonders. */
  reason?: string
}

export const Button = forwardRef<HTMLButtonElement, Props>(function Button(
  { kind = 'plain', small, icon, busy, reason, className, children, disabled, onClick, type = 'button', ...rest },
  ref,
) {
  // aria-disabled rather than disabled: the reason must be reachable.
  const off = Boolean(disabled || busy || reason)
  const button = (
    <button
      ref={ref}
      type={off && type === 'submit' ? 'button' : type}
      className={cx('btn', `btn-${kind}`, small && 'btn-s', busy && 'btn-busy', className)}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      onClick={off ? (e) => e.preventDefault() : onClick}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children !== undefined && <span className="btn-t">{children}</span>}
    </button>
  )
  return reason ? <Tooltip text={reason}>{button}</Tooltip> : button
})

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'children'> {
  icon: IconName
  /** The name of the action: spoken, and shown on hover and focus. */
  label: string
  keys?: string
  pressed?: boolean
  small?: boolean
}

export const IconButton = forwardRef<HTMLButtonElement, IconButtonProps>(function IconButton(
  { icon, label, keys, pressed, small, className, type = 'button', ...rest },
  ref,
) {
  return (
    <Tooltip text={label} keys={keys}>
      <button
        ref={ref}
        type={type}
        className={cx('btn', 'btn-quiet', 'btn-icon', small && 'btn-s', className)}
        aria-label={label}
        aria-pressed={pressed}
        {...rest}
      >
        <Icon name={icon} />
      </button>
    </Tooltip>
  )
})

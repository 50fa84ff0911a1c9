// SPDX-License-Identifier: Apache-2.0
import './kbd.css'

const names: Record<string, string> = { enter: 'Enter', escape: 'Esc', arrowdown: '↓', arrowup: '↑', arrowleft: '←', arrowright: '→', shift: 'Shift', mod: 'Ctrl', ' ': 'Space' }

export function Kbd({ children }: { children: string }) {
  return <kbd className="kbd">{names[children.toLowerCase()] ?? children}</kbd>
}

/** "g d" is one key after the other, "shift+enter" both together. */
export function Keys({ keys }: { keys: string }) {
  return (
    <span className="keys">
      {keys.split(' ').map((chord, i) => (
        <span key={i} className="keys">
          {i > 0 && <span className="keys-then">then</span>}
          {chord === '+' ? <Kbd>+</Kbd> : chord.split('+').map((k) => <Kbd key={k}>{k}</Kbd>)}
        </span>
      ))}
    </span>
  )
}

// SPDX-License-Identifier: Apache-2.0
// The filters that hold, each to be turned round or taken away.

import { Button } from '../Button'
import { Icon } from '../Icon'
import type { Term } from './terms'

interface Props<F extends string> {
  terms: readonly Term<F>[]
  fieldName: (field: F) => string
  valueName: (field: F, value: string) => string
  onFlip: (field: F, value: string, not: boolean) => void
  onRemove: (field: F, value: string, not: boolean) => void
  onClear: () => void
}

export function Chips<F extends string>({ terms, fieldName, valueName, onFlip, onRemove, onClear }: Props<F>) {
  if (terms.length === 0) return null
  const count = terms.reduce((n, t) => n + t.values.length, 0)
  return (
    <div className="chips" role="group" aria-label="Filters">
      {terms.flatMap((t) =>
        t.values.map((v, i) => {
          const name = valueName(t.field, v)
          const said = `${fieldName(t.field)} ${t.not ? 'is not' : 'is'} ${name}`
          return (
            <span key={`${t.field} ${String(t.not)} ${v}`} className={t.not ? 'chip chip-not' : 'chip'}>
              <span className="chip-field">
                {i > 0 && !t.not ? 'or ' : ''}
                {fieldName(t.field)} {t.not ? 'is not' : 'is'}
              </span>
              <button type="button" className="chip-value" title={t.not ? 'Show only these instead' : 'Leave these out instead'} aria-label={`${said}. Turn round.`} onClick={() => onFlip(t.field, v, t.not)}>
                <span>{name}</span>
              </button>
              <button type="button" className="chip-x" aria-label={`Remove: ${said}`} onClick={() => onRemove(t.field, v, t.not)}>
                <Icon name="close" size={12} />
              </button>
            </span>
          )
        }),
      )}
      {count > 1 && (
        <Button kind="quiet" small onClick={onClear}>
          Clear filters
        </Button>
      )}
    </div>
  )
}

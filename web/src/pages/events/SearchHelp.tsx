// SPDX-License-Identifier: Apache-2.0
import { IconButton, Popover } from '@/ui'
import { explain, parseText } from '@/ui/grid'

const rules: [string, string][] = [
  ['ct worklist', 'both words, in any order'],
  ['"no such object"', 'these words next to each other'],
  ['ultra*', 'words that begin so'],
  ['-echo', 'without this word'],
  ['10.20.110.2', 'an address, UID or AE title: the whole, or a part between its dots'],
]

export function SearchHelp({ text }: { text: string }) {
  const said = explain(parseText(text))
  return (
    <Popover label="How to search" align="end" trigger={<IconButton small icon="help" label="How to search" />}>
      <div className="ev-help">
        <p>Searches in every text of an event: names, addresses, AE titles, UIDs, messages. Upper and lower case are the same.</p>
        <dl>
          {rules.map(([example, meaning]) => (
            <div key={example}><dt className="mono">{example}</dt><dd>{meaning}</dd></div>
          ))}
        </dl>
        {said !== '' && <p><strong>Your search:</strong> events {said}.</p>}
      </div>
    </Popover>
  )
}

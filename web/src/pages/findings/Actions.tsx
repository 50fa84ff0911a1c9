// SPDX-License-Identifier: Apache-2.0
// What can be done with a finding, and with all that are selected. Each action
// says its key.

import type { Finding } from '@/api/types'
import { Button, IconButton, Menu, Tooltip } from '@/ui'
import { count } from '@/ui/units'
import type { Asking } from './Dialogs'
import { cannot } from './triage'

type What = Asking | 'acknowledge' | 'reopen' | 'suppress'

export function Actions({ f, me, refused, hidable, act, assignMe }: { f: Finding; me: string; refused: string | undefined; hidable: boolean; act: (what: What) => void; assignMe: () => void }) {
  return (
    <>
      {f.state === 'open' && <Keyed keys="e" text="Acknowledge: somebody is on it"><Button kind="primary" icon="check" reason={refused} onClick={() => act('acknowledge')}>Acknowledge</Button></Keyed>}
      {f.state !== 'closed' && <Keyed keys="c" text="Close, with what it was"><Button kind={f.state === 'acknowledged' ? 'primary' : 'plain'} reason={refused} onClick={() => act('close')}>Close…</Button></Keyed>}
      {f.state !== 'open' && <Keyed keys="r" text="Open it again"><Button icon="undo" reason={refused} onClick={() => act('reopen')}>Reopen</Button></Keyed>}
      {f.state !== 'closed' && (refused !== undefined ? <Button icon="user" reason={refused}>Assign</Button> : (
        <Menu
          label="Assign" trigger={<Button icon="user">Assign</Button>}
          entries={[{ label: 'To me', icon: 'user', disabled: f.assignee === me, run: assignMe }, { label: 'To somebody else…', keys: 'a', run: () => act('assign') }]}
        />
      ))}
      <Keyed keys="n" text="Write a note"><Button icon="note" reason={refused} onClick={() => act('note')}>Note…</Button></Keyed>
      <Menu
        align="end" label="More" trigger={<IconButton icon="more" label="More actions" />}
        entries={[
          { label: 'Put off…', icon: 'clock', keys: 'z', disabled: refused !== undefined || cannot(f, 'snooze') !== undefined, note: refused, run: () => act('snooze') },
          { label: 'Hide findings like this…', icon: 'bookmark', keys: 's', disabled: refused !== undefined || !hidable, note: refused, run: () => act('suppress') },
        ]}
      />
    </>
  )
}

function Keyed({ keys, text, children }: { keys: string; text: string; children: React.ReactElement }) {
  return <Tooltip text={text} keys={keys}>{children}</Tooltip>
}

export function BulkBar({ selected, all, refused, act, onAll, onClear }: { selected: number; all: number; refused: string | undefined; act: (what: What) => void; onAll: () => void; onClear: () => void }) {
  return (
    <div className="fx-bulk" role="group" aria-label="Selected findings">
      <strong aria-live="polite">{count(selected)} selected</strong>
      {selected < all && <Button small kind="quiet" onClick={onAll}>All {count(all)} that match</Button>}
      <Button small reason={refused} onClick={() => act('acknowledge')}>Acknowledge</Button>
      <Button small reason={refused} onClick={() => act('assign')}>Assign…</Button>
      <Button small reason={refused} onClick={() => act('close')}>Close…</Button>
      <Menu
        label="More for the selected" align="end" trigger={<IconButton small icon="more" label="More for the selected" />}
        entries={[{ label: 'Reopen', icon: 'undo', run: () => act('reopen') }, { label: 'Note…', icon: 'note', run: () => act('note') }, { label: 'Put off…', icon: 'clock', run: () => act('snooze') }]}
      />
      <IconButton small icon="close" label="Clear the selection" onClick={onClear} />
    </div>
  )
}

// SPDX-License-Identifier: Apache-2.0
// One person's word about something that is held: the first asks, the second
// agrees. With a reason; during a case with a second question.

import { useState } from 'react'
import type { ImagingHeld } from '@/api/types'
import { toast } from '@/ui'
import { decide, type Decision } from './queries'
import { ReasonDialog } from './ReasonDialog'
import { titleOf, whyHeld } from './words'

interface Words { title: string; lead: string; button: string; done: string; help: string }
function words(h: ImagingHeld, action: Decision): Words {
  const what = titleOf(h)
  const second = h.asked !== undefined && !h.own
  switch (action) {
    case 'release':
      return second
        ? { title: `Release ${what}?`, lead: 'With your word it goes to its destinations now, as it is.', button: 'Release it', done: 'It is released, and on its way.', help: 'What you looked at, and why it is right to let it through.' }
        : { title: `Ask to release ${what}?`, lead: 'Another person has to agree before it goes anywhere.', button: 'Ask', done: 'Asked. Another person has to agree now.', help: 'What you looked at, and why it is right to let it through. The other person reads it.' }
    case 'destroy':
      return second
        ? { title: `Destroy ${what}?`, lead: 'With your word its bytes are gone for good. What is recorded of it stays.', button: 'Destroy it', done: 'It is destroyed. Its record stays.', help: 'Why nobody needs it.' }
        : { title: `Ask to destroy ${what}?`, lead: 'Another person has to agree before it is gone for good.', button: 'Ask', done: 'Asked. Another person has to agree now.', help: 'Why nobody needs it. The other person reads it.' }
    case 'withdraw':
      return h.own
        ? { title: 'Take your word back?', lead: 'It stays held, and anybody may ask anew.', button: 'Take it back', done: 'Taken back. It stays held.', help: 'What has changed.' }
        : { title: `Not ${h.asked?.action === 'destroy' ? 'destroy' : 'release'} it?`, lead: `What ${h.asked?.by ?? 'the other person'} asked is set aside. It stays held, and anybody may ask anew.`, button: 'Do not agree', done: 'Set aside. It stays held.', help: 'What speaks against it. The other person reads it.' }
  }
}

export function DecideDialog({ h: was, action, gateway, onClose }: { h: ImagingHeld; action: Decision; gateway: string; onClose: () => void }) {
  // As it was when the dialog opened: what changes behind it must not change what one agrees to.
  const [h] = useState(was)
  const w = words(h, action)
  return (
    <ReasonDialog
      title={w.title} lead={w.lead} button={w.button} danger={action === 'destroy'} help={w.help} inCase={h.in_case && action !== 'withdraw'} onClose={onClose}
      second={{ stop: 'The team in the room of this image is at work now.', leave: 'Leave it held', weigh: <><p>It is held because: {whyHeld(h)}</p><p>Call the room first: what they see may change with this. That it was done during a case is recorded with your name.</p></> }}
      send={async (body) => {
        await decide(gateway, h, action, body)
        toast(w.done)
      }}
    >
      <p className="im-quote"><strong>Held because:</strong> {whyHeld(h)}</p>
      {h.asked && !h.own && <p className="im-quote"><strong>{h.asked.by} says:</strong> “{h.asked.reason}”</p>}
    </ReasonDialog>
  )
}

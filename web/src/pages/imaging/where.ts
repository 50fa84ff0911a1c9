// SPDX-License-Identifier: Apache-2.0
import { useURLState } from '@/shell/urlstate'

/** What a link within Imaging carries on: the gateway that was chosen, where one was. */
export function useWhere(): { gateway?: string } {
  const [params] = useURLState()
  const gateway = params.get('gateway') ?? ''
  return gateway === '' ? {} : { gateway }
}

// SPDX-License-Identifier: Apache-2.0
// A link to a path that the server or the address gave, query and all. Opens
// without loading the console anew; with a modifier, as the browser does.
import { useNavigate } from '@tanstack/react-router'
import type { AnchorHTMLAttributes } from 'react'

export function PathLink({ to, onClick, ...rest }: { to: string } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'>) {
  const navigate = useNavigate()
  return (
    <a
      {...rest}
      href={to}
      onClick={(e) => {
        onClick?.(e)
        if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
        e.preventDefault()
        void navigate({ href: to })
      }}
    />
  )
}

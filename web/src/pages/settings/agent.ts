// SPDX-License-Identifier: Apache-2.0
/** "Edge on Windows" from a User-Agent header: enough to know one's own again. */
export function agent(ua: string): string {
  const browser = /Edg\//.test(ua) ? 'Edge' : /Firefox\//.test(ua) ? 'Firefox' : /Chrome\/|Chromium\//.test(ua) ? 'Chrome' : /Safari\//.test(ua) ? 'Safari' : ''
  const on = /iPhone/.test(ua) ? 'iPhone' : /iPad/.test(ua) ? 'iPad' : /Android/.test(ua) ? 'Android' : /Windows/.test(ua) ? 'Windows' : /Mac OS X|Macintosh/.test(ua) ? 'macOS' : /Linux|X11/.test(ua) ? 'Linux' : ''
  if (browser && on) return `${browser} on ${on}`
  return browser || on || ua.split(/[\s/]/)[0] || 'Unknown'
}

// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, driven by playwright-core.
import { accessSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

const paths = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export function launch(): Promise<Browser> {
  const executablePath = paths.find((p) => {
    try {
      accessSync(p)
      return p !== ''
    } catch {
      return false
    }
  })
  if (!executablePath) throw new Error('no Chromium found: install it (Debian: chromium) or set CHROMIUM')
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}

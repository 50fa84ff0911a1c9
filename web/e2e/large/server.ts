// SPDX-License-Identifier: Apache-2.0
// The server before a filled store; its first account is made in the browser.
import { spawn } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { built, serve } from '../server'

export default (project: TestProject) => serve(project, (data) => spawn(built('./bench/console', 'console'), ['-serve', '-events', '1000000', '-devices', '10000', '-dir', data], { stdio: ['ignore', 'pipe', 'pipe'] }))

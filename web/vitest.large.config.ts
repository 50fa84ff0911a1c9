// SPDX-License-Identifier: Apache-2.0
// The console in a real browser before a store of a million events and 10,000
// devices: npm run large.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['e2e/large/*.spec.ts'],
    globalSetup: ['e2e/large/server.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
})

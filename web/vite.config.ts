// SPDX-License-Identifier: Apache-2.0
// The build of the console. Its output is committed (web/dist) and embedded by
// the server, so it must be the same bytes wherever it is built: no hash of a
// path, no time, no name of a machine.
import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { fixtures } from './dev/fixtures/plugin.ts'
import { licences } from './dev/licences.ts'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// What the board needs, which most people come for, as one file: apart from each other its
// parts compress worse, and each is a request before the first paint. What the
// libraries export for pages alone is left to them.
const forPages = /(useMutation|mutationObserver|useInfiniteQuery|infiniteQueryObserver|useQueries|queriesObserver|useSuspense\w*|usePrefetch\w*|hydration|HydrationBoundary|useIsFetching|useMutationState|useBlocker|awaited|streamedQuery)\.js$/
interface Graph { getModuleInfo: (id: string) => { importedIds: readonly string[] } | null }
function coreOf(graph: Graph): Set<string> {
  const all = new Set<string>()
  const add = (id: string): void => {
    if (all.has(id) || forPages.test(id)) return
    all.add(id)
    graph.getModuleInfo(id)?.importedIds.forEach(add)
  }
  for (const start of ['./src/main.tsx', './src/pages/theatres/Board.tsx']) add(at(start))
  return all
}
let core: Set<string> | undefined

export default defineConfig(({ mode }) => ({
  plugins: [react(), licences(at('.')), process.env.VITE_FIXTURES && mode !== 'production' ? fixtures() : null],
  resolve: {
    alias: {
      '@': at('./src'),
      // React has had the hook itself since 18: no shim of it is needed.
      'use-sync-external-store/shim/with-selector': 'use-sync-external-store/with-selector',
      // The original writes a <style> element, which the policy style-src
      // 'self' refuses. The page behind a dialog does not scroll anyway.
      'react-remove-scroll': at('./src/ui/RemoveScroll.tsx'),
    },
  },
  server: {
    host: '127.0.0.1',
    port: Number(process.env.PORT ?? 5173),
    proxy: process.env.VITE_FIXTURES
      ? undefined
      : { '/api': { target: process.env.ASEPSIS ?? 'https://127.0.0.1:8443', secure: false, changeOrigin: true } },
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // font-src 'self': no data: addresses
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: {
          // A shared chunk for what several pages use but the first screen does
          // not: many small ones compress badly, and one for all would be loaded
          // by who only looks at the board.
          includeDependenciesRecursively: false,
          groups: [
            { debugName: 'core', name: (id, graph) => ((core ??= coreOf(graph)).has(id) ? 'core' : null), priority: 4 },
            { name: 'overlays', test: /src\/ui\/overlay\/(?!load|trigger)|node_modules\/(@radix-ui\/react-(?!tabs|toggle)|@floating-ui|aria-hidden)/, priority: 3 },
            { name: 'grid', test: /src\/ui\/grid\/|node_modules\/@tanstack\/(react-)?virtual/, priority: 2 },
          ],
        },
      },
    },
  },
  test: {
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'dev/**/*.test.ts'],
    environment: 'node',
  },
}))

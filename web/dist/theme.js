// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint, so that a chosen theme never flashes the other
// one. A file of its own because the content security policy allows no inline
// script.
try {
  var theme = localStorage.getItem('asepsis.theme')
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be refused: the system's theme is used.
}

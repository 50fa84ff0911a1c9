// SPDX-License-Identifier: Apache-2.0
// One chunk for all that lies above the page.
export { ConfirmOverlay } from './ConfirmOverlay'
export { DialogOverlay } from './DialogOverlay'
export { MenuOverlay } from './MenuOverlay'
export { PopoverOverlay } from './PopoverOverlay'

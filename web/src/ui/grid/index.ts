// SPDX-License-Identifier: Apache-2.0
// The grid and what belongs to it.
export { Chips } from './Chips'
export { layoutOf, orderRows, shownColumns, type Choice, type Column } from './column'
export { cellText, compareValues, type CellValue } from './compare'
export { countBy } from './countby'
export { FilterButton } from './FilterButton'
export { Grid, type GridHandle, type GridProps } from './Grid'
export { GridSkeleton } from './GridSkeleton'
export { CopyLink, GridTools } from './GridTools'
export { recall, remember } from './remember'
export { SearchField } from './SearchField'
export { keepExisting, noSelection, type Selection } from './selection'
export { defaultState, readState, writeState, type GridLayout, type GridState } from './state'
export { addValue, flipValue, hasValue, NONE, passes, readTerms, removeValue, writeTerms, type Term } from './terms'
export { explain, matches, parseText, type Word } from './text'
// The state of a view in its address: shell/urlstate.ts.

// SPDX-License-Identifier: Apache-2.0

package deid

// SafePrivateCount returns how many creators with their groups, and how many elements, table E.3.10-1 gives.
func SafePrivateCount() (creators, elements int) {
	for k, v := range safeTable() {
		if k.group&1 == 0 || k.creator == "" {
			panic("a group that is not private")
		}
		for _, vr := range v {
			if !vr.Known() {
				panic("a VR that does not exist")
			}
			elements++
		}
	}
	return len(safeTable()), elements
}

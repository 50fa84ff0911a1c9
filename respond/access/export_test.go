// SPDX-License-Identifier: Apache-2.0

package access

// Cheapen makes hashes cost next to nothing, for tests of everything else.
func Cheapen(a *Access) { a.hash = newHasher(argon{memory: 64, time: 1, lanes: 1}, 4) }

// ReturnPath is returnPath.
func ReturnPath(s string) string { return returnPath(s) }

// CheapenOtherwise makes hashes cost nearly as little, with other parameters.
func CheapenOtherwise(a *Access) { a.hash = newHasher(argon{memory: 128, time: 1, lanes: 1}, 4) }

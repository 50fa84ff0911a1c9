// SPDX-License-Identifier: Apache-2.0

package wal

// CopyName is the file of a copy. [Open] reads it like any other, and takes it away when its
// entries are released.
const CopyName = "99"

// Copy makes the file of a copy: the entries from an index on.
func Copy(id, first uint64, entries [][]byte) []byte {
	var b []byte
	for len(entries) > 0 {
		n, size := 0, int64(headerSize)
		for n < len(entries) && (n == 0 || size+entrySize(entries[n]) <= MinSlot) {
			size += entrySize(entries[n])
			n++
		}
		b = appendFrame(b, id, 1, first, entries[:n])
		b = append(b, make([]byte, aligned(int64(len(b)))-int64(len(b)))...)
		first, entries = first+uint64(n), entries[n:]
	}
	return b
}

// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/asepsis/asepsis/platform/durable"
)

// A block's file: magic, number, count of postings, range of times, Bloom filter,
// postings sorted by key and offset (12 bytes each), CRC-32C of all before it. It can be
// made from the log again at any time, so a damaged one is simply not used.
const (
	blockMagic  = "asxpost1"
	blockHeader = len(blockMagic) + 4*8
	postingSize = 12
	bloomBytes  = 1 << 17
	bloomHashes = 6
	// maxPostings is more than entries of a block can have: subjects and six facets each.
	maxPostings = blockEntries * 80
)

// bloom is a filter of facet keys; keys are hashes already.
type bloom struct{ bits []uint64 }

func newBloom() *bloom { return &bloom{make([]uint64, bloomBytes/8)} }

func (b *bloom) add(k facetKey) {
	h, step := uint64(k), uint64(k)>>33|1
	for range bloomHashes {
		b.bits[h>>6%(bloomBytes/8)] |= 1 << (h & 63)
		h += step * 0x9e3779b97f4a7c15
	}
}

func (b *bloom) has(k facetKey) bool {
	h, step := uint64(k), uint64(k)>>33|1
	for range bloomHashes {
		if b.bits[h>>6%(bloomBytes/8)]&(1<<(h&63)) == 0 {
			return false
		}
		h += step * 0x9e3779b97f4a7c15
	}
	return true
}

// block is a full block.
type block struct {
	number   uint64
	from, to int64
	bloom    *bloom
	count    int

	// Guarded by index.mu: fresh until the file is written.
	fresh *live
	file  string
}

// writeBlock writes a block's file.
//
// durable: as durable.Write; the postings are sorted in place of the live block's copy.
func writeBlock(file string, l *live) error {
	sorted := slices.Clone(l.postings)
	slices.SortFunc(sorted, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at))
	})
	var buf bytes.Buffer
	buf.Grow(blockHeader + bloomBytes + len(sorted)*postingSize + 4)
	buf.WriteString(blockMagic)
	head := binary.BigEndian.AppendUint64(nil, l.number)
	head = binary.BigEndian.AppendUint64(head, uint64(len(sorted)))
	head = binary.BigEndian.AppendUint64(head, uint64(l.from))
	buf.Write(binary.BigEndian.AppendUint64(head, uint64(l.to)))
	w := make([]byte, 0, postingSize)
	for _, x := range l.bloom.bits {
		buf.Write(binary.BigEndian.AppendUint64(w[:0], x))
	}
	for _, p := range sorted {
		w = binary.BigEndian.AppendUint64(w[:0], uint64(p.key))
		buf.Write(binary.BigEndian.AppendUint32(w, p.at))
	}
	sum := crc32.Checksum(buf.Bytes(), crc32.MakeTable(crc32.Castagnoli))
	buf.Write(binary.BigEndian.AppendUint32(nil, sum))
	return durable.Write(file, buf.Bytes())
}

// openBlock reads what is kept in memory of a block, and checks its file.
func openBlock(file string, number uint64) (*block, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	body := st.Size() - 4
	r := bufio.NewReaderSize(io.TeeReader(io.LimitReader(f, body), sum), 1<<16)
	head := make([]byte, blockHeader)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(blockMagic)]) != blockMagic {
		return nil, errBlock(file)
	}
	n := head[len(blockMagic):]
	b := &block{number: binary.BigEndian.Uint64(n), from: int64(binary.BigEndian.Uint64(n[16:])), to: int64(binary.BigEndian.Uint64(n[24:])), bloom: newBloom(), file: file}
	count := binary.BigEndian.Uint64(n[8:])
	if b.number != number || count > maxPostings || int64(blockHeader)+bloomBytes+int64(count)*postingSize != body {
		return nil, errBlock(file)
	}
	b.count = int(count)
	bits := make([]byte, bloomBytes)
	if _, err := io.ReadFull(r, bits); err != nil {
		return nil, errBlock(file)
	}
	for i := range b.bloom.bits {
		b.bloom.bits[i] = binary.BigEndian.Uint64(bits[8*i:])
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, errBlock(file)
	}
	var want [4]byte
	if _, err := f.ReadAt(want[:], body); err != nil || binary.BigEndian.Uint32(want[:]) != sum.Sum32() {
		return nil, errBlock(file)
	}
	return b, nil
}

func errBlock(file string) error {
	return fmt.Errorf("index block %s cannot be used", filepath.Base(file))
}

// lookup finds the offsets with a key by binary search in the file.
func (b *block) lookup(k facetKey) ([]uint32, error) {
	f, err := os.Open(b.file)
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	defer func() { _ = f.Close() }()
	at := func(i int) (posting, error) {
		var w [postingSize]byte
		_, err := f.ReadAt(w[:], int64(blockHeader+bloomBytes)+int64(i)*postingSize)
		return posting{facetKey(binary.BigEndian.Uint64(w[:])), binary.BigEndian.Uint32(w[8:])}, err
	}
	lo, hi := 0, b.count
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		p, err := at(mid)
		if err != nil {
			return nil, fmt.Errorf("read the index: %w", err)
		}
		if p.key < k {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, int64(blockHeader+bloomBytes)+int64(lo)*postingSize, int64(b.count-lo)*postingSize), 4096)
	var out []uint32
	for {
		var w [postingSize]byte
		if _, err := io.ReadFull(r, w[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			return nil, fmt.Errorf("read the index: %w", err)
		}
		if facetKey(binary.BigEndian.Uint64(w[:])) != k {
			return out, nil
		}
		out = append(out, binary.BigEndian.Uint32(w[8:]))
	}
}

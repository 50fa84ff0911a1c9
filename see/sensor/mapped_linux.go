// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"io"
	"os"
	"syscall"

	"github.com/asepsis/asepsis/wire/capture"
)

// mapping shows a regular file through a memory mapping that moves along, so
// that the bytes nobody looks at, pixel data above all, are never copied.
// Only the stretch that is shown is mapped: it is the reader's window, which is
// bounded, and not the file that counts as resident memory. Its pages are left to
// come as they are looked at: the kernel brings their neighbours along (fault-around),
// for less than it takes to have all of them brought in advance.
type mapping struct {
	f   *os.File
	cur *kept // nil when nothing is mapped
}

func mapFile(f *os.File) (capture.View, mapped) {
	m := &mapping{f: f}
	return m.view, m
}

func (m *mapping) view(off int64, n int) ([]byte, error) {
	if err := m.Close(); err != nil {
		return nil, err
	}
	st, err := m.f.Stat() // the file may still be growing
	if err != nil {
		return nil, err
	}
	if off >= st.Size() {
		return nil, io.EOF
	}
	if left := st.Size() - off; int64(n) >= left {
		n, err = int(left), io.EOF
	}
	before := int(off % int64(os.Getpagesize()))
	b, merr := syscall.Mmap(int(m.f.Fd()), off-int64(before), before+n, syscall.PROT_READ, syscall.MAP_SHARED)
	if merr != nil { // a file system without mappings
		b = make([]byte, n)
		n, rerr := m.f.ReadAt(b, off)
		if rerr != nil {
			err = rerr
		}
		return b[:n], err
	}
	m.cur = newKept(func() { _ = syscall.Munmap(b) })
	return b[before:], err
}

func (m *mapping) keptBy() *kept { return m.cur }

// Close ends the mapping, as soon as nobody looks at it any more.
func (m *mapping) Close() error {
	if m.cur != nil {
		m.cur.release()
		m.cur = nil
	}
	return nil
}

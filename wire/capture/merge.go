// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"io"
)

// Merge returns the frames of all sources in the order of their times. Frames of
// equal time come in the order of the sources, and frames of one source keep
// their order even where their times do not.
//
// Interfaces get new numbers, in the order in which they are first seen. A
// source that ends with an error ends alone; the errors of all are returned,
// joined, after the last frame of the others.
//
// Each source must be able to deliver its first frame before Merge can deliver
// any, so sources that wait for traffic do not belong here.
func Merge(src ...Source) Source {
	m := &merged{inputs: make([]mergeInput, len(src))}
	for i, s := range src {
		m.inputs[i].src = s
	}
	return m
}

type merged struct {
	inputs  []mergeInput
	heap    []int // indexes of inputs with a frame, the earliest first
	started bool
	pending bool // the frame of heap[0] was handed out, its source must go on
	errs    []error
	done    error
	ifaces  []mergedInterface
}

type mergeInput struct {
	src     Source
	frame   Frame
	renamed []int // by the source's interface index: new index plus one
}

type mergedInterface struct{ input, index int }

// Next implements Source.
func (m *merged) Next(f *Frame) error {
	if m.done != nil {
		return m.done
	}
	if !m.started {
		m.started = true
		for i := range m.inputs {
			if m.advance(i) {
				m.heap = append(m.heap, i)
			}
		}
		for i := len(m.heap)/2 - 1; i >= 0; i-- {
			m.down(i)
		}
	}
	if m.pending {
		m.pending = false
		if !m.advance(m.heap[0]) {
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap = m.heap[:last]
		}
		m.down(0)
	}
	if len(m.heap) == 0 {
		m.done = io.EOF
		if len(m.errs) > 0 {
			m.done = errors.Join(m.errs...)
		}
		return m.done
	}
	in := &m.inputs[m.heap[0]]
	*f = in.frame
	f.Interface = m.rename(m.heap[0], f.Interface)
	m.pending = true
	return nil
}

// advance loads the next frame of an input and reports whether there is one.
func (m *merged) advance(i int) bool {
	in := &m.inputs[i]
	err := in.src.Next(&in.frame)
	if err == nil {
		return true
	}
	if !errors.Is(err, io.EOF) {
		m.errs = append(m.errs, err)
	}
	return false
}

func (m *merged) rename(input, index int) int {
	in := &m.inputs[input]
	for index >= len(in.renamed) {
		in.renamed = append(in.renamed, 0)
	}
	if in.renamed[index] == 0 {
		m.ifaces = append(m.ifaces, mergedInterface{input, index})
		in.renamed[index] = len(m.ifaces)
	}
	return in.renamed[index] - 1
}

func (m *merged) before(a, b int) bool {
	ta, tb := m.inputs[a].frame.Time, m.inputs[b].frame.Time
	return ta < tb || ta == tb && a < b
}

// down restores the heap's order below i.
func (m *merged) down(i int) {
	h := m.heap
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h) && m.before(h[child], h[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// Stats implements Source: sums over the sources. A source is at most one frame
// ahead of what Next returned. Interfaces that had no frame come last.
func (m *merged) Stats() Stats {
	var sum Stats
	all := make([]Stats, len(m.inputs))
	for i := range m.inputs {
		st := m.inputs[i].src.Stats()
		all[i] = st
		sum.Frames += st.Frames
		sum.Bytes += st.Bytes
		sum.SnapCut += st.SnapCut
		sum.Offset += st.Offset
		sum.InputOffset += st.InputOffset
		sum.Dropped += st.Dropped
		sum.Resyncs += st.Resyncs
		sum.Skipped += st.Skipped
		sum.Damaged += st.Damaged
		if i == 0 {
			sum.Format = st.Format
		} else if sum.Format != st.Format {
			sum.Format = "several formats"
		}
	}
	for _, ref := range m.ifaces {
		if ref.index < len(all[ref.input].Interfaces) {
			sum.Interfaces = append(sum.Interfaces, all[ref.input].Interfaces[ref.index])
		} else {
			sum.Interfaces = append(sum.Interfaces, InterfaceInfo{})
		}
	}
	for i := range all {
		renamed := m.inputs[i].renamed
		for j, info := range all[i].Interfaces {
			if j >= len(renamed) || renamed[j] == 0 {
				sum.Interfaces = append(sum.Interfaces, info)
			}
		}
	}
	return sum
}

// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

func source(t testing.TB, b []byte) Source {
	return openSource(t, bytes.NewReader(b), Options{})
}

func TestMergeOrdersByTimeAndKeepsTheOrderOfSourcesForTies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var files [][]byte
	var want []Frame
	for file := range 9 {
		var frames []Frame
		at := int64(1e18)
		for i := range rnd.IntN(200) {
			at += rnd.Int64N(3)
			frames = append(frames, Frame{Time: at, Data: fmt.Appendf(nil, "file %d frame %d", file, i), OrigLen: 30, Link: LinkEthernet})
		}
		files = append(files, pcapBytes(t, frames))
		want = append(want, frames...)
	}
	slices.SortStableFunc(want, func(a, b Frame) int { return int(a.Time - b.Time) })

	var sources []Source
	for _, b := range files {
		sources = append(sources, source(t, b))
	}
	m := Merge(sources...)
	got, err := collect(t, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("frame %d is %q, want %q", i, got[i].Data, want[i].Data)
		}
	}
	if st := m.Stats(); st.Frames != uint64(len(want)) || len(st.Interfaces) != 9 || st.Format != "pcap, nanoseconds" {
		t.Errorf("%+v", st)
	}
}

func TestMergeOfNothingEnds(t *testing.T) {
	if got, err := collect(t, Merge()); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	if got, err := collect(t, Merge(source(t, pcapBytes(t, nil)))); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}

func TestMergeGivesInterfacesNewNumbers(t *testing.T) {
	ng := ngBytes(t, []Frame{
		{Time: 20, Data: []byte("b1"), OrigLen: 2, Link: LinkRaw, Interface: 1},
		{Time: 40, Data: []byte("b0"), OrigLen: 2, Link: LinkEthernet, Interface: 0},
	}, InterfaceInfo{Name: "eth0", Link: LinkEthernet}, InterfaceInfo{Name: "tun0", Link: LinkRaw}, InterfaceInfo{Name: "idle", Link: LinkNull})
	plain := pcapBytes(t, []Frame{{Time: 30, Data: []byte("a"), OrigLen: 1, Link: LinkEthernet}})
	m := Merge(source(t, plain), source(t, ng))
	got, err := collect(t, m)
	if err != nil {
		t.Fatal(err)
	}
	sameFrames(t, got, []Frame{
		{Time: 20, Data: []byte("b1"), OrigLen: 2, Link: LinkRaw, Interface: 0},
		{Time: 30, Data: []byte("a"), OrigLen: 1, Link: LinkEthernet, Interface: 1},
		{Time: 40, Data: []byte("b0"), OrigLen: 2, Link: LinkEthernet, Interface: 2},
	})
	var names []string
	for _, i := range m.Stats().Interfaces {
		names = append(names, i.Name)
	}
	if want := []string{"tun0", "", "eth0", "idle"}; !slices.Equal(names, want) {
		t.Errorf("interfaces %q, want %q", names, want)
	}
}

func TestADamagedSourceEndsAloneAndIsReportedLast(t *testing.T) {
	whole := pcapBytes(t, sampleFrames())
	cut := openSource(t, bytes.NewReader(whole[:len(whole)-1]), Options{Name: "cut"})
	broken := openSource(t, io.MultiReader(bytes.NewReader(whole[:24]), failing{}), Options{Name: "broken"})
	got, err := collect(t, Merge(cut, source(t, whole), broken))
	if len(got) != 13 {
		t.Errorf("%d frames, want 6 and 7", len(got))
	}
	if !errors.Is(err, ErrTruncated) || !errors.Is(err, errFailing) {
		t.Errorf("%v, want both errors", err)
	}
}

var errFailing = errors.New("the disk is on fire")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFailing }

func TestMergeOfAllRealCapturesIsInOrderAndComplete(t *testing.T) {
	var sources []Source
	total := 0
	ordered := true
	for _, path := range sharedCaptures(t) {
		b := readFile(t, path)
		frames := readAll(t, b)
		total += len(frames)
		if !slices.IsSortedFunc(frames, func(a, b Frame) int { return int(a.Time - b.Time) }) {
			ordered = false
			t.Logf("%s is out of order itself", filepath.Base(path))
		}
		sources = append(sources, source(t, b))
	}
	got, err := collect(t, Merge(sources...))
	if err != nil || len(got) != total {
		t.Fatalf("%d frames of %d, %v", len(got), total, err)
	}
	if ordered && !slices.IsSortedFunc(got, func(a, b Frame) int { return int(a.Time - b.Time) }) {
		t.Error("not in order")
	}
}

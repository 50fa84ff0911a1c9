// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	sameFrames(t, readAll(t, pcapBytes(t, sampleFrames())), sampleFrames())
	sameFrames(t, readAll(t, ngBytes(t, sampleFrames())), sampleFrames())
}

func TestTimesOutsideTheFormatAreLimited(t *testing.T) {
	frames := []Frame{{Time: -5, Link: LinkEthernet}, {Time: math.MaxInt64, Data: []byte{1}, Link: LinkEthernet}}
	got := readAll(t, ngBytes(t, frames))
	if got[0].Time != 0 || got[1].Time != math.MaxInt64 {
		t.Errorf("pcapng: %+v", got)
	}
	frames[0].Data, frames[0].OrigLen = []byte{1}, 1
	got = readAll(t, pcapBytes(t, frames))
	if got[0].Time != 0 || got[1].Time != math.MaxUint32*1e9+999999999 {
		t.Errorf("pcap: %+v", got)
	}
}

func TestAPcapHasOneLinkType(t *testing.T) {
	w := NewWriter(&bytes.Buffer{}, LinkEthernet)
	if err := w.WriteFrame(Frame{Link: LinkRaw}); err == nil {
		t.Error("a frame of another link type is accepted")
	}
}

func TestAPcapngHasAnInterfaceForEachPairOfNumberAndLinkType(t *testing.T) {
	frames := []Frame{
		{Time: 1, Data: []byte("a"), OrigLen: 1, Link: LinkEthernet, Interface: 0},
		{Time: 2, Data: []byte("b"), OrigLen: 1, Link: LinkRaw, Interface: 0},
		{Time: 3, Data: []byte("c"), OrigLen: 1, Link: LinkEthernet, Interface: 1},
		{Time: 4, Data: []byte("d"), OrigLen: 1, Link: LinkEthernet, Interface: 0},
	}
	got := readAll(t, ngBytes(t, frames))
	frames[1].Interface, frames[2].Interface = 1, 2
	sameFrames(t, got, frames)
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestAWriteErrorIsNotLost(t *testing.T) {
	for _, w := range []*Writer{NewWriter(fullDisk{}, LinkEthernet), NewNGWriter(fullDisk{})} {
		for range 3 {
			_ = w.WriteFrame(Frame{Data: make([]byte, 1000), Link: LinkEthernet})
		}
		if err := w.Flush(); !errors.Is(err, errFull) {
			t.Errorf("%v", err)
		}
	}
}

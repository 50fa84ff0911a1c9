// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"slices"
	"time"

	"github.com/asepsis/asepsis/testdata/captures"
	"github.com/asepsis/asepsis/wire/packet"
)

// incident is something that went wrong in the last case of the past of a theatre,
// recorded on another day with other machines than the morning.
type incident struct {
	digit   byte
	name    string
	capture []byte
	begins  time.Duration // in the case
	machine [][2][4]byte  // addresses, and those of the same machines in the morning
	text    [][2]string   // of the same length
}

// incidents are what people come to see, beside the stranger of theatre 3.
var incidents = []incident{
	{digit: '4', name: "hl7-misuse/order-by-pump.pcap", capture: captures.OrderByPump, begins: 21 * time.Minute, machine: [][2][4]byte{{{10, 20, 2, 50}, {10, 20, 1, 50}}},
		text: [][2]string{{"|P1|", "|P9|"}, {"AA|P1", "AA|P9"}}}, // the pump's first report has been sent that day
	{digit: '5', name: "dicom-misuse/program-in-pixels.pcap", capture: captures.ProgramInPixels, begins: 26 * time.Minute, machine: [][2][4]byte{{{10, 20, 3, 100}, {10, 20, 3, 101}}, {{10, 20, 3, 20}, {10, 20, 3, 11}}},
		text: [][2]string{{"ARCHIVE ", "PACS    "}, {"WS_OR3", "CT_OR3"}}},
}

// of returns the frames of a theatre's incident as they are in the recorded theatre,
// with when each comes in the case; nil for none.
func (i *incident) of(rec *recording) ([]frame, error) {
	frames, err := framesOf(i.capture, i.name)
	if err != nil {
		return nil, err
	}
	// Without what its machines asked of the network: in the morning they have other MACs.
	frames.frames = slices.DeleteFunc(frames.frames, func(f frame) bool { return flowOf(f.data) == "" })
	for n := range frames.frames {
		f := &frames.frames[n]
		for _, m := range i.machine {
			f.data = bytes.ReplaceAll(f.data, m[0][:], m[1][:])
		}
		for _, t := range i.text {
			f.data = bytes.ReplaceAll(f.data, []byte(t[0]), []byte(t[1]))
		}
		rec.address(f.data)
	}
	return frames.frames, nil
}

// address gives a frame the MACs that its machines have in the recording.
func (r *recording) address(data []byte) {
	var p packet.Packet
	packet.Decode(&p, 1, data, len(data))
	if p.Err != nil || len(data) < 12 {
		return
	}
	if m, ok := r.macs[p.Src.String()]; ok {
		copy(data[6:12], m[:])
	}
	if m, ok := r.macs[p.Dst.String()]; ok {
		copy(data[:6], m[:])
	}
}

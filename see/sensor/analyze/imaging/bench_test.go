// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"testing"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// pixels gives a stream in the middle of the pixel data of a C-STORE.
func pixels(b *testing.B, c *analyze.Conn) *stream {
	k := &talk{t: b}
	k.open(explicitLE, ctImage)
	k.command(toServer, 1, dimse.Command{Field: dimse.CStoreRQ, Present: dimse.HasMessageID, MessageID: 1, AffectedSOPClass: ctImage, DataSetType: 1})
	header := []byte("\xe0\x7f\x10\x00OW\x00\x00\xf0\xff\xff\xff")
	k.add(toServer, notLast(ul.AppendPData(nil, 1, false, append(header, make([]byte, 2000)...), 0)))
	s := &stream{}
	for _, x := range k.segs {
		s.Data(c, x.Dir, x.Data)
	}
	return s
}

func notLast(pdu []byte) []byte {
	pdu[ul.HeaderSize+ul.PDVHeaderSize-1] = 0
	return pdu
}

// BenchmarkStorePixels is the pixel path: PDUs of 16 KiB in segments of 1460
// bytes, of which the sensor presents what is not skipped.
func BenchmarkStorePixels(b *testing.B) {
	c := analyzetest.Conn(analyzetest.NewHost(), 6, 104)
	s := pixels(b, c)
	pdu := notLast(ul.AppendPData(nil, 1, false, make([]byte, 16378), 0))
	b.SetBytes(int64(len(pdu)))
	b.ReportAllocs()
	for b.Loop() {
		for i := 0; i < len(pdu); {
			n, _ := s.Data(c, toServer, pdu[i:min(i+1460, len(pdu))])
			i += int(n)
		}
		if s.halves[0].current.x.Skippable() < 1<<25 { // 4 GiB are through
			b.StopTimer()
			s = pixels(b, c)
			b.StartTimer()
		}
	}
}

// BenchmarkStoreObject is a whole C-STORE of 10 MiB.
func BenchmarkStoreObject(b *testing.B) {
	k := &talk{t: b}
	k.open(explicitLE, ctImage).store(toServer, 1, 1, ctImage, image("S-1", 10<<20)).answer(toClient, 1, dimse.CStoreRQ, 1, 0).release()
	h := analyzetest.NewHost()
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	for b.Loop() {
		c := analyzetest.Conn(h, 6, 104)
		s := &stream{}
		for _, x := range k.segs {
			for i := 0; i < len(x.Data); {
				n, _ := s.Data(c, x.Dir, x.Data[i:min(i+1460, len(x.Data))])
				i += int(n)
			}
		}
		s.Close(c, analyze.Finished)
		h.Events, h.Facts = h.Events[:0], h.Facts[:0]
	}
}

func BenchmarkEchoAssociation(b *testing.B) {
	k := &talk{t: b}
	k.open(explicitLE, dicom.UIDVerification).echo().release()
	h := analyzetest.NewHost()
	b.ReportAllocs()
	for b.Loop() {
		c := analyzetest.Conn(h, 6, 104)
		s := &stream{}
		for _, x := range k.segs {
			s.Data(c, x.Dir, x.Data)
		}
		s.Close(c, analyze.Finished)
		h.Events, h.Facts = h.Events[:0], h.Facts[:0]
	}
}

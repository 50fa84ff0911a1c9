// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// BenchmarkStore sends CT images from a Client to a Server over mutual TLS 1.3 on one connection, one and twenty
// in a request. Nothing is kept of them.
func BenchmarkStore(b *testing.B) {
	for _, size := range []int{39_000, 524_288} {
		for _, each := range []int{1, 20} {
			b.Run(fmt.Sprintf("%dkB/%d", size/1000, each), func(b *testing.B) {
				g := open(b, nil)
				g.Server.d.Ingest = &counter{}
				cl, err := gatewaytest.Trust(b, g.site, &g.pair).Client(trust.ClientOptions{Profiles: []identity.Profile{identity.DICOMNode}})
				if err != nil {
					b.Fatal(err)
				}
				d := DefaultDestination()
				d.URL = g.url
				rt := Transport(cl, d.Wait)
				defer rt.CloseIdleConnections()
				c, err := NewClient(d, rt)
				if err != nil {
					b.Fatal(err)
				}
				data := ct(uid(1), size)
				b.SetBytes(int64(len(data) * each))
				b.ReportAllocs()
				for b.Loop() {
					items := make([]Outgoing, each)
					for i := range items {
						items[i] = Outgoing{SOPClass: ctStorage, SOPInstance: uid(i), TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data), Size: int64(len(data))}
					}
					if r, err := c.Send(b.Context(), items...); err != nil || !r[each-1].Stored {
						b.Fatal(r, err)
					}
				}
				b.ReportMetric(float64(each)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

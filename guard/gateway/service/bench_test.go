// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest/whole"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// BenchmarkStore is one image through mutual TLS, firewall, digests, journal and ledger to its
// acknowledgement. Its destination is away, so that nothing is forwarded meanwhile.
func BenchmarkStore(b *testing.B) {
	for _, c := range []struct {
		name         string
		size         int // rows and columns
		associations int
	}{{"small", 140, 1}, {"ct", 512, 1}, {"small", 140, 8}, {"ct", 512, 8}} {
		b.Run(fmt.Sprintf("%s/%d", c.name, c.associations), func(b *testing.B) {
			h := whole.New(b, bindings(), sendTo("1"))
			_, pair := h.Site.Issue(b, identity.DICOMNode, "ct-1")
			cfg := trust.Default()
			cfg.TrustDomain = identitytest.Domain
			tr, err := trust.New(b.Context(), cfg, trust.Deps{Source: trust.SourceFunc(h.Site.CRLs), Material: func() (trust.Material, error) {
				return trust.Material{CA: append(h.Site.Issuing(), h.Site.Root()), Certificate: &pair}, nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			client, err := tr.Client(trust.ClientOptions{Device: "gateway"})
			if err != nil {
				b.Fatal(err)
			}
			d := &dicomnet.Dialer{CallingAE: "CT1", CalledAE: "ASEPSIS", Handshake: client.Handshake, Contexts: []dicomnet.Proposal{{AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}}
			data := gatewaytest.Image(b, "1.2.3.1000000000", "FICT-0001", c.size)
			uid := bytes.Index(data, []byte("1.2.3.1000000000"))
			b.SetBytes(int64(len(data)))
			var next atomic.Int64
			var all sync.WaitGroup
			var open []*dicomnet.Association
			for range c.associations {
				a, err := d.Dial(b.Context(), h.Service.Addr(gateway.KindTLS).String())
				if err != nil {
					b.Fatal(err)
				}
				open = append(open, a)
			}
			b.ResetTimer()
			for _, a := range open {
				all.Go(func() {
					mine := bytes.Clone(data)
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						name := "1.2.3." + strconv.FormatInt(1_000_000_000+n, 10)
						copy(mine[uid:], name)
						if status, err := a.Store(b.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: name, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(mine)}); err != nil || status != 0 {
							b.Errorf("%v, %v", status, err)
							return
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
			for _, a := range open {
				_ = a.Release(b.Context())
			}
		})
	}
}

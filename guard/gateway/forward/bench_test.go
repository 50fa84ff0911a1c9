// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// BenchmarkForward is journal to destination: what waits is sent to a provider that throws it away.
func BenchmarkForward(b *testing.B) {
	for _, rows := range []int{300, 4140} { // 39 kB and 530 kB
		for _, associations := range []int{1, 4} {
			b.Run(fmt.Sprintf("%dkB/%d", rows*128>>10, associations), func(b *testing.B) {
				w := newBench(b)
				w.deps.Log = nil
				var got atomic.Int64
				srv := &dicomnet.Server{Services: []dicomnet.Service{{AbstractSyntax: dicomnet.AnyStorage}, {AbstractSyntax: dicom.UIDVerification}},
					Handler: dicomnet.HandlerFunc(func(_ context.Context, r *dicomnet.Request) dicomnet.Reply {
						_, _ = io.Copy(io.Discard, r.Data)
						got.Add(1)
						return dicomnet.Reply{}
					})}
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() { defer close(done); _ = srv.Serve(ctx, ln, 0) }()
				defer func() { cancel(); <-done }()
				_, port, _ := net.SplitHostPort(ln.Addr().String())
				d := quick("pacs", port)
				d.Associations = associations
				f := w.start(d)
				if err := f.Steer("pacs", ActionPause); err != nil {
					b.Fatal(err)
				}
				data, uid := dataset(b, 1, rows, ctStorage, dicom.ExplicitVRLittleEndian)
				for range b.N {
					w.put(1, data, uid, func(r *instance.Record, _ *instance.Arrival, _ *instance.Header) { r.SOPInstance = uid })
				}
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				b.ResetTimer()
				if err := f.Steer("pacs", ActionResume); err != nil {
					b.Fatal(err)
				}
				for w.journal.Counts().Waiting > 0 {
					time.Sleep(time.Millisecond)
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"crypto/sha256"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// BenchmarkInspect is a CT image of 530 kB as it comes from an association. What the sum of the pixel data costs, which the
// inspection makes on its way, stands beside it; "other" is the same with the sum left out.
func BenchmarkInspect(b *testing.B) {
	pixels := strings.Repeat("\x10\x02", 512*512)
	ct := object(el(0x00280010, "US", u16s(512)), el(0x00280011, "US", u16s(512)), el(0x7FE00010, "OW", pixels))
	f := New(Default(), Deps{})
	a := arrivalOf(classCT, explicitLE)
	run := func(hash bool) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(ct)))
			b.ReportAllocs()
			for b.Loop() {
				i := f.begin(a, f.Current())
				for p := ct; len(p) > 0; {
					n := min(len(p), 32<<10)
					if !hash {
						i.val.sum = nil
					}
					_, _ = i.Write(p[:n])
					p = p[n:]
				}
				i.Finish()
			}
		}
	}
	b.Run("ct", run(true))
	b.Run("ct-other", run(false))
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(ct)))
		for b.Loop() {
			sha256.Sum256(ct)
		}
	})
	report := objectOf("1.2.840.10008.5.1.4.1.1.88.11", sq(0x0040A730, many2(500)...))
	b.Run("report", func(b *testing.B) {
		b.SetBytes(int64(len(report)))
		b.ReportAllocs()
		for b.Loop() {
			inspect(f, arrivalOf("1.2.840.10008.5.1.4.1.1.88.11", explicitLE), report, 0)
		}
	})
}

func many2(n int) [][]part {
	out := make([][]part, n)
	for i := range out {
		out[i] = []part{el(0x0040A010, "CS", "CONTAINS"), el(0x0040A040, "CS", "TEXT"), el(0x0040A160, "UT", "No acute finding. Comparison with the earlier examination shows no change of the size.")}
	}
	return out
}

// BenchmarkPDF is a report of 20 MB: pictures that are packed, pages, and objects in object streams.
func BenchmarkPDF(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	picture := make([]byte, 100<<10)
	var text strings.Builder
	for i := range 200 {
		for j := range picture {
			picture[j] = byte(random.Uint32())
		}
		text.WriteString(strconv.Itoa(4*i+1) + " 0 obj <</Type /XObject /Subtype /Image /Filter /DCTDecode /Width 512 /Height 512 /Length 102400>> stream\n")
		text.Write(picture)
		text.WriteString("\nendstream endobj\n")
		text.WriteString(strconv.Itoa(4*i+2) + " 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources <</XObject <</I " + strconv.Itoa(4*i+1) + " 0 R>> >> /Contents " + strconv.Itoa(4*i+3) + " 0 R>> endobj\n")
		packed := "7 0 " + strings.Repeat("<</Type /Annot /Subtype /Widget /Rect [10 20 30 40] /T (a field of the form) /P 3 0 R>> ", 100)
		text.WriteString(strconv.Itoa(4*i+4) + " 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode>> stream\n" + zlibOf(packed) + "\nendstream endobj\n")
	}
	report := pdfOf(text.String())
	f := New(Default(), Deps{})
	a := arrivalOf(classPDF, explicitLE)
	b.SetBytes(int64(len(report)))
	b.ReportAllocs()
	for b.Loop() {
		if r := inspect(f, a, report, 32<<10); r.Verdict != instance.Pass {
			b.Fatal(r.Hits)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// activePDFs are documents with something that no report needs, in object 7, and the rule that is to meet.
var activePDFs = []struct{ name, rule, object string }{
	{"JavaScript", "document.script", script},
	{"a program that is started", "document.launch", `<</S /Launch /F (calc.exe)>>`},
	{"another file that is opened", "document.launch", `<</S /GoToR /F (\\\\share\\x.pdf) /D [0 /Fit]>>`},
	{"a form that is sent", "document.launch", `<</S /SubmitForm /F <</FS /URL /F (http://x.example/)>> /Flags 4>>`},
	{"an address", "document.link", `<</S /URI /URI (http://x.example/)>>`},
	{"a program that is attached", "document.embedded", `<</Type /Filespec /F (report.exe) /EF <</F 8 0 R>> >>`},
	{"rich media", "document.rich-media", `<</Type /Annot /Subtype /RichMedia /Rect [0 0 9 9]>>`},
	{"a form of XML", "document.xfa", `<</Fields [] /XFA 8 0 R>>`},
}

// rewritten are ways in which real programs write the same document again.
var rewritten = []string{
	"qpdf --object-streams=generate --compress-streams=y IN OUT",
	"qpdf --object-streams=generate --recompress-flate --compression-level=1 --linearize IN OUT",
	"qpdf --object-streams=generate --stream-data=uncompress IN OUT",
	"qpdf --object-streams=generate --normalize-content=y --newline-before-endstream IN OUT",
	"qpdf --qdf IN OUT",
	"qpdf --min-version=1.3 --object-streams=disable IN OUT",
	"mutool clean -z IN OUT",
	"mutool clean -d -a IN OUT",
	"mutool clean -g -s IN OUT",
}

// writer runs programs in a directory, and makes one PDF of another.
type writer struct {
	t   *testing.T
	ctx context.Context
	dir string
	n   int
}

func newWriter(t *testing.T) *writer {
	for _, p := range []string{"qpdf", "mutool"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s (Debian packages qpdf, mupdf-tools)", p)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &writer{t: t, ctx: ctx, dir: t.TempDir()}
}

func (w *writer) file(content []byte) string {
	w.n++
	path := filepath.Join(w.dir, fmt.Sprintf("made-%d.pdf", w.n))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// run carries a recipe out and returns what it wrote.
func (w *writer) run(recipe, in string) (out string, content []byte) {
	w.t.Helper()
	w.n++
	out = filepath.Join(w.dir, fmt.Sprintf("made-%d.pdf", w.n))
	words := strings.Fields(strings.NewReplacer("IN", in, "OUT", out).Replace(recipe))
	said, err := exec.CommandContext(w.ctx, words[0], words[1:]...).CombinedOutput()
	content, missing := os.ReadFile(out)
	if missing != nil || len(content) == 0 {
		w.t.Fatalf("%s made nothing: %v\n%s", recipe, err, said)
	}
	return out, content
}

// TestActiveContentIsFoundHoweverAProgramWritesIt has documents written by qpdf and MuPDF: with packed objects, linearized, taken apart, with a table that is broken,
// and as the second revision of another.
func TestActiveContentIsFoundHoweverAProgramWritesIt(t *testing.T) {
	w := newWriter(t)
	f := New(Default(), Deps{})
	for _, p := range activePDFs {
		in := w.file([]byte(newPDFFile().object(7, p.object).object(8, "<</Type /EmbeddedFile /Length 2>> stream\nMZ\nendstream").bytes()))
		for _, recipe := range rewritten {
			_, b := w.run(recipe, in)
			start := bytes.LastIndex(b, []byte("startxref"))
			for name, b := range map[string][]byte{
				"":                                b,
				", its table broken":              append(bytes.Clone(b[:start]), "startxref\n1\n%%EOF\n"...),
				", its end gone":                  b[:start],
				", behind a revision without it":  append([]byte(newPDFFile().object(7, "null").bytes()), b[len("%PDF-1.7"):]...),
				", before a revision without it ": append(bytes.Clone(b), "7 0 obj null endobj\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"...),
			} {
				data := encapsulated(classPDF, "application/pdf", string(b))
				for _, cut := range []int{0, 1, 2, 3, 5, 7, 11, 13, 17} {
					if r := inspect(f, arrivalOf(classPDF, explicitLE), data, cut); met(&r, p.rule) == nil {
						t.Errorf("%s, by %q%s, in pieces of %d: %v %v", p.name, recipe, name, cut, r.Verdict, r.Hits)
						break
					}
				}
			}
		}
		_, b := w.run("qpdf --object-streams=generate --encrypt - - 256 -- IN OUT", in)
		if r := inspect(f, arrivalOf(classPDF, explicitLE), encapsulated(classPDF, "application/pdf", string(b)), 7); met(&r, "document.encrypted") == nil || met(&r, "document.opaque") == nil {
			t.Errorf("%s, encrypted: %v %v", p.name, r.Verdict, r.Hits)
		}
	}
}

// report is what a program writes a PDF of.
const report = `%!PS
/Times-Roman findfont 14 scalefont setfont
1 1 40 { /page exch def
  72 700 moveto (Electrocardiogram of a fictional patient \(page ) show page 10 string cvs show (\)) show
  72 600 moveto 1 1 400 { dup 72 add exch 30 mul sin 40 mul 600 add lineto } for stroke
  gsave 72 200 translate 200 200 scale 16 16 8 [16 0 0 -16 0 16] { 16 string dup 0 page 255 and put } image grestore
  showpage
} for
`

// TestReportsThatProgramsWriteAreNotHeld has reports written by Ghostscript, Poppler with cairo, MuPDF and qpdf, one after the other.
func TestReportsThatProgramsWriteAreNotHeld(t *testing.T) {
	w := newWriter(t)
	for _, p := range []string{"gs", "pdftocairo"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s (Debian packages ghostscript, poppler-utils)", p)
		}
	}
	sources := []string{w.file([]byte(newPDFFile().object(7, "[3 0 R /Fit]").bytes()))}
	text := w.file([]byte(report))
	for _, recipe := range []string{
		"gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -dFastWebView -sOutputFile=OUT IN",
		"gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -dPDFA=2 -dCompatibilityLevel=1.4 -dEncodeColorImages=false -sOutputFile=OUT IN",
		"gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -dASCII85EncodePages -sOutputFile=OUT IN",
		"gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfimage8 -r40 -dLastPage=3 -sOutputFile=OUT IN",
	} {
		path, _ := w.run(recipe, text)
		sources = append(sources, path)
	}
	path, _ := w.run("pdftocairo -pdf IN OUT", sources[1])
	sources = append(sources, path)
	f := New(Default(), Deps{})
	packed := 0
	for _, in := range sources {
		for _, recipe := range append([]string{"cp IN OUT"}, rewritten...) {
			_, b := w.run(recipe, in)
			if bytes.Contains(b, []byte("/ObjStm")) {
				packed++
			}
			data := encapsulated(classPDF, "application/pdf", string(b))
			for _, cut := range []int{0, 1, 13} {
				if r := inspect(f, arrivalOf(classPDF, explicitLE), data, cut); r.Verdict > instance.Flag {
					t.Errorf("%s of %s, in pieces of %d: %v %v", recipe, filepath.Base(in), cut, r.Verdict, r.Hits)
					break
				}
			}
		}
	}
	if packed < 4*len(sources) {
		t.Errorf("only %d files have object streams", packed)
	}
}

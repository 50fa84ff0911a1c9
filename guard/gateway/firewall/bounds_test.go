// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// held is how many bytes an inspection holds after it was fed.
func held(t *testing.T, f *Firewall, a instance.Arrival, feed func(i instance.Inspection)) uint64 {
	t.Helper()
	const n = 4
	var all [n]instance.Inspection
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for k := range all {
		all[k] = f.Begin(a)
		feed(all[k])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(all)
	if after.HeapAlloc < before.HeapAlloc {
		return 0
	}
	return (after.HeapAlloc - before.HeapAlloc) / n
}

func TestAnInspectionHoldsLittleWhateverItIsFed(t *testing.T) {
	f := New(Default(), Deps{})
	const bound = 256 << 10
	piece := bytes.Repeat([]byte{0x10, 0x20}, 64<<10)
	picture := object(el(0x00280010, "US", u16s(65535)), el(0x00280011, "US", u16s(65535)), lying(dicom.TagPixelData, "OW", 0xFFFFFFF0, ""))
	if n := held(t, f, arrivalOf(classCT, explicitLE), func(i instance.Inspection) {
		_, _ = i.Write(picture)
		for range 128 {
			_, _ = i.Write(piece)
		}
	}); n > bound {
		t.Errorf("a picture: %d bytes", n)
	}
	// The worst: deflated, deep, many hits of long paths, a long offset table, and a PDF that is packed.
	var deep part
	for d := range 32 {
		content := []part{el(0x00090010, "LO", "EVIL"), el(0x00091110, "LO", "<script>{{x}}../..\u202e"), el(0x0040A160, "UT", strings.Repeat("<b>\u200bx</b>", 400))}
		if d > 0 {
			content = append([]part{deep}, content...)
		}
		deep = sq(0x0040A730, content, content, content)
		if len(deep.b) > 4<<20 {
			deep = sq(0x0040A730, content[:1])
		}
	}
	var numbers strings.Builder
	for n := range maxPacked {
		numbers.WriteString(strconv.Itoa(n) + " " + strconv.Itoa(4000+15*n) + " ")
	}
	worst := objectOf(classPDF, deep, el(0x00420011, "OB", "%PDF-1.7\n5 0 obj <</Type /ObjStm /N 4096 /First "+strconv.Itoa(numbers.Len())+" /Filter [/LZWDecode /FlateDecode] /DecodeParms [null <</Predictor 12 /Columns 4000>>]>> stream\n"+
		inEarlyLZW(inZlib(inRows(numbers.String()+strings.Repeat("1 0 <</JS (x)>>", 9000), 4000)))))
	worst = append(worst, frames(strings.Repeat("\x01\x02\x03\x04", 20000), "x").b...)
	worst = append(worst, lying(0x00081140, "UN", 1<<20, itemStart+strings.Repeat(string(implicit(0x0040A160, "<script>\u200b"+strings.Repeat("\u00fc", 2500)).b), 50)).b...) // and is not at its end
	packed := []byte(deflated(string(worst)))
	if n := held(t, f, arrivalOf(classPDF, dicom.DeflatedExplicitVRLittleEndian), func(i instance.Inspection) {
		_, _ = i.Write(packed)
		if x := i.(*inspection); len(x.hits) < 20 || x.count[documentScript] == 0 {
			t.Fatalf("the worst met only %v", i.(*inspection).hits)
		}
	}); n > bound {
		t.Errorf("the worst: %d bytes", n)
	} else {
		t.Logf("the worst: %d bytes", n)
	}
}

func TestOfManyHitsTheWorstAreKept(t *testing.T) {
	var items [][]part
	for range 200 {
		items = append(items, []part{el(0x0040A160, "UT", "<b>x</b>\x01"), el(0x0040A168, "UT", "x")})
	}
	for range 20 {
		items = append(items, []part{el(0x0040A160, "UT", "<script>")})
	}
	r := inspect(New(Default(), Deps{}), arrivalOf(classCT, explicitLE), object(sq(0x0040A730, items...), el(0x00420012, "LO", "{{x}}")), 0)
	if len(r.Hits) > instance.MaxHits || r.More == 0 || r.Verdict != instance.Quarantine || met(&r, "text.script") == nil || met(&r, "text.template") == nil {
		t.Errorf("%d hits, %d more: %v", len(r.Hits), r.More, r.Verdict)
	}
	if h := met(&r, "text.script"); h != nil && h.Path != "(0040,A730)[201].(0040,A160)" {
		t.Errorf("the path is %s", h.Path)
	}
}

func TestElementsThatArePolicyExceptions(t *testing.T) {
	p, err := Parse("except.yaml", []byte("rules:\n  text.script: {except: [ImageComments, \"(0029,xx10)\", 0040A160]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		data []byte
		want instance.Verdict
	}{
		{object(el(0x00204000, "LT", "<script>")), instance.Pass},
		{object(el(0x00290010, "LO", "SIEMENS X"), el(0x00291010, "LO", "<script>")), instance.Pass},
		{object(sq(0x0040A730, []part{el(0x0040A160, "UT", "<script>")})), instance.Pass},
		{object(el(0x00081030, "LO", "<script>")), instance.Quarantine},
	} {
		if r := inspect(New(p, Deps{}), arrivalOf(classCT, explicitLE), tt.data, 0); r.Verdict != tt.want {
			t.Errorf("%v %v, want %v", r.Verdict, r.Hits, tt.want)
		}
	}
}

// TestAnInspectionIsOfOnePolicy changes the policy while others inspect.
func TestAnInspectionIsOfOnePolicy(t *testing.T) {
	lax, err := Parse("lax.yaml", []byte("rules: {text.script: {verdict: pass}}"))
	if err != nil {
		t.Fatal(err)
	}
	f := New(Default(), Deps{})
	data := object(el(0x00081030, "LO", "<script>"))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 200 {
				i := f.Begin(arrivalOf(classCT, explicitLE))
				_, _ = i.Write(data)
				if r := i.Finish(); (r.Verdict == instance.Pass) != (i.Policy() == lax.SHA256()) {
					t.Errorf("%v under %s", r.Verdict, i.Policy())
					return
				}
			}
		})
	}
	for k := range 200 {
		if k&1 == 0 {
			f.Set(lax)
		} else {
			f.Set(Default())
		}
	}
	wait.Wait()
}

// TestPublishedFaultsHaveAnAttack holds the suite to the classes of faults that were published of DICOM software.
func TestPublishedFaultsHaveAnAttack(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks() {
		seen[a.cve] = true
	}
	for _, cve := range []string{"CVE-2019-11687", "CVE-2021-44228", "CVE-2022-2119", "CVE-2022-2120", "CVE-2022-2121", "CVE-2026-3650", "CVE-2026-5437", "CVE-2026-5438", "CVE-2026-5439", "CVE-2026-5441", "CVE-2026-5442", "CVE-2026-5443",
		"CVE-2026-5445", "CVE-2026-5663", "CVE-2026-32711", "CVE-2026-50003", "CVE-2026-52868"} {
		if !seen[cve] {
			t.Errorf("no attack for %s", cve)
		}
	}
}

func TestTheHeaderIsReadAsItIs(t *testing.T) {
	r := inspect(New(Default(), Deps{}), arrivalOf(classCT, explicitLE), object(el(0x00080005, "CS", "ISO_IR 100"), el(0x00100010, "PN", "M\xfcller^J\xf6rg "), el(0x00081030, "LO", strings.Repeat("ü", 300)), el(0x00280008, "IS", "1"),
		el(0x00080012, "DA", "20260530"), el(0x00080013, "TM", "1015"), el(0x00180015, "CS", "HEAD")), 3)
	h := r.Header
	want := instance.Header{SOPClass: classCT, SOPInstance: theUID, Study: "2.25.1002", Series: "2.25.1003", CharacterSet: "ISO_IR 100", Modality: "CT", StudyDescription: h.StudyDescription, BodyPart: "HEAD", Manufacturer: "Fictional Imaging",
		Station: "CT1", DeviceSerial: "SN-1", StudyDate: "20260530", StudyTime: "101500", ContentDate: "20260530", InstanceCreation: "202605301015", Rows: 8, Columns: 8, Frames: 1, SamplesPerPixel: 1, BitsAllocated: 16, Photometric: "MONOCHROME2",
		PatientID: "P-1", PatientName: "Müller^Jörg", PatientBirthDate: "19700101", PatientSex: "F", Accession: "A-1001"}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got  %+v\nwant %+v", h, want)
	}
	if len(h.StudyDescription) > 256 {
		t.Errorf("a description of %d bytes", len(h.StudyDescription))
	}
}

// FuzzInspect: it never panics, never holds more than its bound, and comes to the same verdict for every cut.
func FuzzInspect(f *testing.F) {
	for i, a := range attacks() {
		if len(a.data) < 1<<14 {
			f.Add(a.data, a.arrival().TransferSyntax, uint8(1+i%40))
		}
	}
	for _, s := range corpus(f) {
		if len(s.data) < 1<<14 {
			f.Add(s.data, s.arrival.TransferSyntax, uint8(7))
		}
	}
	wall, strict := New(sanitising(f, ""), Deps{}), New(refusing(f), Deps{})
	f.Fuzz(func(t *testing.T, data []byte, syntax string, cut uint8) {
		a := arrivalOf(classPDF, syntax)
		whole := inspect(wall, a, data, 0)
		pieces := inspect(wall, a, data, int(cut))
		if !reflect.DeepEqual(whole, pieces) {
			w, _ := json.Marshal(whole)
			p, _ := json.Marshal(pieces)
			t.Fatalf("whole  %s\npieces %s", w, p)
		}
		if one, two := inspect(strict, a, data, 0), inspect(strict, a, data, int(cut)); !reflect.DeepEqual(one, two) {
			t.Fatalf("where every rule refuses\nwhole  %+v\npieces %+v", one, two)
		}
		if whole.Verdict == instance.Sanitise {
			var b bytes.Buffer
			out, err := wall.Sanitiser(a, whole).Transform(&b, bytes.NewReader(data), syntax)
			if err != nil {
				return
			}
			a.SOPInstance = out.SOPInstance
			if r := inspect(wall, a, b.Bytes(), 0); r.Verdict > instance.Flag || r.Pixel.Pixel != whole.Pixel.Pixel {
				t.Fatalf("the copy is %v %v", r.Verdict, r.Hits)
			}
		}
	})
}

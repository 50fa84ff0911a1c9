// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// recipes make DICOM files of others with the programs that devices and departments are built of. IN is a picture, DIR a directory.
var recipes = []string{
	"dcmcjpeg +ee IN OUT", "dcmcjpeg +eb IN OUT", "dcmcjpeg +e1 IN OUT", "dcmcjpeg +eb +fs 1 +ot IN OUT", "dcmcjpeg +eb +fs 1 -ot IN OUT",
	"dcmcjpls IN OUT", "dcmcjpls +fs 1 IN OUT", "dcmcrle IN OUT", "dcmcrle +fs 1 IN OUT", "dcmcrle +fs 1 -ot IN OUT",
	"gdcmconv --jpeg IN OUT", "gdcmconv --j2k IN OUT", "gdcmconv --jpegls IN OUT", "gdcmconv --rle IN OUT", "gdcmconv --j2k --lossy -r 10 IN OUT", "gdcmconv --raw --implicit IN OUT", "gdcmconv --deflated IN OUT",
	"dcmconv +ti IN OUT", "dcmconv +tb IN OUT", "dcmconv +td IN OUT", "dcmconv +te +g +e IN OUT", "dcmconv +te +g= +p 512 512 IN OUT", "dcmscale +Sxf 0.5 IN OUT", "dcmquant IN OUT", "dcmpsmk IN OUT",
}

// TestWhatTheToolsOfTheFieldMakeIsNotHeld has pictures compressed, cut into fragments, converted, scaled and annotated by DCMTK and GDCM, and
// documents, reports, meshes and photographs made into objects, and inspects what comes of it.
func TestWhatTheToolsOfTheFieldMakeIsNotHeld(t *testing.T) {
	for _, p := range []string{"dcmcjpeg", "dcmdrle", "gdcmconv", "pdf2dcm", "img2dcm"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("peer missing: %s (Debian packages dcmtk, libgdcm-tools)", p)
		}
	}
	const files = "/usr/lib/python3/dist-packages/pydicom/data/test_files/"
	if _, err := os.Stat(files + "CT_small.dcm"); err != nil {
		t.Skip("no pictures to begin with (Debian package python3-pydicom)")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := func(recipe string) error {
		w := strings.Fields(recipe)
		return exec.CommandContext(ctx, w[0], w[1:]...).Run()
	}
	// Sources: grey and colours, one frame, two and many, 8, 16 and 32 bits.
	colour := filepath.Join(dir, "source.dcm")
	if err := run("dcmdrle " + files + "SC_rgb_rle_2frame.dcm " + colour); err != nil {
		t.Fatal(err)
	}
	in := []string{files + "CT_small.dcm", files + "rtdose.dcm", colour}
	var jobs []string
	out := func(recipe string) {
		jobs = append(jobs, strings.ReplaceAll(recipe, "OUT", filepath.Join(dir, fmt.Sprintf("made-%03d.dcm", len(jobs)))))
	}
	for _, r := range recipes {
		for _, source := range in {
			out(strings.ReplaceAll(r, "IN", source))
		}
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	photo := filepath.Join(dir, "photo.jpg")
	if err := run("gdcmraw -i " + files + "SC_rgb_jpeg_dcmtk.dcm -o " + photo); err != nil {
		t.Fatal(err)
	}
	drawing := filepath.Join(dir, "drawing.bmp")
	if err := run("dcm2pnm +ob " + colour + " " + drawing); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(dir, "report.xml")
	if err := run("dsr2xml " + files + "test-SR.dcm " + report); err != nil {
		t.Fatal(err)
	}
	mesh := append(bytes.Repeat([]byte{' '}, 80), binary.LittleEndian.AppendUint32(nil, 2)...)
	out("img2dcm " + photo + " OUT")
	out("img2dcm -vlp " + photo + " OUT")
	out("img2dcm -i BMP " + drawing + " OUT")
	out("xml2dsr " + report + " OUT")
	out("stl2dcm " + write("mesh.stl", append(mesh, make([]byte, 100)...)) + " OUT")
	out("cda2dcm " + write("note.xml", []byte(`<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="2.25.7"/><code code="11528-7" codeSystem="2.16.840.1.113883.6.1"/><title>Report</title></ClinicalDocument>`)) + " OUT")
	plain := "%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n2 0 obj <</Type /Pages /Kids [] /Count 0>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
	out("pdf2dcm " + write("report.pdf", []byte(plain)) + " OUT")
	out("pdf2dcm " + write("ecg.pdf", []byte(strings.Replace(plain, "trailer", "3 0 obj <</Type /Filespec /F (ecg.xml) /EF <</F 4 0 R>> >> endobj\n"+attached(measurement)+"trailer", 1))) + " OUT")

	// Each program by itself: a recipe that does not fit a picture makes nothing.
	work := make(chan string)
	var together sync.WaitGroup
	for range 2 {
		together.Go(func() {
			for j := range work {
				_ = run(j)
			}
		})
	}
	for _, j := range jobs {
		work <- j
	}
	close(work)
	together.Wait()

	f := New(Default(), Deps{})
	made := map[string]int{}
	for _, j := range jobs {
		w := strings.Fields(j)
		b, err := os.ReadFile(w[len(w)-1])
		if err != nil || len(b) == 0 {
			continue
		}
		s, ok := sampleOf(j, b)
		if !ok {
			continue
		}
		made[w[0]]++
		a := s.arrival
		if h := inspect(f, a, s.data, 0).Header; h.SOPInstance != "" {
			a.SOPClass, a.SOPInstance = h.SOPClass, h.SOPInstance
		}
		if r := inspect(f, a, s.data, 0); r.Verdict > instance.Flag {
			t.Errorf("%s: %v %v", j, r.Verdict, r.Hits)
		}
	}
	n := 0
	for _, k := range made {
		n += k
	}
	if n < 55 || len(made) < 12 {
		t.Errorf("only %d files were made, by %v", n, made)
	}
	t.Logf("%d files, by %v", n, made)
}

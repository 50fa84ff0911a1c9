// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// clinic has procedure steps under a clock of its own.
type clinic struct {
	*Patients
	dir string
	now time.Time
	log bytes.Buffer
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{dir: t.TempDir(), now: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}
	c.open()
	return c
}

// open begins anew, as a gateway that was started again.
func (c *clinic) open() {
	clock := func() time.Time { return c.now }
	c.Patients = newPatients(time.Hour, clock, openSteps(c.dir, slog.New(slog.NewTextHandler(&c.log, nil)), clock))
}

func (c *clinic) is(t *testing.T, when, room string, running bool, want ...string) {
	t.Helper()
	if list, known := c.InRoom(instance.Arrival{Sender: instance.Sender{Theatre: room}}); known != running || !slices.Equal(list, want) {
		t.Errorf("%s: %v, %v, want %v, %v", when, list, known, want, running)
	}
}

func TestAStepInProgressSaysWhoseCaseItIsInARoom(t *testing.T) {
	c := newClinic(t)
	c.is(t, "before", "or-3", false)
	c.steps.begin("1.2.3", "ct-1", "or-3", "p:1")
	c.steps.begin("1.2.4", "ct-9", "", "p:9")           // nobody knows where
	c.steps.begin("../steps", "ct-8", "or-3", "p:8")    // no UID
	c.steps.begin("1.2.8", "ct-8", "or-3", "")          // nobody
	c.steps.begin("1.2.3", "us-1", "or-3", "p:another") // of another device
	c.steps.end("1.2.3", "us-1", control.StepCompleted) // of another device
	c.is(t, "in the case", "or-3", true, "p:1")
	c.is(t, "in another room", "or-4", false)
	c.is(t, "from nowhere", "", false)
	c.steps.end("1.2.3", "ct-1", control.StepCompleted)
	c.steps.end("1.2.99", "ct-1", control.StepCompleted) // of which nothing is known
	c.is(t, "after it", "or-3", false, "p:1")
	c.now = c.now.Add(10 * time.Minute)
	c.steps.begin("1.2.5", "ct-1", "or-3", "p:2")
	c.is(t, "in the next, while images of the one before come", "or-3", true, "p:1", "p:2")
	c.now = c.now.Add(afterStep)
	c.is(t, "later", "or-3", true, "p:2")
	c.steps.begin("1.2.6", "carm-1", "or-3", "p:2")
	c.steps.begin("1.2.7", "ct-1", "or-3", "p:4")
	c.is(t, "when the device begins another without an end", "or-3", true, "p:2", "p:4")
	c.steps.end("1.2.6", "carm-1", control.StepDiscontinued)
	c.now = c.now.Add(afterStep + time.Second)
	c.is(t, "when what it did not end is long over", "or-3", true, "p:4")
	c.now = c.now.Add(longestStep)
	c.is(t, "when nobody ended it", "or-3", false)
}

func TestADeviceThatBeginsWithoutEndPushesOutItsOwnStepsAlone(t *testing.T) {
	c := newClinic(t)
	c.steps.file = "" // thousands of flushes of the disk show nothing here
	c.steps.begin("1.2.3", "ct-1", "or-3", "p:1")
	for i := range 100 {
		c.now = c.now.Add(time.Millisecond)
		c.steps.begin(fmt.Sprint("1.3.", i), "us-1", "or-5", "p:3")
	}
	if n := len(c.Steps()); n != 1+maxDeviceSteps {
		t.Errorf("%d steps are known", n)
	}
	c.is(t, "in the room of the other", "or-3", true, "p:1")
	for i := range maxSteps {
		c.steps.begin(fmt.Sprint("1.4.", i), fmt.Sprint("us-", i), "or-5", "p:3")
	}
	if n := len(c.Steps()); n != maxSteps {
		t.Errorf("%d steps are known", n)
	}
}

func TestStepsOutliveTheProcess(t *testing.T) {
	c := newClinic(t)
	c.steps.begin("1.2.3", "ct-1", "or-3", "p:1")
	c.steps.begin("1.2.4", "us-1", "or-4", "p:2")
	c.steps.end("1.2.4", "us-1", control.StepCompleted)
	c.Held("or-3")
	c.Held("or-3")
	c.Held("or-4") // nothing is in progress there
	c.steps.flush()
	before := c.Steps()
	c.now = c.now.Add(time.Minute)
	c.open()
	if got := c.Steps(); !slices.Equal(got, before) || len(got) != 2 {
		t.Errorf("after the restart\n%+v\nbefore\n%+v", got, before)
	}
	c.is(t, "after the restart", "or-3", true, "p:1")
	if s := c.Steps()[0]; s.Held != 2 || s.UID != "1.2.3" {
		t.Errorf("it is %+v", s)
	}
	c.now = c.now.Add(afterStep)
	c.open()
	c.is(t, "half an hour later, where it had ended", "or-4", false)
	// The clock was wrong when it was written, and is right now.
	c.now = c.now.Add(-30 * 24 * time.Hour)
	c.open()
	c.is(t, "with the clock set back", "or-3", true, "p:1")
	c.now = c.now.Add(longestStep)
	c.is(t, "and six hours later", "or-3", false)
}

func TestStepsThatCannotBeReadAreSaidAndBegunAnew(t *testing.T) {
	c := newClinic(t)
	file := filepath.Join(c.dir, "steps.json")
	for name, text := range map[string]string{"broken": "{", "too long": strings.Repeat(" ", maxStepsFile+1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.log.Reset()
		c.open()
		if !strings.Contains(c.log.String(), "cannot be read") || len(c.Steps()) != 0 {
			t.Errorf("%s: the log has %q, and there are %v", name, c.log.String(), c.Steps())
		}
	}
	hostile := `{"steps": [{"uid": "../x", "theatre": "or-3", "patient": "p", "until": "2027-01-31T18:00:00Z"}, {"uid": "1.2", "theatre": "", "patient": "p", "until": "2027-01-31T18:00:00Z"},
		{"uid": "1.3", "theatre": "or-3", "patient": "p:1", "device": "ct-1", "began": "2027-01-31T11:00:00Z", "until": "9999-01-31T18:00:00Z"}]}`
	if err := os.WriteFile(file, []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	c.open()
	if list := c.Steps(); len(list) != 1 || list[0].UID != "1.3" || !list[0].Until.Equal(c.now.Add(longestStep)) {
		t.Errorf("it has %+v", list)
	}
}

func TestAPersonEndsAStep(t *testing.T) {
	c := newClinic(t)
	c.steps.begin("1.2.3", "ct-1", "or-3", "p:1")
	x, known, err := c.EndStep("1.2.3", "ada")
	if err != nil || !known || x.By != "ada" || x.How != control.StepByPerson || !x.Ended.Equal(c.now) || !x.Until.Equal(c.now.Add(afterStep)) {
		t.Fatalf("%+v, %v, %v", x, known, err)
	}
	c.open()
	c.is(t, "after a restart", "or-3", false, "p:1")
	for _, uid := range []string{"1.2.3", "1.2.99"} {
		if _, known, err := c.EndStep(uid, "ben"); known || err != nil {
			t.Errorf("%s, which is over or none: %v, %v", uid, known, err)
		}
	}
	// What cannot be written has not ended.
	c.steps.begin("1.2.4", "ct-1", "or-3", "p:2")
	c.steps.file = filepath.Join(c.dir, "gone", "steps.json")
	if _, known, err := c.EndStep("1.2.4", "ada"); !known || err == nil {
		t.Errorf("without a disk: %v, %v", known, err)
	}
	c.is(t, "without a disk", "or-3", true, "p:1", "p:2")
	c.steps.flush()
	c.steps.flush()
	if n := strings.Count(c.log.String(), "could not be written"); n != 1 {
		t.Errorf("it is said %d times: %s", n, c.log.String())
	}
}

func TestTheBoardEndsTheStepsOfARoomWhoseCaseIsOver(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state theatre.State
		after time.Duration // of the state, after the step began
		ends  bool
	}{
		{"the case ended", theatre.Idle, time.Minute, true},
		{"the room is in maintenance", theatre.Maintenance, time.Minute, true},
		{"the case goes on", theatre.InCase, time.Minute, false},
		{"it was idle before the device began, and nobody told the board", theatre.Idle, -time.Hour, false},
		{"the board does not know the room", "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClinic(t)
			c.steps.begin("1.2.3", "ct-1", "or-3", "p:1")
			began := c.now
			told := 0
			c.steps.changed = func() { told++ }
			c.steps.room = func(id string) (theatre.State, time.Time) {
				if id != "or-3" {
					t.Errorf("asked for %s", id)
				}
				return tt.state, began.Add(tt.after)
			}
			c.now = c.now.Add(2 * time.Minute)
			c.steps.board()
			c.steps.board()
			c.is(t, "compared with the board", "or-3", !tt.ends, "p:1")
			if x := c.Steps()[0]; (x.How == control.StepCaseEnded) != tt.ends || x.By != "" || (told == 1) != tt.ends {
				t.Errorf("it is %+v, told %d times", x, told)
			}
			c.open()
			c.is(t, "after a restart", "or-3", !tt.ends, "p:1")
		})
	}
}

func TestAStepIsReadThoughItNamesThousandsOfImages(t *testing.T) {
	var b bytes.Buffer
	syntax, _ := dicom.SyntaxOf(dicom.ImplicitVRLittleEndian)
	w := dicom.NewWriter(&b, syntax)
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(tagStepStatus, dicom.CS, "COMPLETED")
	var images []func()
	for i := range 3000 {
		images = append(images, func() {
			w.Text(tagRefInstance, dicom.UI, fmt.Sprint("1.2.", i))
			w.Text(dicom.TagPatientID, dicom.LO, "FICT-0009") // not whose step it is
		})
	}
	w.Sequence(0x00400340, images...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := attributes(b.Bytes(), dicom.ImplicitVRLittleEndian, dicom.TagPatientID, dicom.TagIssuerOfPatientID); !slices.Equal(got, []string{"FICT-0001", ""}) {
		t.Errorf("the patient is %q", got)
	}
	if got := stepStatus(b.Bytes(), dicom.ImplicitVRLittleEndian); got != "COMPLETED" {
		t.Errorf("the status is %q", got)
	}
	if got := stepStatus(b.Bytes()[:b.Len()-3], dicom.ImplicitVRLittleEndian); got != "" {
		t.Errorf("of what cannot be read to its end the status is %q", got)
	}
}

package inventory

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

type sink struct {
	mu sync.Mutex
	i  *Inventory
}

func (s *sink) Emit(e *event.Event) { s.i.Observe(e) }

func TestScratch(t *testing.T) {
	for _, f := range strings.Fields(os.Getenv("CAPS")) {
		i, _ := New(Default())
		key, _ := pseudonym.New(make([]byte, 32))
		s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: protocols.All(), Sink: &sink{i: i}, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		src, err := sensor.OpenFile(f)
		if err != nil {
			t.Log(f, err)
			continue
		}
		if err := s.Run(context.Background(), src); err != nil {
			t.Log(err)
		}
		fmt.Println("==", f)
		for _, d := range i.Devices() {
			fmt.Printf("%s %s %d | name=%q vendor=%q(%s) model=%q serial=%q via=%s\n    %v\n    why: %s\n", d.ID, d.Class, d.Confidence, d.Name, d.Vendor, d.Facts["vendor"].Stated, d.Model, d.Serial, d.Via, d.Interfaces, d.ClassWhy)
			for _, c := range d.Conflicts {
				fmt.Println("    CONFLICT", c)
			}
			for _, c := range d.Joined {
				fmt.Println("    JOIN", c)
			}
			if os.Getenv("EV") != "" {
				for _, e := range d.Evidence {
					fmt.Printf("      %s=%q %s %d x%d %s\n", e.Attribute, e.Value, e.Source, e.Confidence, e.Count, e.Subject.IP)
				}
			}
		}
		if os.Getenv("CV") != "" {
			for _, c := range i.Conversations() {
				fmt.Printf("   %+v\n", c)
			}
		}
	}
}

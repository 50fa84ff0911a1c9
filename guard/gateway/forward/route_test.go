// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/ledger"
)

// never is a vault and a ledger that are not used.
type never struct{ Vault }

func (never) Record(context.Context, custody.Statement) (ledger.Entry, error) { panic("not used") }

func routed(t *testing.T, dests []string, routes ...Route) *Forwarder {
	t.Helper()
	cfg := Default()
	for _, d := range dests {
		name, theatre, _ := strings.Cut(d, "@")
		dest := quick(name, "104")
		dest.Theatre = theatre
		cfg.Destinations = append(cfg.Destinations, dest)
	}
	cfg.Routes = routes
	f, err := New(cfg, Deps{Vault: never{}, Ledger: never{}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRoutesMatch(t *testing.T) {
	at := time.Date(2026, 11, 20, 22, 30, 0, 0, time.UTC) // a Friday
	base := func() (instance.Record, instance.Arrival, instance.Header) {
		return instance.Record{SOPClass: ctStorage}, instance.Arrival{At: at, Sender: instance.Sender{CallingAE: "CT_1", CalledAE: "ASEPSIS", Device: "dev-1", Theatre: "OR-3"}},
			instance.Header{Modality: "CT", StudyDescription: "CT Thorax nativ", SOPClass: ctStorage}
	}
	for _, c := range []struct {
		name   string
		route  Route
		change func(*instance.Record, *instance.Arrival, *instance.Header)
		want   bool
	}{
		{"nothing asked for is everything", Route{}, nil, true},
		{"the modality", Route{Modalities: []string{"MR", "CT"}}, nil, true},
		{"another modality", Route{Modalities: []string{"MR"}}, nil, false},
		{"the calling AE title", Route{CallingAE: []string{"CT_1"}}, nil, true},
		{"AE titles are case-sensitive", Route{CallingAE: []string{"ct_1"}}, nil, false},
		{"the called AE title", Route{CalledAE: []string{"XR"}}, nil, false},
		{"the device", Route{Devices: []string{"dev-1"}}, nil, true},
		{"another device", Route{Devices: []string{"dev-2"}}, nil, false},
		{"the theatre", Route{Theatres: []string{"OR-3"}}, nil, true},
		{"the SOP class", Route{SOPClasses: []string{mrStorage}}, nil, false},
		{"a description", Route{StudyDescription: []string{"*thorax*"}}, nil, true},
		{"a description with one character open", Route{StudyDescription: []string{"CT ?horax nativ"}}, nil, true},
		{"a description is matched whole", Route{StudyDescription: []string{"thorax"}}, nil, false},
		{"no description", Route{StudyDescription: []string{"?*"}}, func(_ *instance.Record, _ *instance.Arrival, h *instance.Header) { h.StudyDescription = "" }, false},
		{"during a case, with none", Route{Case: "in-progress"}, nil, false},
		{"during a case", Route{Case: "in-progress"}, func(_ *instance.Record, a *instance.Arrival, _ *instance.Header) { a.Case = true }, true},
		{"without a case", Route{Case: "none"}, nil, true},
		{"the day", Route{Schedule: Schedule{Days: []string{"fri"}}}, nil, true},
		{"another day", Route{Schedule: Schedule{Days: []string{"mon", "sat"}}}, nil, false},
		{"the day somewhere else", Route{Schedule: Schedule{Days: []string{"sat"}, Zone: "Asia/Tokyo"}}, nil, true},
		{"the hour", Route{Schedule: Schedule{From: "22:30", To: "22:31"}}, nil, true},
		{"the end is not in it", Route{Schedule: Schedule{From: "07:00", To: "22:30"}}, nil, false},
		{"over midnight, before it", Route{Schedule: Schedule{Days: []string{"fri"}, From: "19:00", To: "07:00"}}, nil, true},
		{"over midnight, after it", Route{Schedule: Schedule{Days: []string{"fri"}, From: "19:00", To: "07:00"}}, func(_ *instance.Record, a *instance.Arrival, _ *instance.Header) { a.At = at.Add(6 * time.Hour) }, true},
		{"over midnight, on the next evening", Route{Schedule: Schedule{Days: []string{"fri"}, From: "19:00", To: "07:00"}}, func(_ *instance.Record, a *instance.Arrival, _ *instance.Header) { a.At = at.Add(24 * time.Hour) }, false},
		{"over midnight, on the morning of the day itself", Route{Schedule: Schedule{Days: []string{"fri"}, From: "19:00", To: "07:00"}}, func(_ *instance.Record, a *instance.Arrival, _ *instance.Header) { a.At = at.Add(-20 * time.Hour) }, false},
		{"everything together", Route{Modalities: []string{"CT"}, CallingAE: []string{"CT_1"}, Devices: []string{"dev-1"}, Theatres: []string{"OR-3"}, Case: "none", StudyDescription: []string{"ct*"}}, nil, true},
	} {
		c.route.Name, c.route.To = "r", []string{"pacs"}
		f := routed(t, []string{"pacs"}, c.route)
		r, a, h := base()
		if c.change != nil {
			c.change(&r, &a, &h)
		}
		if got := f.Route(r, a, h); (len(got) == 1) != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestADestinationGetsAnInstanceOnceByTheFirstRouteThatMatches(t *testing.T) {
	f := routed(t, []string{"pacs", "xr@OR-3", "other@OR-4"}, Route{Name: "a", To: []string{"xr", "pacs"}}, Route{Name: "b", To: []string{"pacs", "other"}})
	got := f.Route(instance.Record{}, instance.Arrival{Case: true, Sender: instance.Sender{Theatre: "OR-3"}}, instance.Header{})
	var text []string
	for _, d := range got {
		if d.State != instance.Waiting {
			t.Errorf("%+v", d)
		}
		text = append(text, fmt.Sprint(d.Destination, " ", d.Route, " ", d.Urgent))
	}
	if s := strings.Join(text, ", "); s != "xr a true, pacs a true, other b false" {
		t.Error(s)
	}
}

func TestWhatCannotBeUsedIsRefusedWithItsField(t *testing.T) {
	if u := config.Undocumented(Default()); len(u) > 0 {
		t.Errorf("%v", u)
	}
	if u := config.Undocumented(DefaultDestination()); len(u) > 0 {
		t.Errorf("%v", u)
	}
	const dest = "{name: pacs, address: 127.0.0.1:104, called_ae: PACS, calling_ae: GW%s}"
	for _, c := range []struct{ name, text, want string }{
		{"nothing at all", "{}", ""},
		{"a destination", "destinations: [" + fmt.Sprintf(dest, "") + "]\nroutes: [{name: all, to: [pacs]}]", ""},
		{"a route to nowhere", "routes: [{name: all, to: [pacs]}]", "routes[0].to[0]"},
		{"a destination twice", "destinations: [" + fmt.Sprintf(dest, "") + ", " + fmt.Sprintf(dest, "") + "]", "destinations[1].name"},
		{"no port", "destinations: [{name: pacs, address: pacs, called_ae: A, calling_ae: B}]", "destinations[0].address"},
		{"an AE title that is too long", "destinations: [{name: pacs, address: 'a:1', called_ae: ABCDEFGHIJKLMNOPQ, calling_ae: B}]", "destinations[0].called_ae"},
		{"TLS without a device", "destinations: [" + fmt.Sprintf(dest, ", tls: site") + "]", "destinations[0].device"},
		{"TLS without an authority", "destinations: [" + fmt.Sprintf(dest, ", tls: file") + "]", "destinations[0].ca_file"},
		{"a certificate without TLS", "destinations: [" + fmt.Sprintf(dest, ", device: dev-1") + "]", "destinations[0].tls"},
		{"a transfer syntax that is not known", "destinations: [" + fmt.Sprintf(dest, ", transfer_syntaxes: ['1.2.3']") + "]", "destinations[0].transfer_syntaxes[0]"},
		{"too many associations", "destinations: [" + fmt.Sprintf(dest, ", associations: 17") + "]", "destinations[0].associations"},
		{"storage commitment over STOW-RS", "destinations: [{name: xr, kind: stow, commitment: true, stow: {url: 'http://127.0.0.1/dicom-web'}}]", "destinations[0].commitment"},
		{"STOW-RS in clear over the network", "destinations: [{name: xr, kind: stow, stow: {url: 'http://192.0.2.1/dicom-web'}}]", "destinations[0].stow"},
		{"a route without a destination", "routes: [{name: all}]", "routes[0].to"},
		{"a day that is none", "routes: [{name: all, to: [pacs], schedule: {days: [monday]}}]", "routes[0].schedule.days[0]"},
		{"an hour that is none", "routes: [{name: all, to: [pacs], schedule: {from: '25:00'}}]", "routes[0].schedule.from"},
		{"a zone that is none", "routes: [{name: all, to: [pacs], schedule: {zone: Mars}}]", "routes[0].schedule.zone"},
		{"a way to fail that is none", "routes: [{name: all, to: [pacs], fail: sometimes}]", "routes[0].fail"},
		{"a state of the theatre that is none", "routes: [{name: all, to: [pacs], case: maybe}]", "routes[0].case"},
		{"a class that is none", "routes: [{name: all, to: [pacs], study_description: ['[a-z]']}]", "routes[0].study_description[0]"},
	} {
		_, err := config.Decode("forward.yaml", []byte(c.text), Default())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{{"", "", true}, {"*", "", true}, {"?", "", false}, {"a*b*c", "axxbxxbc", true}, {"a*b*c", "axxbxxb", false}, {"*a*", "banana", true}, {"b?n*", "banana", true},
		{"ä?", "äö", true}, {"*" + strings.Repeat("a*", 50), strings.Repeat("a", 200) + "b", true}, {strings.Repeat("*a", 50) + "c", strings.Repeat("a", 256), false}} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.text, got)
		}
	}
}

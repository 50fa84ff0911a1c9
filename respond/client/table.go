// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Table prints an answer for a person.
type Table func(w io.Writer, answer json.RawMessage) error

type deviceRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Class       string   `json:"class"`
	ClassWhy    string   `json:"class_why"`
	Confidence  int      `json:"confidence"`
	Vendor      string   `json:"vendor"`
	Model       string   `json:"model"`
	Serial      string   `json:"serial"`
	Firmware    string   `json:"firmware"`
	OS          string   `json:"os"`
	UDI         string   `json:"udi"`
	MACs        []string `json:"macs"`
	IPs         []string `json:"ips"`
	AETitles    []string `json:"ae_titles"`
	Services    []string `json:"services"`
	Speaks      []string `json:"speaks"`
	Theatre     string   `json:"theatre"`
	Zone        string   `json:"zone"`
	Criticality string   `json:"criticality"`
	First       string   `json:"first"`
	Last        string   `json:"last"`
	Conflicts   []struct {
		Attribute string   `json:"attribute"`
		Why       string   `json:"why"`
		Values    []string `json:"values"`
	} `json:"conflict_list"`
	Evidence []struct {
		Attribute  string `json:"attribute"`
		Value      string `json:"value"`
		Source     string `json:"source"`
		Confidence int    `json:"confidence"`
		Count      uint64 `json:"count"`
	} `json:"evidence"`
}

type eventRow struct {
	ID       string    `json:"id"`
	Time     string    `json:"time"`
	Class    string    `json:"class_name"`
	Activity string    `json:"activity_name"`
	Severity string    `json:"severity"`
	Status   string    `json:"status"`
	Protocol string    `json:"protocol"`
	Sensor   string    `json:"sensor"`
	Theatre  string    `json:"theatre"`
	Message  string    `json:"message"`
	Src      *eventEnd `json:"src"`
	Dst      *eventEnd `json:"dst"`
	UID      string    `json:"uid"`
	Groups   []struct {
		Title  string `json:"title"`
		Fields []struct {
			Label string `json:"label"`
			Value string `json:"value"`
		} `json:"fields"`
	} `json:"groups"`
}

type eventEnd struct {
	IP   string `json:"ip"`
	MAC  string `json:"mac"`
	Name string `json:"name"`
}

func (e *eventEnd) String() string {
	switch {
	case e == nil:
		return "-"
	case e.Name != "":
		return e.Name
	case e.IP != "":
		return e.IP
	case e.MAC != "":
		return e.MAC
	}
	return "-"
}

// WriteDevices prints GET /devices.
func WriteDevices(w io.Writer, answer json.RawMessage) error {
	var l struct {
		Total   int         `json:"total"`
		Devices []deviceRow `json:"devices"`
		Next    *string     `json:"next"`
	}
	if err := json.Unmarshal(answer, &l); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "ID", "CLASS", "NAME", "VENDOR, MODEL", "ADDRESS", "THEATRE", "LAST SEEN")
	for _, d := range l.Devices {
		row(t, d.ID, d.Class, d.Name, join(", ", d.Vendor, d.Model), first(d.IPs, d.MACs), d.Theatre, local(d.Last))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := len(l.Devices); n < l.Total {
		_, err := fmt.Fprintf(w, "%d of %d devices\n", n, l.Total)
		return err
	}
	return nil
}

// WriteDevice prints GET /devices/{id}.
func WriteDevice(w io.Writer, answer json.RawMessage) error {
	var d deviceRow
	if err := json.Unmarshal(answer, &d); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	pair := func(name, value string) {
		if value != "" {
			row(t, name, value)
		}
	}
	pair("id", d.ID)
	pair("name", d.Name)
	pair("class", fmt.Sprintf("%s (%d %%): %s", d.Class, d.Confidence, d.ClassWhy))
	pair("vendor", d.Vendor)
	pair("model", d.Model)
	pair("serial", d.Serial)
	pair("firmware", d.Firmware)
	pair("os", d.OS)
	pair("udi", d.UDI)
	pair("macs", strings.Join(d.MACs, ", "))
	pair("addresses", strings.Join(d.IPs, ", "))
	pair("ae titles", strings.Join(d.AETitles, ", "))
	pair("services", strings.Join(d.Services, ", "))
	pair("speaks", strings.Join(d.Speaks, ", "))
	pair("theatre", d.Theatre)
	pair("zone", d.Zone)
	pair("criticality", d.Criticality)
	pair("first seen", local(d.First))
	pair("last seen", local(d.Last))
	for _, c := range d.Conflicts {
		pair("conflict", fmt.Sprintf("%s: %s (%s)", c.Attribute, c.Why, strings.Join(c.Values, ", ")))
	}
	if len(d.Evidence) > 0 {
		row(t)
		row(t, "EVIDENCE", "VALUE", "SOURCE", "CONFIDENCE", "TIMES")
	}
	for _, e := range d.Evidence {
		row(t, e.Attribute, e.Value, e.Source, fmt.Sprintf("%d %%", e.Confidence), fmt.Sprint(e.Count))
	}
	return t.Flush()
}

// WriteEvents prints GET /events.
func WriteEvents(w io.Writer, answer json.RawMessage) error {
	var p struct {
		Events   []eventRow `json:"events"`
		Next     *string    `json:"next"`
		Complete bool       `json:"complete"`
		Reached  string     `json:"reached"`
	}
	if err := json.Unmarshal(answer, &p); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "ID", "TIME", "SEVERITY", "FROM", "TO", "WHAT")
	for i := range p.Events {
		event(t, &p.Events[i])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !p.Complete {
		_, err := fmt.Fprintf(w, "Searched back to %s only: the time for one request ended. Give a shorter range, or ask on from there with --to.\n", local(p.Reached))
		return err
	}
	return nil
}

// WriteStreamed prints one message of GET /events/stream.
func WriteStreamed(w io.Writer, kind string, data []byte) error {
	switch kind {
	case "events":
		var p struct {
			Events []eventRow `json:"events"`
		}
		if err := json.Unmarshal(data, &p); err != nil {
			return err
		}
		for i := range p.Events {
			e := &p.Events[i]
			if _, err := fmt.Fprintf(w, "%s  %-8s  %s -> %s  %s\n", local(e.Time), e.Severity, clean(e.Src.String()), clean(e.Dst.String()), clean(what(e))); err != nil {
				return err
			}
		}
	case "lag":
		var l struct {
			Behind  uint64  `json:"behind"`
			Seconds float64 `json:"seconds"`
		}
		if err := json.Unmarshal(data, &l); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "-- %d events, %.0f s behind\n", l.Behind, l.Seconds)
		return err
	case "gap":
		var g struct {
			Why string `json:"why"`
		}
		if err := json.Unmarshal(data, &g); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "-- events are missing here: %s\n", clean(g.Why))
		return err
	}
	return nil
}

// WriteEvent prints GET /events/{id}.
func WriteEvent(w io.Writer, answer json.RawMessage) error {
	var e eventRow
	if err := json.Unmarshal(answer, &e); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "what", what(&e))
	row(t, "time", local(e.Time))
	row(t, "kind", e.Class+": "+e.Activity)
	row(t, "severity", e.Severity)
	row(t, "status", e.Status)
	row(t, "from", e.Src.String())
	row(t, "to", e.Dst.String())
	if e.Theatre != "" {
		row(t, "theatre", e.Theatre)
	}
	row(t, "sensor", e.Sensor)
	for _, g := range e.Groups {
		row(t)
		row(t, strings.ToUpper(g.Title))
		for _, f := range g.Fields {
			row(t, f.Label, f.Value)
		}
	}
	return t.Flush()
}

func event(t io.Writer, e *eventRow) {
	row(t, e.ID, local(e.Time), e.Severity, e.Src.String(), e.Dst.String(), what(e))
}

// what is the event's sentence, or its kind where it has none.
func what(e *eventRow) string {
	if e.Message != "" {
		return e.Message
	}
	return e.Class + ": " + e.Activity
}

// row writes cells; what the network said cannot break out of them.
func row(w io.Writer, cells ...string) {
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // errors come from Flush
}

// clean replaces what would move a terminal's cursor or a table's columns.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

func join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

func first(lists ...[]string) string {
	for _, l := range lists {
		if len(l) > 0 {
			return l[0]
		}
	}
	return ""
}

// local writes a time of the API in this machine's zone.
func local(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return s
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

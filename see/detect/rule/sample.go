// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/guarded"
	"github.com/asepsis/asepsis/platform/policyfile"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// SampleStart is when the events of a sample begin: a Monday, 10:00 UTC.
var SampleStart = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// maxRepeats bounds the events that one line of a sample stands for, and all of a sample.
const (
	maxRepeats = 20_000
	maxStaged  = 50_000
)

// Stage is a sample ready to run: its world and, in the order of time, its events.
type Stage struct {
	Devices  []device.Device
	Theatres []theatre.Theatre
	Policy   *policy.Policy // nil for none
	Guards   []guarded.Guard
	Events   []StagedEvent // none for a sample of a capture
}

// StagedEvent is an event with what the recorder would have found out about it.
type StagedEvent struct {
	Record record.Record // without Data
	Event  *event.Event
}

// World makes the world of the sample.
func (st *Stage) World() *scene.World {
	w := scene.NewWorld(st.Devices, st.Theatres, st.Policy)
	w.Guard(st.Guards)
	return w
}

// check stages the sample and reports what is wrong at its fields.
func (s *Sample) check(at string, c *checker) {
	if _, err := s.stage(false); err != nil {
		var at2 *sampleError
		if errors.As(err, &at2) {
			var hint string
			var h interface{ Hint() string }
			if errors.As(at2.err, &h) {
				hint = h.Hint()
			}
			c.fail(at+"."+at2.field, hint, "%v", at2.err)
			return
		}
		c.fail(at, "", "%v", err)
	}
}

func (g *SampleGuard) guard() (guarded.Guard, error) {
	out := guarded.Guard{Name: g.Name}
	if g.Name == "" {
		return out, errors.New("a guard needs a name")
	}
	for _, text := range g.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return out, err
		}
		out.Addresses = append(out.Addresses, a)
	}
	for _, text := range g.Services {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return out, err
		}
		out.Services = append(out.Services, guarded.Service{At: at})
	}
	return out, nil
}

// sampleError says at which field of a sample something is wrong.
type sampleError struct {
	field string
	err   error
}

func (e *sampleError) Error() string { return e.field + ": " + e.err.Error() }

func (e *sampleError) Unwrap() error { return e.err }

func wrong(field, format string, args ...any) error {
	return &sampleError{field, fmt.Errorf(format, args...)}
}

// Stage makes the world and the events of a sample. The error names the field.
func (s *Sample) Stage() (*Stage, error) { return s.stage(true) }

// stage makes all events, or of those that are repeated the first and the last: a number
// that runs up is right in between when it is right at both ends.
func (s *Sample) stage(whole bool) (*Stage, error) {
	st := &Stage{}
	for i := range s.Setup.Devices {
		d, err := s.Setup.Devices[i].device()
		if err != nil {
			return nil, &sampleError{fmt.Sprintf("setup.devices[%d]", i), err}
		}
		if slices.ContainsFunc(st.Devices, func(o device.Device) bool { return o.ID == d.ID }) {
			return nil, wrong(fmt.Sprintf("setup.devices[%d].id", i), "two devices have the ID %q", d.ID)
		}
		st.Devices = append(st.Devices, d)
	}
	rooms := map[string]theatre.State{}
	for id, text := range s.Setup.Theatres {
		state, err := theatre.ParseState(text)
		if err != nil {
			return nil, &sampleError{"setup.theatres", err}
		}
		rooms[id] = state
	}
	for i := range st.Devices {
		if id := st.Devices[i].Theatre; id != "" && rooms[id] == "" {
			rooms[id] = theatre.Idle
		}
	}
	for id, state := range rooms {
		t := theatre.Theatre{ID: id, State: state}
		for i := range st.Devices {
			if st.Devices[i].Theatre == id {
				t.Devices = append(t.Devices, st.Devices[i].ID)
			}
		}
		st.Theatres = append(st.Theatres, t)
	}
	slices.SortFunc(st.Theatres, func(a, b theatre.Theatre) int { return strings.Compare(a.ID, b.ID) })
	for i, g := range s.Setup.Guards {
		x, err := g.guard()
		if err != nil {
			return nil, &sampleError{fmt.Sprintf("setup.guards[%d]", i), err}
		}
		st.Guards = append(st.Guards, x)
	}
	if s.Setup.Policy != "" {
		p, err := policyfile.Parse("policy", []byte(s.Setup.Policy))
		if err != nil {
			return nil, &sampleError{"setup.policy", err}
		}
		st.Policy = p
	}
	staged := 0
	for i := range s.Events {
		if err := s.Events[i].stage(st, staged, whole); err != nil {
			return nil, &sampleError{fmt.Sprintf("events[%d]", i), err}
		}
		staged += max(s.Events[i].Repeat, 1)
	}
	slices.SortStableFunc(st.Events, func(a, b StagedEvent) int { return int(min(max(a.Record.Time-b.Record.Time, -1), 1)) })
	for i := range st.Events {
		st.Events[i].Record.Seq = uint64(i + 1) //nolint:gosec // an index
		st.Events[i].Event.UID = "sample-" + strconv.Itoa(i+1)
	}
	return st, nil
}

func (d *SampleDevice) device() (device.Device, error) {
	out := device.Device{ID: d.ID, Name: d.Name, Class: device.Class(d.Class), AETitles: d.AETitles, Theatre: d.Theatre, Zone: d.Zone,
		Criticality: device.Criticality(d.Criticality), Serial: d.Serial, UDI: d.UDI, First: SampleStart.Add(-30 * 24 * time.Hour).UnixNano()}
	if d.ID == "" {
		return out, errors.New("a device has no ID")
	}
	if out.Name == "" {
		out.Name = d.ID
	}
	if out.Class == "" {
		out.Class = device.ClassUnknown
	}
	if !out.Class.Valid() {
		return out, fmt.Errorf("%q is not a class of devices", d.Class)
	}
	n := device.Interface{}
	for _, text := range d.IPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return out, fmt.Errorf("%q is not an address", text)
		}
		n.IPs = append(n.IPs, ip)
	}
	if d.MAC != "" {
		m, err := device.ParseMAC(d.MAC)
		if err != nil {
			return out, err
		}
		n.MAC = m
	}
	if d.VLAN != 0 {
		n.VLANs = []uint16{d.VLAN}
	}
	out.Interfaces = []device.Interface{n}
	return out, nil
}

// stage adds the events that one line of a sample stands for, behind so many before it.
func (e *Event) stage(st *Stage, before int, whole bool) error {
	n := max(e.Repeat, 1)
	if e.Repeat < 0 || n > maxRepeats {
		return fmt.Errorf("repeat: want 1 to %d, have %d", maxRepeats, e.Repeat)
	}
	if before+n > maxStaged {
		return fmt.Errorf("the sample has more than %d events", maxStaged)
	}
	if e.Every < 0 || e.At < 0 {
		return errors.New("times must not be negative")
	}
	for i := range n {
		if !whole && i > 0 && i < n-1 {
			continue
		}
		x, err := e.one(st, i, n)
		if err != nil {
			return err
		}
		st.Events = append(st.Events, x)
	}
	return nil
}

// usualUDP are protocols whose conversations are UDP unless the sample says otherwise.
var usualUDP = []string{"dns", "mdns", "llmnr", "nbns", "dhcp", "dhcpv6", "ntp", "ssdp", "snmp", "syslog", "radius", "tftp", "coap", "quic", "dtls", "stun", "rtp", "wsd"}

func (e *Event) one(st *Stage, i, n int) (StagedEvent, error) {
	var none StagedEvent
	kind, class, err := e.kind()
	if err != nil {
		return none, err
	}
	detail, err := expr.NewDetail(kind, numbered(e.Detail, i).(map[string]any))
	if err != nil {
		return none, err
	}
	ev := &event.Event{Time: SampleStart.Add(e.At + time.Duration(i)*e.Every).UnixNano(), Severity: finding.Info, Protocol: e.Protocol,
		StatusCode: e.Code, StatusDetail: e.Words, Message: withNumber(e.Message, i), Encrypted: e.Encrypted, Detail: detail}
	if e.Activity != "" {
		id, ok := activityNamed([]event.Class{class}, e.Activity)
		if !ok {
			return none, fmt.Errorf("activity: %s has no activity %q; there are %s", class.Name(), e.Activity, strings.Join(activityNames([]event.Class{class}), ", "))
		}
		ev.Activity = id
	}
	switch e.Status {
	case "", "unknown":
	case "success":
		ev.Status = event.StatusSuccess
	case "failure":
		ev.Status = event.StatusFailure
	default:
		return none, fmt.Errorf("status: %q is not unknown, success or failure", e.Status)
	}
	r := record.Record{Time: ev.Time, Class: class, Activity: ev.Activity, Severity: ev.Severity, Status: ev.Status, Protocol: ev.Protocol, Sensor: e.Sensor}
	if r.Sensor == "" {
		r.Sensor = "sample"
	}
	src, srcDev, err := st.end(withNumber(e.Src, i))
	if err != nil {
		return none, fmt.Errorf("src: %w", err)
	}
	dst, dstDev, err := st.end(withNumber(e.Dst, i))
	if err != nil {
		return none, fmt.Errorf("dst: %w", err)
	}
	if d, ok := detail.(*event.DeviceEvidence); ok {
		subject := &d.Evidence.Subject
		if !subject.IP.IsValid() {
			subject.IP = src.IP
		}
		if subject.MAC.IsZero() {
			subject.MAC = src.MAC
		}
		if subject.VLAN == 0 {
			subject.VLAN = e.VLAN
		}
	} else if e.Src != "" || e.Dst != "" {
		ev.Flow = &event.Flow{Proto: e.proto(), Src: src, Dst: dst}
		ev.Flow.ID = e.Flow
		if c, ok := detail.(*event.Connection); ok {
			if e.Flow == 0 && n > 1 && ev.Activity != 6 {
				ev.Flow.ID = uint64(len(st.Events) + 1)
			}
			if c.End == 0 {
				c.End = ev.Time
			}
			if c.Start == 0 {
				c.Start = ev.Time
			}
		}
		if e.VLAN != 0 {
			ev.Flow.VLANs = []uint16{e.VLAN}
		}
	}
	r.Src, r.Dst = src.IP, dst.IP
	for _, x := range []struct {
		dev *device.Device
		id  *string
	}{{srcDev, &r.SrcDevice}, {dstDev, &r.DstDevice}} {
		if x.dev != nil {
			*x.id = x.dev.ID
			if r.Theatre == "" {
				r.Theatre = x.dev.Theatre
			}
		}
	}
	if d, ok := detail.(*event.TheatreActivity); ok {
		r.Theatre = d.Theatre
	}
	return StagedEvent{r, ev}, nil
}

// kind is the detail that the event has, and its class.
func (e *Event) kind() (string, event.Class, error) {
	if c := expr.ClassOf(e.Class); c != 0 {
		return e.Class, c, nil
	}
	c, ok := classNamed(e.Class)
	if !ok {
		return "", 0, fmt.Errorf("class: there is no class %q; there are %s", e.Class, strings.Join(classNames(), ", "))
	}
	return expr.Kinds(c)[0], c, nil
}

func (e *Event) proto() uint8 {
	switch {
	case e.Transport == "udp", e.Transport == "" && slices.Contains(usualUDP, e.Protocol):
		return 17
	case e.Transport == "icmp", e.Transport == "" && e.Protocol == "icmp":
		return 1
	case e.Transport == "" && e.Protocol == "arp":
		return 0
	}
	return 6
}

// end reads one end: a device of the setup or an address, with or without a port.
func (st *Stage) end(text string) (event.Endpoint, *device.Device, error) {
	var e event.Endpoint
	if text == "" {
		return e, nil, nil
	}
	host := text
	if ip, err := netip.ParseAddr(text); err == nil {
		e.IP = ip
	} else if ap, err := netip.ParseAddrPort(text); err == nil {
		e.IP, e.Port = ap.Addr(), ap.Port()
	} else if name, port, ok := strings.Cut(text, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return e, nil, fmt.Errorf("%q is not a port", port)
		}
		host, e.Port = name, uint16(n)
	}
	for i := range st.Devices {
		d := &st.Devices[i]
		n := d.Interfaces[0]
		if e.IP.IsValid() && slices.Contains(n.IPs, e.IP) || !e.IP.IsValid() && d.ID == host {
			e.MAC = n.MAC
			if !e.IP.IsValid() && len(n.IPs) > 0 {
				e.IP = n.IPs[0]
			}
			return e, d, nil
		}
	}
	if !e.IP.IsValid() {
		return e, nil, fmt.Errorf("%q is neither a device of the setup nor an address", host)
	}
	return e, nil, nil
}

// withNumber puts the number of a repeated event for {n}, and {hex} as eight
// hexadecimal digits that differ as random ones would.
func withNumber(s string, i int) string {
	if !strings.Contains(s, "{") {
		return s
	}
	scrambled := uint32(i+1) * 2654435761 //nolint:gosec // Knuth's multiplicative hash, wraps by design
	return strings.ReplaceAll(strings.ReplaceAll(s, "{n}", strconv.Itoa(i)), "{hex}", fmt.Sprintf("%08x", scrambled))
}

func numbered(v any, i int) any {
	switch x := v.(type) {
	case string:
		return withNumber(x, i)
	case []any:
		out := make([]any, len(x))
		for k := range x {
			out[k] = numbered(x[k], i)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = numbered(x[k], i)
		}
		return out
	}
	return v
}

// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"fmt"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/poct1a"
	"github.com/asepsis/asepsis/wire/xmltok"
)

// POCT1A is the analyser of POCT1-A2's Device Messaging Layer.
func POCT1A() analyze.Protocol {
	return analyze.Protocol{
		Name:      "poct1-a",
		Probe:     probePOCT1A,
		NewStream: func(*analyze.Conn) analyze.Stream { return new(poctStream) },
	}
}

// probePOCT1A accepts a document whose root element is a message type. In the
// middle of a connection the next document may begin later.
func probePOCT1A(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	b := head
	if c.MidStream {
		if i := bytes.Index(b, []byte("<?xml")); i > 0 {
			b = b[i:]
		}
	}
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n\x00")
	for range 8 { // prolog: declarations and comments
		var end []byte
		switch {
		case bytes.HasPrefix(b, []byte("<?")):
			end = []byte("?>")
		case bytes.HasPrefix(b, []byte("<!--")):
			end = []byte("-->")
		}
		if end == nil {
			break
		}
		i := bytes.Index(b, end)
		if i < 0 {
			return analyze.Maybe
		}
		b = bytes.TrimLeft(b[i+len(end):], " \t\r\n")
	}
	if len(b) == 0 {
		return analyze.Maybe
	}
	if b[0] != '<' {
		if c.MidStream {
			return analyze.Maybe
		}
		return analyze.No
	}
	i := bytes.IndexAny(b, "> /\t\r\n")
	if i < 0 {
		if len(b) > 65 {
			return analyze.No
		}
		return analyze.Maybe
	}
	if poct1a.IsType(b[1:i]) {
		return analyze.Yes
	}
	return analyze.No
}

type poctStream struct {
	split [2]xmltok.Splitter
	seen  bool
	bad   int
	roles bool
}

// Held implements analyze.Holder.
func (s *poctStream) Held() int { return s.split[0].Held() + s.split[1].Held() }

// Data implements analyze.Stream.
func (s *poctStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	s.split[dir].Write(data, func(d xmltok.Document) { s.document(c, dir, d) })
	if s.bad > 4 && !s.seen {
		return int64(len(data)), analyze.Reject
	}
	return int64(len(data)), analyze.More
}

// Gap implements analyze.Stream.
func (s *poctStream) Gap(c *analyze.Conn, dir analyze.Dir, _ int64) analyze.Verdict {
	s.split[dir].Close(func(d xmltok.Document) { s.document(c, dir, d) })
	return analyze.More
}

// Close implements analyze.Stream.
func (s *poctStream) Close(c *analyze.Conn, _ analyze.End) {
	for _, dir := range []analyze.Dir{analyze.ToServer, analyze.ToClient} {
		s.split[dir].Close(func(d xmltok.Document) { s.document(c, dir, d) })
	}
}

// fromDevice tells which side sends a message: the instrument (1), its manager
// (-1) or either (0).
func fromDevice(typ string) int {
	switch typ[:3] {
	case "HEL", "DST", "OBS", "EVS":
		return 1
	case "REQ", "DTV", "OPL", "PTL":
		return -1
	}
	return 0
}

func (s *poctStream) document(c *analyze.Conn, dir analyze.Dir, doc xmltok.Document) {
	m, err := poct1a.Parse(doc.Head)
	if err != nil {
		s.bad++
		return
	}
	from := fromDevice(m.Type)
	if !s.roles && from != 0 {
		s.roles = true
		// The instrument opens the connection to its manager.
		if c.MidStream && (c.SideOf(dir) == analyze.Client) != (from > 0) {
			c.Flip()
		}
		instrument := source(c, dir)
		if from < 0 {
			instrument = destination(c, dir)
		}
		c.Evidence(instrument, device.AttrClass, string(device.ClassLabAnalyser), "poct1-a."+m.Type, device.Claimed)
	}
	if !s.seen {
		s.seen = true
		c.Service("poct1-a")
	}
	d := &event.MedicalDevice{Standard: "poct1-a", Message: m.Type}
	if !c.Full() {
		if m.Type[:3] == "HEL" {
			s.hello(c, dir, d, &m.Device, clean)
		}
		c.Note(event.ClassMedicalDevice)
		return
	}
	e := &event.Event{Detail: d}
	kv := func(name, v string) {
		if v = analyze.CleanN([]byte(v), short); v != "" {
			d.Attributes = append(d.Attributes, event.KV{Name: name, Value: v})
		}
	}
	who := "The instrument"
	if from < 0 {
		who = "The data manager"
	}
	e.Message = who + " sent " + m.Type
	kv("control_id", m.ControlID)
	switch m.Type[:3] {
	case "HEL":
		e.Activity = 1
		s.hello(c, dir, d, &m.Device, clean)
		kv("connection_profile", m.Device.Profile)
		e.Message = firstOf(clean(m.Device.Name), clean(m.Device.Model), "An instrument") + " announced itself over POCT1-A"
	case "DST":
		e.Activity = 3
		kv("condition", m.Condition)
		kv("new_observations", m.NewResults)
	case "OBS":
		e.Activity = 4
		d.Records = m.Results
		for _, o := range m.Observations {
			v := clean(o.Value)
			if o.Name != "" && !bytes.ContainsAny([]byte(o.Name), " ") && len(o.Name) <= 16 {
				v += "^" + clean(o.Name)
			}
			if len(v) <= short {
				d.Observations = addOnce(d.Observations, v, maxList)
			}
		}
		kv("role", m.Role)
		e.Message = fmt.Sprintf("The instrument sent %d results over POCT1-A", m.Results)
	case "EVS":
		e.Activity = 4
		d.Records = m.Events
	case "DTV", "OPL", "PTL":
		e.Activity = 5
		kv("command", m.Command)
		if m.Command != "" {
			e.Message = "The data manager sent the directive " + analyze.CleanN([]byte(m.Command), short)
		}
	case "REQ":
		e.Activity = 2
		kv("request", m.Request)
	case "ACK", "ESC":
		e.Activity = 7
		kv("ack_control_id", m.AckControlID)
		kv("ack_error", m.AckError)
		e.StatusCode = analyze.CleanN([]byte(m.AckCode), 8)
		switch m.AckCode {
		case "AA":
			e.Status = event.StatusSuccess
		case "AE", "AR":
			e.Status, e.Severity = event.StatusFailure, finding.Low
			d.Naks = 1
		}
		e.Message = "A POCT1-A message was acknowledged with " + firstOf(e.StatusCode, m.Type)
	case "END", "EOT", "KPA", "TRM":
		e.Activity = 8
		kv("topic", m.Topic)
		kv("reason", m.Reason)
		e.Message = "The conversation sent " + m.Type
	default:
		e.Activity = 99
	}
	if len(m.Patients) > 0 {
		d.PatientRef = patientRef(c, m.Patients[0], "")
	}
	if len(m.Orders) > 0 {
		d.SpecimenRef = c.Pseudonym(pseudonym.Order, m.Orders[0])
	}
	if len(m.Operators) > 0 {
		kv("operator_pseudonym", c.Pseudonym(pseudonym.Person, m.Operators[0]))
	}
	if doc.Truncated || m.Truncated {
		kv("incomplete", "true")
	}
	c.Emit(e)
}

// hello takes the identity that an instrument states in HEL.
func (s *poctStream) hello(c *analyze.Conn, dir analyze.Dir, d *event.MedicalDevice, dev *poct1a.Device, clean func(string) string) {
	d.Vendor = firstOf(clean(dev.Manufacturer), clean(dev.Vendor))
	d.Model, d.Serial, d.Firmware = clean(dev.Model), clean(dev.Serial), clean(dev.Software)
	d.Endpoint = clean(dev.ID)
	side := source(c, dir)
	evidence(c, side, device.Structured,
		string(device.AttrVendor), d.Vendor, "poct1-a.dev.manufacturer_name",
		string(device.AttrModel), d.Model, "poct1-a.dev.model_id",
		string(device.AttrSerial), d.Serial, "poct1-a.dev.serial_id",
		string(device.AttrFirmware), d.Firmware, "poct1-a.dev.sw_version",
		string(device.AttrHostname), clean(dev.Name), "poct1-a.dev.device_name")
	// DEV.device_id is an EUI-64 by the standard; many send an EUI-48.
	if e := eui64(dev.ID); e != "" {
		c.Evidence(side, device.AttrEUI64, e, "poct1-a.dev.device_id", device.Structured)
	} else if mac, err := device.ParseMAC(dev.ID); err == nil && !mac.IsZero() {
		c.Evidence(side, device.AttrMAC, mac.String(), "poct1-a.dev.device_id", device.Structured)
	} else {
		c.Evidence(side, device.AttrDeviceID, d.Endpoint, "poct1-a.dev.device_id", device.Structured)
	}
}

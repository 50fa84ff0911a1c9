// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/sdc"
)

// SDC interprets HTTP exchanges of IEEE 11073 SDC, and DPWS metadata of other
// devices, which it names "dpws".
func SDC(c *analyze.Conn, x *analyze.Exchange) string {
	req, res := envelope(x.Request, x.RequestBody), envelope(x.Response, x.ResponseBody)
	if req == nil && res == nil {
		return ""
	}
	medical := req != nil && req.IsSDC() || res != nil && res.IsSDC()
	main := req
	if main == nil {
		main = res
	}
	if main.IsDiscovery() {
		announce(c, dirOf(c, analyze.Client), main, true)
		if res != nil && req != nil && res.IsDiscovery() {
			announce(c, dirOf(c, analyze.Server), res, true)
		}
		if medical {
			return "sdc"
		}
		return "dpws"
	}
	described := res != nil && (res.Model != "" || res.FriendlyName != "" || res.Manufacturer != "")
	if !medical && !described {
		return ""
	}
	d := &event.MedicalDevice{Standard: "sdc", Message: clean(main.Name()), Secure: c.Encrypted}
	if !medical {
		d.Standard = "dpws"
	}
	again, repeated := analyze.Repetition{}, analyze.First
	if c.Full() && streamed(main) && x.Status < 300 && (res == nil || res.Fault == "") {
		client, server := c.Subject(analyze.Client).IP, c.Subject(analyze.Server).IP
		again = analyze.Repetition{What: "sdc." + main.Name(), From: client, To: server, Port: c.ServerPort()}
		if repeated = c.Repeat(again, x.Time, main.States); repeated == analyze.Counted {
			return d.Standard // its evidence came with the first
		}
	}
	e := &event.Event{Time: x.Time, Protocol: d.Standard, Detail: d, Activity: activityOf(d.Message)}
	provider, consumer := analyze.Server, analyze.Client
	report := isReport(main)
	if report { // a notification: the provider posts to the consumer's sink
		provider, consumer = consumer, provider
	}
	for _, env := range []*sdc.Envelope{req, res} {
		if env == nil {
			continue
		}
		if !c.Full() {
			identify(c, provider, d, env)
			continue
		}
		d.Vendor, d.Model = firstOf(d.Vendor, clean(env.Manufacturer)), firstOf(d.Model, clean(env.Model))
		d.Serial, d.Firmware = firstOf(d.Serial, clean(env.Serial)), firstOf(d.Firmware, clean(env.Firmware))
		d.Location = firstOf(d.Location, clean(env.Location.String()))
		if len(env.Patients) > 0 && d.PatientRef == "" {
			d.PatientRef = patientRef(c, env.Patients[0], "")
		}
		d.Records += env.States
		d.Types = typeNames(d.Types, env.HostTypes)
		kv := func(name, v string) {
			if v = analyze.CleanN([]byte(v), short); v != "" && len(d.Attributes) < 16 {
				d.Attributes = append(d.Attributes, event.KV{Name: name, Value: v})
			}
		}
		kv("operation", env.Operation)
		kv("invocation_state", env.Invocation)
		kv("mdib_version", env.MdibVersion)
		for _, f := range env.Filter {
			kv("subscribed", f[strings.LastIndexByte(f, '/')+1:])
		}
		if env.Alerts > 0 {
			kv("alert_states", fmt.Sprint(env.Alerts))
		}
		if env.Waveforms > 0 {
			kv("waveforms", fmt.Sprint(env.Waveforms))
		}
		if env.Fault != "" {
			e.Status, e.StatusCode, e.Severity = event.StatusFailure, analyze.CleanN([]byte(env.Fault), short), finding.Low
		}
		if env.Truncated {
			kv("incomplete", "true")
		}
		identify(c, provider, d, env)
	}
	if d.Standard == "sdc" {
		c.Evidence(consumer, device.AttrUses, "sdc", "sdc", device.Claimed)
		if !report {
			c.Evidence(provider, device.AttrService, "sdc/tcp:"+port(c), "sdc", device.Claimed)
		}
	}
	if !c.Full() {
		c.NoteAt(event.ClassMedicalDevice, x.Time, d.Standard)
		return d.Standard
	}
	if e.Status == event.StatusUnknown && x.Status >= 200 && x.Status < 300 {
		e.Status = event.StatusSuccess
	}
	who := firstOf(d.Model, d.Vendor, "a medical device")
	switch e.Activity {
	case 5:
		e.Message = "An SDC consumer commanded " + who + ": " + d.Message
	case 6:
		e.Message = "An SDC consumer managed a subscription at " + who + ": " + d.Message
	case 3:
		e.Message = "An SDC consumer read the description of " + who
	default:
		e.Message = "SDC " + d.Message + " of " + who
	}
	c.EmitRepeated(repeated, again, e)
	return d.Standard
}

// streamed reports a message that comes several times per second and says nothing
// but measured values: waveforms and reports of metrics. What reports alerts, contexts or
// operations is told each time.
func streamed(e *sdc.Envelope) bool {
	switch e.Name() {
	case "WaveformStream", "ObservedValueStream", "EpisodicMetricReport", "PeriodicMetricReport":
		return e.Fault == "" && !e.Truncated && e.Alerts == 0 && len(e.Patients) == 0 && len(e.MDS) == 0
	}
	return false
}

// dirOf is the direction in which a side sends.
func dirOf(c *analyze.Conn, s analyze.Side) analyze.Dir {
	if c.SideOf(analyze.ToServer) == s {
		return analyze.ToServer
	}
	return analyze.ToClient
}

// envelope reads a body that is a SOAP message, nil when it is none.
func envelope(h []analyze.Header, body []byte) *sdc.Envelope {
	if len(body) == 0 {
		return nil
	}
	body = decode(h, body)
	if ct := strings.ToLower(analyze.Get(h, "content-type")); ct != "" && !strings.Contains(ct, "xml") && !strings.HasPrefix(ct, "multipart/related") {
		return nil
	}
	if !sdc.Looks(body) {
		return nil
	}
	e, err := sdc.Parse(body)
	if err != nil {
		return nil
	}
	return e
}

func isReport(e *sdc.Envelope) bool {
	n := e.Name()
	return strings.HasSuffix(n, "Report") || n == "WaveformStream" || n == "ObservedValueStream" || n == "SubscriptionEnd"
}

func activityOf(name string) uint8 {
	name = strings.TrimSuffix(name, "Response")
	switch name {
	case "GetMdib", "GetMdDescription", "Get", "GetMetadata", "Request", "GetLocalizedText", "GetSupportedLanguages", "GetContainmentTree", "GetDescriptor":
		return 3
	case "SetValue", "SetString", "Activate", "SetContextState", "SetAlertState", "SetMetricState", "SetComponentState":
		return 5
	case "Subscribe", "Renew", "Unsubscribe", "GetStatus", "SubscriptionEnd":
		return 6
	case "GetMdState", "GetContextStates", "GetContextStatesByFilter", "GetContextStatesByIdentification", "WaveformStream", "ObservedValueStream":
		return 4
	}
	if strings.HasSuffix(name, "Report") {
		return 4
	}
	return 99
}

// identify gives what a message says of its provider.
func identify(c *analyze.Conn, side analyze.Side, d *event.MedicalDevice, e *sdc.Envelope) {
	evidence(c, side, device.Structured,
		string(device.AttrVendor), clean(e.Manufacturer), "dpws.this-model.manufacturer",
		string(device.AttrModel), clean(e.Model), "dpws.this-model.model-name",
		string(device.AttrSerial), clean(e.Serial), "dpws.this-device.serial-number",
		string(device.AttrFirmware), clean(e.Firmware), "dpws.this-device.firmware-version",
		string(device.AttrHostname), clean(e.FriendlyName), "dpws.this-device.friendly-name",
		string(device.AttrLocation), clean(e.Location.String()), "sdc.location-context")
	classify := func(code, ref, concept, model string) {
		if cl := classOfMDC(code, ref); cl != "" {
			c.Evidence(side, device.AttrClass, string(cl), "sdc.mds.type", device.Structured)
		} else if cl := classOfText(concept); cl != "" {
			c.Evidence(side, device.AttrClass, string(cl), "sdc.mds.type", device.Claimed)
		} else if cl := classOfModel(model); cl != "" {
			c.Evidence(side, device.AttrClass, string(cl), "sdc.model", device.Hint)
		}
	}
	for i := range e.MDS {
		m := &e.MDS[i]
		if i > 0 {
			break // what contains several systems is none of them
		}
		d.UDI = firstOf(d.UDI, clean(m.UDI), clean(m.DI))
		d.Vendor, d.Model = firstOf(d.Vendor, clean(m.Manufacturer)), firstOf(d.Model, clean(m.Model))
		d.Serial = firstOf(d.Serial, clean(m.Serial))
		evidence(c, side, device.Structured,
			string(device.AttrUDI), firstOf(clean(m.UDI), clean(m.DI)), "sdc.mds.udi",
			string(device.AttrVendor), clean(m.Manufacturer), "sdc.mds.manufacturer",
			string(device.AttrModel), clean(m.Model), "sdc.mds.model-name",
			string(device.AttrSerial), clean(m.Serial), "sdc.mds.serial-number")
		code := m.Code
		if m.CodingSystem != "" && !strings.Contains(m.CodingSystem, "10101") {
			code = "" // another nomenclature's number
		}
		classify(code, m.Symbol, m.Concept, m.Model)
	}
	if len(e.MDS) == 0 {
		classify("", "", e.FriendlyName, e.Model)
	}
}

// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/hl7"
	"github.com/asepsis/asepsis/wire/udi"
)

// maxDevices bounds the devices of one message.
const maxDevices = 16

// found is a device with where each of its values came from.
type found struct {
	event.HL7Device
	DI       string
	Firmware string
	Class    device.Class
	Source   map[string]string // attribute to field
	Valid    bool              // the UDI has the form of one
}

func (f *found) set(attr string, to *string, v, field string) {
	if v == "" || *to != "" {
		return
	}
	*to = v
	if f.Source == nil {
		f.Source = make(map[string]string, 8)
	}
	f.Source[attr] = field
}

// deviceReader gathers the devices that a message names. Segments that follow
// each other speak of the same device until one names another.
type deviceReader struct {
	s     *hl7Stream
	list  []*found
	obx18 []byte // the last one read: monitors repeat it with each value
}

func (r *deviceReader) current() *found {
	if len(r.list) == 0 {
		r.list = append(r.list, new(found))
	}
	return r.list[len(r.list)-1]
}

// at returns the device with that identity: the current one when it has none
// yet or the same, another one that is known, or a new one.
func (r *deviceReader) at(same func(*found) (known, equal bool)) *found {
	for i := len(r.list) - 1; i >= 0; i-- {
		if known, equal := same(r.list[i]); equal || !known && i == len(r.list)-1 {
			return r.list[i]
		}
	}
	if len(r.list) >= maxDevices {
		return new(found) // counted out: read and forgotten
	}
	f := new(found)
	r.list = append(r.list, f)
	return f
}

func byUDI(v string) func(*found) (bool, bool) {
	return func(f *found) (bool, bool) { return f.UDI != "", f.UDI == v || f.DI != "" && f.DI == v }
}

func byEUI(v string) func(*found) (bool, bool) {
	return func(f *found) (bool, bool) { return f.EUI64 != "", f.EUI64 == v }
}

func byID(v string) func(*found) (bool, bool) {
	return func(f *found) (bool, bool) { return f.DeviceID != "", f.DeviceID == v }
}

// udi takes a value that stands where a UDI belongs. strict says that the field
// may hold other things: then only what has the form of a UDI is taken.
func (r *deviceReader) udi(v, field string, strict bool) bool {
	if v == "" {
		return false
	}
	form := v
	if strings.HasPrefix(v, "{") { // braces for brackets, as some print them in v2 messages
		form = strings.NewReplacer("{", "(", "}", ")").Replace(v)
	}
	u, err := udi.Parse(form)
	if err != nil && strict {
		return false
	}
	f := r.at(byUDI(form))
	if err != nil {
		if digits14(v) { // a device identifier alone, as PRT-16 may have it
			f.set("di", &f.DI, v, field)
			if f.UDI == "" {
				f.set("udi", &f.UDI, v, field)
				f.Valid = true
			}
			return true
		}
		f.set("udi", &f.UDI, v, field)
		if maker, model := makerOf(v); maker != "" {
			f.set("vendor", &f.Vendor, maker, field)
			f.set("model", &f.Model, model, field)
		}
		return true
	}
	f.set("udi", &f.UDI, form, field)
	f.set("di", &f.DI, u.DI, field)
	f.set("serial", &f.Serial, u.Serial, field)
	f.set("lot", &f.Lot, u.Lot, field)
	f.set("firmware", &f.Firmware, u.Software, field)
	f.Valid = true
	return true
}

func digits14(v string) bool {
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return len(v) == 14
}

// entity reads an EI: identifier ^ namespace ^ universal ID ^ type.
func (r *deviceReader) entity(ei hl7.Field, field string) {
	id, ns := r.s.value(ei.Comp(1)), r.s.value(ei.Comp(2))
	uid, typ := r.s.value(ei.Comp(3)), strings.ToUpper(r.s.value(ei.Comp(4)))
	if id == "" && uid == "" {
		return
	}
	if r.udi(id, field, true) {
		return
	}
	if typ == "EUI-64" || typ == "EUI64" {
		if e := eui64(uid); e != "" {
			f := r.at(byEUI(e))
			f.set("eui64", &f.EUI64, e, field)
			if eui64(id) == "" {
				f.set("id", &f.DeviceID, id, field)
			}
			if maker, _ := makerOf(ns); maker != "" {
				f.set("vendor", &f.Vendor, ns, field)
			}
			return
		}
	}
	switch strings.ToUpper(ns) { // a namespace that says what the identifier is
	case "SERIAL", "SN", "SERIALNUMBER":
		f := r.current()
		f.set("serial", &f.Serial, id, field)
		return
	case "MODEL":
		f := r.current()
		f.set("model", &f.Model, id, field)
		return
	case "VENDOR", "MANUFACTURER":
		f := r.current()
		f.set("vendor", &f.Vendor, id, field)
		return
	}
	if id == "" {
		id = uid
	}
	f := r.at(byID(id))
	f.set("id", &f.DeviceID, id, field)
	if maker, model := makerOf(id); maker != "" {
		f.set("vendor", &f.Vendor, maker, field)
		f.set("model", &f.Model, model, field)
	} else if maker, _ := makerOf(ns); maker != "" {
		f.set("vendor", &f.Vendor, ns, field)
	}
}

func (r *deviceReader) entities(f hl7.Field, field string) {
	for i := 1; i <= min(f.Reps(), 8); i++ {
		r.entity(f.Rep(i), field)
	}
}

func (r *deviceReader) class(codeField hl7.Field, field string, to *found) {
	for _, at := range []int{1, 4} {
		cl := classOfMDC(r.s.value(codeField.Comp(at)), r.s.value(codeField.Comp(at+1)))
		if cl == "" {
			cl = classOfText(r.s.value(codeField.Comp(at + 1)))
		}
		if cl == "" {
			continue
		}
		if to == nil {
			to = r.current()
		}
		if to.Class == "" {
			to.Class = cl
			typ := string(cl)
			to.set("class", &typ, "", "")
			if to.Source == nil {
				to.Source = make(map[string]string, 8)
			}
			to.Source["class"] = field
			if to.Type == "" {
				to.Type = r.s.value(codeField.Comp(at))
			}
		}
		return
	}
}

// participation reads PRT. Fields 11 to 15 have moved between versions, those of
// the device have not: 10 the device, 16 its UDI, 17 to 20 the parts of that,
// 22 its type (2.9).
func (r *deviceReader) participation(seg hl7.Segment) {
	dev := seg.Field(10)
	// PRT-10 is a device when PRT-4 says EQUIP, or when it has the form of one.
	if role := string(seg.Field(4).Comp(1).Raw()); strings.EqualFold(role, "EQUIP") || dev.Comps() >= 3 {
		r.entities(dev, "prt-10")
	} else {
		r.udi(r.s.value(dev.Comp(1)), "prt-10", true)
	}
	if v := r.s.value(seg.Field(16).Comp(1)); v != "" {
		r.udi(v, "prt-16", false)
	}
	if lot, serial := r.s.value(seg.Field(19)), r.s.value(seg.Field(20)); lot != "" || serial != "" {
		f := r.current()
		f.set("lot", &f.Lot, lot, "prt-19")
		f.set("serial", &f.Serial, serial, "prt-20")
	}
	if typ := seg.Field(22); !typ.Empty() {
		f := r.current()
		f.set("type", &f.Type, firstOf(r.s.value(typ.Comp(2)), r.s.value(typ.Comp(1))), "prt-22")
		r.class(typ, "prt-22", f)
	}
}

// device reads DEV (2.9).
func (r *deviceReader) device(seg hl7.Segment) {
	r.udi(r.s.value(seg.Field(2).Comp(1)), "dev-2", false)
	f := r.current()
	f.set("vendor", &f.Vendor, r.s.value(seg.Field(5).Comp(1)), "dev-5")
	f.set("model", &f.Model, firstOf(r.s.value(seg.Field(7)), r.s.value(seg.Field(6))), "dev-7")
	f.set("lot", &f.Lot, r.s.value(seg.Field(10)), "dev-10")
	f.set("serial", &f.Serial, r.s.value(seg.Field(11)), "dev-11")
	f.set("firmware", &f.Firmware, r.s.value(seg.Field(16)), "dev-16")
	r.class(seg.Field(3), "dev-3", f)
}

// equipment reads EQU-1 of laboratory automation messages.
func (r *deviceReader) equipment(seg hl7.Segment) { r.entities(seg.Field(1), "equ-1") }

// service reads OBR-4: IHE PCD puts the device's MDS type there.
func (r *deviceReader) service(seg hl7.Segment) { r.class(seg.Field(4), "obr-4", nil) }

// observation reads OBX-18, and OBX-5 where OBX-3 says that it describes the
// device (IEEE 11073-10101 production specifications; LOINC 74711-3 is the UDI).
func (r *deviceReader) observation(seg hl7.Segment) {
	what, v := seg.Field(3), seg.Field(5)
	if ei := seg.Field(18); !ei.Empty() && !bytes.Equal(ei.Raw(), r.obx18) {
		r.entities(ei, "obx-18")
		r.obx18 = ei.Raw()
	}
	if rawID, rawRef := what.Comp(1).Raw(), what.Comp(2).Raw(); describes(rawID, rawRef) {
		r.property(what, v, string(rawID), string(rawRef))
		return
	}
	// A UDI as the value of any observation that is a string.
	if t := seg.Field(2).Raw(); string(t) == "ST" || string(t) == "TX" || string(t) == "EI" {
		if raw := v.Comp(1).Raw(); len(raw) > 16 && (raw[0] == '(' || raw[0] == '{') {
			r.udi(r.s.value(v.Comp(1)), "obx-5", true)
		}
	}
}

// describes reports whether an observation is about the device and not about
// the patient.
func describes(id, ref []byte) bool {
	if bytes.HasPrefix(ref, []byte("MDC_DEV_")) || bytes.HasPrefix(ref, []byte("MDC_ID_")) || bytes.HasPrefix(ref, []byte("MDC_ATTR_")) || bytes.HasPrefix(id, []byte("5319")) {
		return true
	}
	switch string(id) {
	case "74711-3", "67880", "69985", "70001", "69965", "UDI":
		return true
	}
	switch string(ref) {
	case "UDI", "Unique Device Identifier", "Unique device identifier":
		return true
	}
	return false
}

// property takes one statement about the device.
func (r *deviceReader) property(what, v hl7.Field, id, ref string) {
	if strings.HasPrefix(ref, "MDC_DEV_") || classOfMDC(id, ref) != "" {
		r.class(what, "obx-3", nil)
	}
	value := func() (*found, string) { return r.current(), r.s.value(v.Comp(1)) }
	switch {
	case id == "74711-3", id == "531979", id == "UDI", ref == "MDC_ID_UDI", ref == "MDC_ATTR_UDI", ref == "UDI", strings.EqualFold(ref, "Unique Device Identifier"):
		r.udi(r.s.value(v.Comp(1)), "obx-5", false)
	case id == "531970", ref == "MDC_ID_MODEL_MANUFACTURER":
		f, text := value()
		f.set("vendor", &f.Vendor, text, "obx-5")
	case id == "531969", ref == "MDC_ID_MODEL_NUMBER":
		f, text := value()
		f.set("model", &f.Model, text, "obx-5")
	case id == "531972", ref == "MDC_ID_PROD_SPEC_SERIAL":
		f, text := value()
		f.set("serial", &f.Serial, text, "obx-5")
	case id == "531975", id == "531976", ref == "MDC_ID_PROD_SPEC_SW", ref == "MDC_ID_PROD_SPEC_FW":
		f, text := value()
		f.set("firmware", &f.Firmware, text, "obx-5")
	case id == "67880", ref == "MDC_ATTR_ID_MODEL":
		// "manufacturer=... model=...": the attribute has two parts.
		f, text := value()
		if maker, model, ok := strings.Cut(text, " model="); ok && strings.HasPrefix(maker, "manufacturer=") {
			f.set("vendor", &f.Vendor, strings.TrimSpace(maker[len("manufacturer="):]), "obx-5")
			f.set("model", &f.Model, strings.TrimSpace(model), "obx-5")
		}
	}
}

func firstOf(v ...string) string {
	for _, s := range v {
		if s != "" {
			return s
		}
	}
	return ""
}

// named reports whether anything but a class is known.
func (f *found) named() bool {
	return f.UDI != "" || f.DeviceID != "" || f.EUI64 != "" || f.Vendor != "" || f.Model != "" || f.Serial != ""
}

// devices gives the list for the event.
func (r *deviceReader) devices() []event.HL7Device {
	var out []event.HL7Device
	for _, f := range r.list {
		if !f.named() && f.Class == "" {
			continue
		}
		d := f.HL7Device
		for _, a := range []string{"udi", "eui64", "id", "serial", "model", "vendor", "class"} {
			if src := f.Source[a]; src != "" {
				d.Source = strings.ToUpper(src)
				break
			}
		}
		out = append(out, d)
	}
	return out
}

func addDevice(list []event.HL7Device, d event.HL7Device) []event.HL7Device {
	for _, k := range list {
		if k == d {
			return list
		}
	}
	if len(list) >= maxDevices {
		return list
	}
	return append(list, d)
}

// behind remembers whether a sender speaks of one device or of several.
type behind struct {
	key     string
	several bool
}

// see notes a device and reports whether it may be the sender itself.
func (b *behind) see(f *found) bool {
	key := firstOf(f.EUI64, f.Serial, f.UDI, f.DeviceID, f.Vendor+f.Model)
	if key == "" || b.several {
		return !b.several
	}
	if b.key == "" {
		b.key = key
	}
	b.several = b.key != key
	return !b.several
}

// deviceEvidence says about the sender what the message says about devices.
func (s *hl7Stream) deviceEvidence(c *analyze.Conn, dir analyze.Dir, d *event.HL7Message, r *deviceReader, h hl7.Segment) {
	side := source(c, dir)
	b := &s.devices[dir]
	// MSH-3 of IHE PCD carries the EUI-64 of the sending system as its universal ID.
	app := h.Field(3)
	for n := 2; n <= 3; n++ {
		if t := strings.ToUpper(s.value(app.Comp(n + 1))); t == "EUI-64" {
			c.Evidence(side, device.AttrEUI64, eui64(s.value(app.Comp(n))), "hl7.msh-3", device.Structured)
			break
		}
	}
	was := b.several
	for _, f := range r.list {
		if f.named() {
			b.see(f)
		}
	}
	if b.several {
		if !was {
			c.Evidence(side, device.AttrClass, string(device.ClassInterfaceEngine), "hl7.devices-behind", device.Claimed)
		}
		return
	}
	for _, f := range r.list {
		s.oneDevice(c, side, f)
		if f.named() && len(r.list) == 1 && d.Type == "ORU" {
			c.Evidence(side, device.AttrLocation, d.Location, "hl7.pv1-3", device.Hint)
		}
	}
}

func (s *hl7Stream) oneDevice(c *analyze.Conn, side analyze.Side, f *found) {
	conf := device.Structured
	if f.UDI != "" && !f.Valid {
		conf = device.Claimed // a text where an identifier belongs
	}
	for _, e := range []struct {
		attr  device.Attribute
		key   string
		value string
		conf  device.Confidence
	}{
		{device.AttrUDI, "udi", f.UDI, conf},
		{device.AttrEUI64, "eui64", f.EUI64, device.Structured},
		{device.AttrDeviceID, "id", f.DeviceID, device.Claimed},
		{device.AttrVendor, "vendor", f.Vendor, conf},
		{device.AttrModel, "model", f.Model, conf},
		{device.AttrSerial, "serial", f.Serial, device.Structured},
		{device.AttrFirmware, "firmware", f.Firmware, device.Structured},
		{device.AttrClass, "class", string(f.Class), device.Claimed},
	} {
		if e.value != "" {
			c.Evidence(side, e.attr, e.value, "hl7."+f.Source[e.key], e.conf)
		}
	}
	if f.Class == "" {
		if cl := classOfModel(f.Model); cl != "" {
			c.Evidence(side, device.AttrClass, string(cl), "hl7."+f.Source["model"], device.Hint)
		}
	}
}

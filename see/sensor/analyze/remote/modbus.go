// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/modbus"
)

// modbusPort is the registered port. The header has no magic, only zeros where
// the protocol identifier is: on this port one exact message is enough, on any
// other two in a row are asked for.
const modbusPort = 502

func probeModbus(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	seen := 0
	for at := head; ; seen++ {
		n, err := modbus.Size(at)
		if err != nil {
			return analyze.No
		}
		if n == 0 || len(at) < n {
			if seen > 0 && (c.Ends[0].Port == modbusPort || c.Ends[1].Port == modbusPort) {
				return analyze.Yes
			}
			return analyze.Maybe
		}
		a, err := modbus.Parse(at[:n])
		if err != nil || !a.IsRequest() && !a.IsResponse() {
			return analyze.No
		}
		if seen >= 2 {
			return analyze.Yes
		}
		at = at[n:]
	}
}

// Bounds of one Modbus connection.
const (
	maxModbusWaiting = 64
	maxModbusKinds   = 64
)

// modbusStream counts what is asked of which unit. Each function of each unit
// gives one event when it is first used, and the end of the connection one with
// the counts; each exception of a new kind gives one.
type modbusStream struct {
	announced bool
	certain   bool // who is the client is known
	waiting   map[uint32]uint8
	order     []uint32
	kinds     []modbusKind
	requests  uint64
	writes    uint64
	failures  uint64
}

type modbusKind struct {
	unit, function, exception uint8
	count                     uint64
	low, high                 uint32 // items addressed
	ranged                    bool
}

func newModbus(*analyze.Conn) analyze.Stream { return &modbusStream{waiting: map[uint32]uint8{}} }

func (s *modbusStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := 0
	for {
		n, err := modbus.Size(data[used:])
		if err != nil {
			return int64(used), analyze.Reject
		}
		if n == 0 || len(data)-used < n {
			return int64(used), analyze.More
		}
		a, err := modbus.Parse(data[used : used+n])
		if err != nil {
			return int64(used), analyze.Reject
		}
		used += n
		if !s.certain {
			if rq, rs := a.IsRequest(), a.IsResponse(); rq != rs {
				s.certain = true
				if rq {
					setClient(c, dir)
				} else {
					setClient(c, dir.Other())
				}
			}
		}
		if !s.announced {
			s.announced = true
			c.Service("modbus")
		}
		if c.SideOf(dir) == analyze.Client {
			s.request(c, &a)
		} else {
			s.response(c, &a)
		}
	}
}

func modbusKey(a *modbus.ADU) uint32 { return uint32(a.Transaction)<<8 | uint32(a.Unit) }

func (s *modbusStream) request(c *analyze.Conn, a *modbus.ADU) {
	s.requests++
	if modbus.Writes(a.Function) {
		s.writes++
	}
	if _, ok := s.waiting[modbusKey(a)]; !ok {
		if len(s.order) >= maxModbusWaiting {
			delete(s.waiting, s.order[0])
			s.order = append(s.order[:0], s.order[1:]...)
		}
		s.order = append(s.order, modbusKey(a))
	}
	s.waiting[modbusKey(a)] = a.Function
	k, isNew := s.kind(a.Unit, a.Function, 0)
	if k == nil {
		return
	}
	k.count++
	first, n, ok := a.Range()
	if ok {
		last := uint32(first) + uint32(max(n, 1)) - 1
		if !k.ranged {
			k.ranged, k.low, k.high = true, uint32(first), last
		}
		k.low, k.high = min(k.low, uint32(first)), max(k.high, last)
	}
	if !isNew {
		return
	}
	var kv attrs
	kv.add("unit", strconv.Itoa(int(a.Unit)))
	kv.add("function_code", strconv.Itoa(int(a.Function)))
	if ok {
		kv.add("first_address", strconv.Itoa(int(first)))
		kv.add("quantity", strconv.Itoa(int(n)))
	}
	kv.flag("writes", modbus.Writes(a.Function))
	if a.Function == modbus.Diagnostics && len(a.Data) >= 2 {
		kv.add("sub_function", strconv.Itoa(int(binary.BigEndian.Uint16(a.Data))))
	}
	name := modbus.FunctionName(a.Function)
	c.Emit(&event.Event{Activity: request, Message: "Modbus " + name + " to unit " + strconv.Itoa(int(a.Unit)), Detail: &event.Application{Name: "modbus", Operation: name, Attributes: kv}})
}

func (s *modbusStream) response(c *analyze.Conn, a *modbus.ADU) {
	delete(s.waiting, modbusKey(a))
	if i := slices.Index(s.order, modbusKey(a)); i >= 0 {
		s.order = slices.Delete(s.order, i, i+1)
	}
	if a.IsException {
		s.failures++
		k, isNew := s.kind(a.Unit, a.Function, a.Exception)
		if k == nil {
			return
		}
		k.count++
		if isNew {
			var kv attrs
			kv.add("unit", strconv.Itoa(int(a.Unit)))
			kv.add("function_code", strconv.Itoa(int(a.Function)))
			name := modbus.FunctionName(a.Function)
			c.Emit(&event.Event{Activity: response, Status: event.StatusFailure, StatusCode: strconv.Itoa(int(a.Exception)), StatusDetail: modbus.ExceptionName(a.Exception),
				Message: "Modbus " + name + " refused: " + modbus.ExceptionName(a.Exception), Detail: &event.Application{Name: "modbus", Operation: name, Attributes: kv}})
		}
		return
	}
	if a.Function != modbus.EncapsulatedInterface {
		return
	}
	id, err := modbus.ParseIdentification(*a)
	if err != nil {
		return
	}
	const src = "modbus.device-identification."
	for _, e := range []struct {
		attr        device.Attribute
		value, name string
	}{
		{device.AttrVendor, id.Vendor, "vendor-name"}, {device.AttrFirmware, id.Revision, "major-minor-revision"}, {device.AttrModel, id.Model, "model-name"},
	} {
		c.Evidence(analyze.Server, e.attr, e.value, src+e.name, device.Structured)
	}
	if id.Model == "" {
		product := id.ProductName
		if product == "" {
			product = id.ProductCode
		}
		c.Evidence(analyze.Server, device.AttrModel, product, src+"product-code", device.Claimed)
	}
	k, isNew := s.kind(a.Unit, a.Function, 255)
	if k == nil || !isNew {
		return
	}
	var kv attrs
	kv.add("unit", strconv.Itoa(int(a.Unit)))
	kv.add("vendor", id.Vendor)
	kv.add("product_code", id.ProductCode)
	kv.add("revision", id.Revision)
	kv.add("product_name", id.ProductName)
	kv.add("model", id.Model)
	c.Emit(&event.Event{Activity: response, Status: event.StatusSuccess, Message: "Modbus device identified itself", Detail: &event.Application{Name: "modbus", Operation: "device_identification", Attributes: kv}})
}

// kind finds or adds what is counted for a function; nil beyond the bound.
func (s *modbusStream) kind(unit, function, exception uint8) (*modbusKind, bool) {
	for i := range s.kinds {
		if k := &s.kinds[i]; k.unit == unit && k.function == function && k.exception == exception {
			return k, false
		}
	}
	if len(s.kinds) >= maxModbusKinds {
		return nil, false
	}
	s.kinds = append(s.kinds, modbusKind{unit: unit, function: function, exception: exception})
	return &s.kinds[len(s.kinds)-1], true
}

// Gap gives up: the header has no mark by which to find the next one.
func (s *modbusStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *modbusStream) Close(c *analyze.Conn, _ analyze.End) {
	if s.requests+s.failures == 0 {
		return
	}
	var kv attrs
	kv.count("requests", s.requests)
	kv.count("writes", s.writes)
	kv.count("exceptions", s.failures)
	for _, k := range s.kinds {
		if k.exception != 0 {
			continue
		}
		v := "unit " + strconv.Itoa(int(k.unit)) + " " + modbus.FunctionName(k.function) + " " + strconv.FormatUint(k.count, 10)
		if k.ranged {
			v += " at " + strconv.Itoa(int(k.low)) + "-" + strconv.Itoa(int(k.high))
		}
		kv.add("function", v)
	}
	c.Emit(&event.Event{Activity: session, Message: "Modbus connection: " + plural(s.requests, "request") + ", " + plural(s.writes, "write") + ", " + plural(s.failures, "exception"),
		Detail: &event.Application{Name: "modbus", Operation: "SESSION", Attributes: kv}})
}

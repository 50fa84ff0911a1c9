// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"math"
	"reflect"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Decoder decodes events. It remembers short texts that come again and again, such as
// names of protocols, AE titles and addresses of services: the events that it
// gives share one copy of each. The zero value is ready. It is used by one
// goroutine at a time.
type Decoder struct{ texts *texts }

// Decode gives back an encoded event. What it returns shares no memory with
// data. It is an UnknownClassError when a newer version wrote a class that this
// one does not know. What it allocates is bounded by the size of data, which is
// at most MaxSize, and not by lengths that stand in it.
//
// It reads what Encode writes, whatever the order of the keys, and passes over
// keys that it does not know: a later version wrote them. Anything else that CBOR
// can say, such as null, a number of another type, a key twice, a tag or an
// indefinite length, is an error: no version writes it.
func (d *Decoder) Decode(data []byte) (*event.Event, error) {
	if d.texts == nil {
		d.texts = new(texts)
	}
	return decode(data, d.texts)
}

// Decode decodes one event, see Decoder. Who decodes many uses that, which
// allocates less.
func Decode(data []byte) (*event.Event, error) { return decode(data, nil) }

func decode(data []byte, t *texts) (*event.Event, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("decode event: %w: %d bytes, at most %d", ErrTooLarge, len(data), MaxSize)
	}
	r := reader{b: data, texts: t}
	e, err := r.event()
	if err == nil && len(r.b) > 0 {
		err = fmt.Errorf("%w: %d bytes follow it", errMalformed, len(r.b))
	}
	if err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

// The keys of an event, a flow and an endpoint, in the order of Encode. They are
// part of the format: they are never renamed, and a key that is given up is never
// used again. Details have the names of their fields as keys, or those of their
// JSON tags where they have them.
var (
	eventKeys = makeKeys("class", "kind", "uid", "time", "activity", "severity", "status", "status_code",
		"status_detail", "protocol", "message", "flow", "encrypted", "detail")
	flowKeys     = makeKeys("id", "proto", "src", "dst", "vlans", "tunnel", "community_id", "guessed", "src_hops", "dst_hops")
	endpointKeys = makeKeys("mac", "ip", "port")
)

// Places in eventKeys.
const (
	keyClass = iota
	keyKind
	keyUID
	keyTime
	keyActivity
	keySeverity
	keyStatus
	keyStatusCode
	keyStatusDetail
	keyProtocol
	keyMessage
	keyFlow
	keyEncrypted
	keyDetail
)

func (r *reader) event() (*event.Event, error) {
	e := &event.Event{}
	var class event.Class
	var kind string
	var early []byte // a detail that came before what decides on its type
	had := seen{}
	n, err := r.open(majorMap)
	for ; n > 0 && err == nil; n-- {
		var key int
		if key, err = r.key(eventKeys, &had); err != nil {
			break
		}
		switch key {
		case keyClass:
			class, err = number[event.Class](r, math.MaxUint32)
		case keyKind:
			kind, err = r.text()
		case keyUID:
			e.UID, err = r.fresh()
		case keyTime:
			e.Time, err = r.integer(math.MinInt64, math.MaxInt64)
		case keyActivity:
			e.Activity, err = number[uint8](r, math.MaxUint8)
		case keySeverity:
			e.Severity, err = number[finding.Severity](r, math.MaxUint8)
		case keyStatus:
			e.Status, err = number[event.Status](r, math.MaxUint8)
		case keyStatusCode:
			e.StatusCode, err = r.text()
		case keyStatusDetail:
			e.StatusDetail, err = r.text()
		case keyProtocol:
			e.Protocol, err = r.text()
		case keyMessage:
			e.Message, err = r.fresh()
		case keyFlow:
			e.Flow = &event.Flow{}
			err = r.flow(e.Flow)
		case keyEncrypted:
			e.Encrypted, err = r.boolean()
		case keyDetail:
			if n > 1 {
				early, err = r.skipped()
				break
			}
			// Everything else is known: Encode writes the detail last.
			if e.Detail, err = newDetail(class, kind); err != nil {
				return nil, err
			}
			if e.Detail == nil {
				return e, r.skip()
			}
			return e, r.structure(reflect.ValueOf(e.Detail).Elem())
		default:
			err = r.skip()
		}
	}
	if err != nil {
		return nil, err
	}
	r.close()
	if e.Detail, err = newDetail(class, kind); err != nil || e.Detail == nil || early == nil {
		return e, err
	}
	d := reader{b: early, texts: r.texts, depth: 1}
	return e, d.structure(reflect.ValueOf(e.Detail).Elem())
}

func (r *reader) flow(f *event.Flow) error {
	had := seen{}
	n, err := r.open(majorMap)
	for ; n > 0 && err == nil; n-- {
		var key int
		if key, err = r.key(flowKeys, &had); err != nil {
			return err
		}
		switch key {
		case 0:
			f.ID, err = number[uint64](r, math.MaxUint64)
		case 1:
			f.Proto, err = number[uint8](r, math.MaxUint8)
		case 2:
			err = r.endpoint(&f.Src)
		case 3:
			err = r.endpoint(&f.Dst)
		case 4:
			f.VLANs, err = r.vlans()
		case 5:
			f.Tunnel, err = r.text()
		case 6:
			f.CommunityID, err = r.fresh()
		case 7:
			f.Guessed, err = r.boolean()
		case 8:
			f.SrcHops, err = number[uint8](r, math.MaxUint8)
		case 9:
			f.DstHops, err = number[uint8](r, math.MaxUint8)
		default:
			err = r.skip()
		}
	}
	r.close()
	return err
}

func (r *reader) endpoint(e *event.Endpoint) error {
	had := seen{}
	n, err := r.open(majorMap)
	for ; n > 0 && err == nil; n-- {
		var key int
		if key, err = r.key(endpointKeys, &had); err != nil {
			return err
		}
		switch key {
		case 0:
			err = r.mac(&e.MAC)
		case 1:
			err = r.addr(&e.IP)
		case 2:
			e.Port, err = number[uint16](r, math.MaxUint16)
		default:
			err = r.skip()
		}
	}
	r.close()
	return err
}

func (r *reader) vlans() ([]uint16, error) {
	n, err := r.open(majorArray)
	if err != nil {
		return nil, err
	}
	out := make([]uint16, n)
	for i := range out {
		if out[i], err = number[uint16](r, math.MaxUint16); err != nil {
			return nil, err
		}
	}
	r.close()
	return out, nil
}

// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"net/netip"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// What is computed from the scene and is there for every class.

func vText(name, doc string, fn func(s *scene.Scene) string) *field {
	return &field{name: name, kind: kText, doc: doc, node: func(*compiler) *node {
		return &node{kind: kText, s: func(s *scene.Scene, _ *frame) string { return fn(s) }}
	}}
}

func vInt(name, doc string, fn func(s *scene.Scene) int64) *field {
	return &field{name: name, kind: kInt, doc: doc, node: func(*compiler) *node {
		return &node{kind: kInt, i: func(s *scene.Scene, _ *frame) int64 { return fn(s) }}
	}}
}

func vBool(name, doc string, fn func(s *scene.Scene) bool) *field {
	return &field{name: name, kind: kBool, doc: doc, node: func(*compiler) *node {
		return &node{kind: kBool, b: func(s *scene.Scene, _ *frame) bool { return fn(s) }}
	}}
}

func vTexts(name, doc string, fn func(s *scene.Scene) []string) *field {
	return &field{name: name, kind: kTexts, doc: doc, node: func(*compiler) *node {
		return &node{kind: kTexts, ss: func(s *scene.Scene, _ *frame) []string { return fn(s) }}
	}}
}

// vAddr is a text that is an address: compared as one, made text only when
// somebody wants the text.
func vAddr(name, doc string, fn func(s *scene.Scene) netip.Addr) *field {
	return &field{name: name, kind: kText, doc: doc, node: func(*compiler) *node {
		return addrNode(func(s *scene.Scene, _ *frame) netip.Addr { return fn(s) })
	}}
}

func vMAC(name, doc string, fn func(s *scene.Scene) device.MAC) *field {
	return &field{name: name, kind: kText, doc: doc, node: func(*compiler) *node {
		return macNode(func(s *scene.Scene, _ *frame) device.MAC { return fn(s) })
	}}
}

func newObject(name, doc string, fields ...*field) *object {
	o := &object{name: name, doc: doc, fields: fields, byName: map[string]*field{}}
	for _, f := range fields {
		o.byName[f.name] = f
	}
	return o
}

var statusNames = [...]string{"unknown", "success", "failure"}

// surroundings are the variables that every expression has.
var surroundings = sync.OnceValue(func() []*field {
	obj := func(o *object) *field { return &field{name: o.name, kind: kObject, of: o, doc: o.doc} }
	return []*field{
		obj(newObject("event", "What was seen.",
			vText("kind", "Which detail it has: \"conn\", \"tls\", \"op\" ...; \"\" for none.", func(s *scene.Scene) string { return KindOf(s.Event.Detail) }),
			vText("class", "Name of its class: \"dicom_operation\".", func(s *scene.Scene) string { return s.Event.Class().Name() }),
			vText("protocol", "Protocol by content: \"dicom\", \"hl7\", \"tls\"; \"\" when not recognised.", func(s *scene.Scene) string { return s.Event.Protocol }),
			vText("activity", "Name of the activity of its class: \"C-STORE\", \"Open\".", func(s *scene.Scene) string { return s.Event.Class().ActivityCaption(s.Event.Activity) }),
			vText("status", "\"unknown\", \"success\" or \"failure\".", func(s *scene.Scene) string {
				if int(s.Event.Status) < len(statusNames) {
					return statusNames[s.Event.Status]
				}
				return statusNames[0]
			}),
			vText("status_code", "The protocol's own code, as its standard writes it: \"0xA700\", \"AE\", \"404\".", func(s *scene.Scene) string { return s.Event.StatusCode }),
			vText("status_detail", "The protocol's own words.", func(s *scene.Scene) string { return s.Event.StatusDetail }),
			vText("severity", "Of the event itself: \"info\", \"low\", \"medium\", \"high\", \"critical\".", func(s *scene.Scene) string { return s.Event.Severity.String() }),
			vInt("time", "When it was seen, ns since the Unix epoch, UTC.", func(s *scene.Scene) int64 { return s.Event.Time }),
			vBool("encrypted", "Seen inside or as part of TLS, DTLS or QUIC.", func(s *scene.Scene) bool { return s.Event.Encrypted }),
			vText("message", "One sentence that says what happened.", func(s *scene.Scene) string { return s.Event.Message }),
			vText("sensor", "Name of the sensor that saw it.", func(s *scene.Scene) string { return s.Sensor }),
			vText("uid", "Identifier of the event.", func(s *scene.Scene) string { return s.Event.UID }),
		)),
		obj(newObject("flow", "The conversation that it belongs to; zero in an event without one.",
			vInt("proto", "IP protocol number: 6 TCP, 17 UDP; 0 when not IP.", func(s *scene.Scene) int64 {
				if f := s.Event.Flow; f != nil {
					return int64(f.Proto)
				}
				return 0
			}),
			vText("transport", "\"tcp\", \"udp\", \"icmp\", \"\" for others.", func(s *scene.Scene) string { return transport(s.Event.Flow) }),
			vInt("vlan", "Innermost VLAN, 0 when untagged.", func(s *scene.Scene) int64 {
				if f := s.Event.Flow; f != nil && len(f.VLANs) > 0 {
					return int64(f.VLANs[len(f.VLANs)-1])
				}
				return 0
			}),
			&field{name: "vlans", kind: kInts, doc: "VLANs, outermost first.", node: func(*compiler) *node {
				return &node{kind: kInts, is: func(s *scene.Scene, _ *frame) ints {
					if f := s.Event.Flow; f != nil {
						return ints{small: f.VLANs}
					}
					return ints{}
				}}
			}},
			vText("tunnel", "Innermost encapsulation, \"vxlan:42\"; \"\" for none.", func(s *scene.Scene) string {
				if f := s.Event.Flow; f != nil {
					return f.Tunnel
				}
				return ""
			}),
			vBool("guessed", "The opening was not seen: who is src and dst comes from ports or content.", func(s *scene.Scene) bool { return s.Event.Flow != nil && s.Event.Flow.Guessed }),
			vText("community_id", "Community ID, version 1.", func(s *scene.Scene) string {
				if f := s.Event.Flow; f != nil {
					return f.CommunityID
				}
				return ""
			}),
			vInt("src_hops", "Routers between the sensor and src, about.", func(s *scene.Scene) int64 {
				if f := s.Event.Flow; f != nil {
					return int64(f.SrcHops)
				}
				return 0
			}),
			vInt("dst_hops", "Routers between the sensor and dst, about.", func(s *scene.Scene) int64 {
				if f := s.Event.Flow; f != nil {
					return int64(f.DstHops)
				}
				return 0
			}),
		)),
		obj(party("src", "Who asked: the initiator; of an event without conversation whom it is about.", func(s *scene.Scene) *scene.Party { return &s.Src })),
		obj(party("dst", "Who was asked.", func(s *scene.Scene) *scene.Party { return &s.Dst })),
		obj(newObject("policy", "What the policy says about the conversation.",
			vBool("known", "There is a policy and both ends have a zone.", func(s *scene.Scene) bool { return s.Policy().Known }),
			vBool("allowed", "A conduit, or the zone itself, allows it.", func(s *scene.Scene) bool { return s.Policy().Allowed }),
			vText("conduit", "The conduit that allows it.", func(s *scene.Scene) string { return s.Policy().Conduit }),
			vText("from_zone", "Zone of src, \"\" for none.", func(s *scene.Scene) string { return s.Policy().FromZone }),
			vText("to_zone", "Zone of dst, \"\" for none.", func(s *scene.Scene) string { return s.Policy().ToZone }),
			vBool("expired", "A conduit would allow it, but its time is over.", func(s *scene.Scene) bool { return s.Policy().Expired }),
			vBool("proposed", "The zones were proposed from what is seen; nobody confirmed them.", func(s *scene.Scene) bool { return s.Policy().Proposed }),
		)),
		vText("theatre", "ID of the theatre in which it happened, \"\" for none.", func(s *scene.Scene) string { return s.Theatre }),
		vBool("in_case", "A case is in progress in that theatre.", func(s *scene.Scene) bool { return s.Case == theatre.InCase }),
		vText("case_state", "\"idle\", \"in-case\" or \"maintenance\".", func(s *scene.Scene) string { return string(s.Case) }),
	}
})

func transport(f *event.Flow) string {
	if f == nil {
		return ""
	}
	switch f.Proto {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 1, 58:
		return "icmp"
	}
	return ""
}

func party(name, doc string, of func(s *scene.Scene) *scene.Party) *object {
	text := func(name, doc string, fn func(d *device.Device) string) *field {
		return vText(name, doc, func(s *scene.Scene) string {
			if d := of(s).Device; d != nil {
				return fn(d)
			}
			return ""
		})
	}
	texts := func(name, doc string, fn func(d *device.Device) []string) *field {
		return vTexts(name, doc, func(s *scene.Scene) []string {
			if d := of(s).Device; d != nil {
				return fn(d)
			}
			return nil
		})
	}
	return newObject(name, doc,
		vAddr("ip", "Address, \"\" for none.", func(s *scene.Scene) netip.Addr { return of(s).IP }),
		vMAC("mac", "Hardware address in colon form, \"\" for none.", func(s *scene.Scene) device.MAC { return of(s).MAC }),
		vInt("port", "Port, 0 for none.", func(s *scene.Scene) int64 { return int64(of(s).Port) }),
		vText("id", "ID of the device, \"\" when it is none of the inventory.", func(s *scene.Scene) string { return of(s).ID }),
		vBool("known", "It is a device of the inventory.", func(s *scene.Scene) bool { return of(s).Device != nil }),
		vBool("internal", "It is one of ours: a device, or an address in a zone of the policy or, without one, of a private range.", func(s *scene.Scene) bool { return of(s).Internal }),
		vText("guard", "Name of the guard, such as a DICOM gateway, that talks from this address; \"\" for none.", func(s *scene.Scene) string {
			if s.World == nil || s.Site() != "" {
				return ""
			}
			return s.World.GuardAt(of(s).IP)
		}),
		vText("guarded_by", "Name of the guard through which this address and port are to be reached; \"\" for none.", func(s *scene.Scene) string {
			if s.World == nil || s.Site() != "" {
				return ""
			}
			return s.World.GuardOf(of(s).IP, of(s).Port)
		}),
		text("name", "Name of the device.", func(d *device.Device) string { return d.Name }),
		text("class", "What it is for, as docs/devices.md lists: \"ct\", \"pacs\"; \"unknown\" for a device of unknown use.", func(d *device.Device) string { return string(d.Class) }),
		vBool("medical", "Its class takes part in care.", func(s *scene.Scene) bool {
			d := of(s).Device
			return d != nil && d.Class.Medical()
		}),
		text("vendor", "Manufacturer.", func(d *device.Device) string { return d.Vendor }),
		text("model", "Model.", func(d *device.Device) string { return d.Model }),
		text("serial", "Serial number.", func(d *device.Device) string { return d.Serial }),
		text("os", "Operating system.", func(d *device.Device) string { return d.OS }),
		text("firmware", "Software or firmware version.", func(d *device.Device) string { return d.Firmware }),
		text("theatre", "ID of the theatre in which it stands.", func(d *device.Device) string { return d.Theatre }),
		text("zone", "Zone that a person set.", func(d *device.Device) string { return d.Zone }),
		text("criticality", "\"low\", \"medium\", \"high\", \"life-supporting\"; \"\" when nobody set it.", func(d *device.Device) string { return string(d.Criticality) }),
		texts("services", "Services that it offers: \"dicom/tcp:104\".", func(d *device.Device) []string { return d.Services }),
		texts("uses", "Services that it uses: \"dicom\".", func(d *device.Device) []string { return d.Uses }),
		texts("ae_titles", "Its DICOM AE titles.", func(d *device.Device) []string { return d.AETitles }),
		vInt("first", "When it was first seen, ns since the Unix epoch, UTC.", func(s *scene.Scene) int64 {
			if d := of(s).Device; d != nil {
				return d.First
			}
			return 0
		}),
		vBool("randomised_mac", "All of its hardware addresses are locally administered.", func(s *scene.Scene) bool {
			d := of(s).Device
			return d != nil && d.Randomised
		}),
	)
}

// SPDX-License-Identifier: Apache-2.0

// Package record defines the form in which an event travels over the bus and is
// kept in the store: the few columns that are searched by, and the whole event,
// encoded.
//
// The encoding is CBOR (RFC 8949) with the names of the event's fields as keys.
// It is read by later versions of the program: an unknown field is passed over,
// a missing one is zero. Decode gives back what Encode was given, field by
// field; a test holds that for every event of every recorded capture.
package record

import (
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Record is one event with what it is found by. It is a value: whoever is
// given one may keep it and does not change it.
type Record struct {
	// Seq is the place of the event in the store: unique in one store, and
	// increasing in the order in which events were stored. 0 before that.
	Seq uint64

	Time     int64 // when it was seen, ns since the Unix epoch, UTC
	Class    event.Class
	Activity uint8
	Severity finding.Severity
	Status   event.Status
	Protocol string // "" for an event without one
	Sensor   string // name of the sensor that saw it, see SensorAt

	Src, Dst  netip.Addr // zero where the event has no IP conversation
	SrcDevice string     // IDs of the devices that had these addresses then, "" when they are none of the inventory
	DstDevice string
	Theatre   string // ID of the theatre of either device, "" for none; the source's when both have one
	Link      *Link  // only in events that end or sum up a flow
	Data      []byte // the whole event, see Encode
}

// SensorAt is the name under which events of a sensor are filed that was heard by way
// of another site: the site's name, a slash and the sensor's. This site's own sensors
// have theirs, in which no slash stands.
func SensorAt(site, sensor string) string {
	sensor = strings.ReplaceAll(sensor, "/", "-")
	if site == "" {
		return sensor
	}
	return site + "/" + sensor
}

// SiteOf is the site by way of which a sensor was heard, by the name under which its events
// are filed; "" for this site's own.
func SiteOf(sensor string) string {
	site, _, abroad := strings.Cut(sensor, "/")
	if !abroad {
		return ""
	}
	return site
}

// Link is what a finished flow, or a part of one, adds to what its two ends have
// said to each other.
type Link struct {
	Transport string // "tcp", "udp", or the IP protocol's number
	Port      uint16 // of the service
	Flows     uint64 // 1 at the end of a flow, 0 in a summary on the way
	Failed    uint64 // of the flows: not answered or refused
	BytesOut  uint64 // from the client, since the last report of this flow
	BytesIn   uint64
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"net/netip"

	"github.com/fxamacker/cbor/v2"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// received is an encoded event as a library of CBOR reads it.
type received struct {
	Class        event.Class      `cbor:"class"`
	Kind         string           `cbor:"kind"`
	UID          string           `cbor:"uid"`
	Time         int64            `cbor:"time"`
	Activity     uint8            `cbor:"activity"`
	Severity     finding.Severity `cbor:"severity"`
	Status       event.Status     `cbor:"status"`
	StatusCode   string           `cbor:"status_code"`
	StatusDetail string           `cbor:"status_detail"`
	Protocol     string           `cbor:"protocol"`
	Message      string           `cbor:"message"`
	Flow         *flow            `cbor:"flow"`
	Encrypted    bool             `cbor:"encrypted"`
	Detail       cbor.RawMessage  `cbor:"detail"` // for the second step, which the class and the kind decide on
}

type flow struct {
	ID          uint64   `cbor:"id"`
	Proto       uint8    `cbor:"proto"`
	Src         endpoint `cbor:"src"`
	Dst         endpoint `cbor:"dst"`
	VLANs       []uint16 `cbor:"vlans"`
	Tunnel      string   `cbor:"tunnel"`
	CommunityID string   `cbor:"community_id"`
	Guessed     bool     `cbor:"guessed"`
	SrcHops     uint8    `cbor:"src_hops"`
	DstHops     uint8    `cbor:"dst_hops"`
}

type endpoint struct {
	MAC  device.MAC `cbor:"mac"`
	IP   netip.Addr `cbor:"ip"`
	Port uint16     `cbor:"port"`
}

var library = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  MaxItems,
		MaxMapPairs:       MaxItems,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8DecodeInvalid, // what was on the wire is not always UTF-8
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// DecodeWithLibrary is Decode as others wrote it.
func DecodeWithLibrary(data []byte) (*event.Event, error) {
	if len(data) > MaxSize {
		return nil, ErrTooLarge
	}
	var in received
	if err := library.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	e := &event.Event{UID: in.UID, Time: in.Time, Activity: in.Activity, Severity: in.Severity, Status: in.Status, StatusCode: in.StatusCode,
		StatusDetail: in.StatusDetail, Protocol: in.Protocol, Message: in.Message, Encrypted: in.Encrypted}
	if f := in.Flow; f != nil {
		e.Flow = &event.Flow{ID: f.ID, Proto: f.Proto, Src: event.Endpoint(f.Src), Dst: event.Endpoint(f.Dst), VLANs: f.VLANs, Tunnel: f.Tunnel,
			CommunityID: f.CommunityID, Guessed: f.Guessed, SrcHops: f.SrcHops, DstHops: f.DstHops}
	}
	d, err := newDetail(in.Class, in.Kind)
	if err != nil || d == nil {
		return e, err
	}
	if len(in.Detail) > 0 {
		if err := library.Unmarshal(in.Detail, d); err != nil {
			return nil, err
		}
	}
	e.Detail = d
	return e, nil
}

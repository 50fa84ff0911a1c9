// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"slices"
	"time"
)

// Producer says who emits events, and fills what OCSF wants to know about it.
// The zero Producer is valid.
type Producer struct {
	Product  string // metadata.product.name; "Asepsis" when empty
	Vendor   string // metadata.product.vendor_name; "Asepsis" when empty
	Version  string // metadata.product.version
	Sensor   string // name of the sensor: network_observation_point.name
	LogName  string // metadata.log_name; "asepsis" when empty
	TenantID string // metadata.tenant_uid, for example the hospital

	// Internal reports whether an address belongs to the site; directions and
	// boundaries are derived from it. When nil, private (RFC 1918, RFC 4193),
	// link-local, loopback and multicast addresses do.
	Internal func(netip.Addr) bool

	// OmitObservables leaves out the observables array, which repeats values
	// that are elsewhere in the event.
	OmitObservables bool
}

func (p *Producer) internal(a netip.Addr) bool {
	if p.Internal != nil {
		return p.Internal(a)
	}
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsMulticast()
}

// MarshalJSON encodes the event as OCSF with the zero Producer.
func (e *Event) MarshalJSON() ([]byte, error) { return e.AppendOCSF(nil, Producer{}) }

// AppendOCSF appends the event as one OCSF 1.8.0 JSON object, without a
// newline, and returns the extended slice. The order of the attributes is
// fixed. Strings are made valid UTF-8; nothing is truncated.
//
// What OCSF has no attribute for is in "unmapped", under the names that
// docs/events.md lists. An activity that the class does not know is written as
// 99 (Other), with the number in unmapped.activity_id.
//
// Apart from growing dst it allocates little: nothing per attribute.
// AppendOCSF does not change the event and may be called concurrently.
// The error is always nil for the Detail types of this package.
func (e *Event) AppendOCSF(dst []byte, p Producer) ([]byte, error) {
	t := tableOf(e.Class())
	if t == nil {
		return dst, UnknownClassError(e.Class())
	}
	w := writer{b: dst}
	w.open()
	unknownActivity := w.activity(t, e)
	w.num("time", e.Time/int64(time.Millisecond))
	w.caption("severity_id", int(e.Severity), "severity", captionSeverity(int(e.Severity)))
	if e.Status != StatusUnknown {
		w.caption("status_id", int(e.Status), "status", captionStatus(int(e.Status)))
	}
	w.str("status_code", e.StatusCode)
	w.str("status_detail", e.StatusDetail)
	w.str("message", e.Message)
	w.metadata(e, t, &p)
	if t.network || e.Flow != nil && t.uid == ClassDeviceEvidence {
		w.flow(e, t, &p)
	}
	w.detail(e)
	if !p.OmitObservables {
		w.observables(e, t)
	}
	w.unmapped(e, t, unknownActivity)
	w.close()
	return w.b, nil
}

// UnknownClassError is returned for a Detail whose class is not in the tables.
type UnknownClassError Class

// Error implements error.
func (c UnknownClassError) Error() string {
	return "event class " + string(appendInt(nil, int64(c))) + " has no OCSF encoding"
}

// classTable is what the schema says about a class; ocsf_tables.go holds them.
type classTable struct {
	uid          Class
	name         string
	caption      string
	category     int
	categoryName string
	network      bool // inherits from the network class: endpoints, connection, traffic
	extension    bool
	activities   []activityTable
}

type activityTable struct {
	id      uint8
	caption string
	head    string // the classification attributes, encoded
}

// tableOf returns the table of a class, nil when there is none.
func tableOf(c Class) *classTable {
	i, ok := slices.BinarySearchFunc(classTables[:], c, func(t classTable, c Class) int { return int(int64(t.uid) - int64(c)) })
	if !ok {
		return nil
	}
	return &classTables[i]
}

const activityOther = 99

// activity writes the classification attributes. It reports whether the
// event's activity is one that the class does not know.
func (w *writer) activity(t *classTable, e *Event) (unknown bool) {
	if e.Activity != activityOther {
		for i := range t.activities {
			if t.activities[i].id == e.Activity {
				w.b = append(w.b, t.activities[i].head...)
				return false
			}
		}
	}
	w.num("activity_id", activityOther)
	w.str("activity_name", otherActivity(e))
	w.num("category_uid", int64(t.category))
	w.str("category_name", t.categoryName)
	w.num("class_uid", int64(t.uid))
	w.str("class_name", t.caption)
	w.num("type_uid", int64(t.uid)*100+activityOther)
	w.key("type_name")
	w.b = append(w.b, '"')
	w.b = append(w.b, t.caption...)
	w.b = append(w.b, `: Other"`...)
	return e.Activity != activityOther
}

// otherActivity is the source's own name of an activity that OCSF calls Other.
func otherActivity(e *Event) string {
	name := ""
	switch d := e.Detail.(type) {
	case *HTTP:
		name = d.Method
	case *SMB:
		name = d.Command
	case *FTP:
		name = d.Command
	case *MedicalDevice:
		name = d.Message
	case *Application:
		name = d.Operation
	case *DHCP:
		name = d.Type
	}
	if name == "" {
		return "Other"
	}
	return name
}

func (w *writer) metadata(e *Event, t *classTable, p *Producer) {
	w.key("metadata")
	w.open()
	w.str("version", SchemaVersion)
	w.key("product")
	w.open()
	w.str("name", or(p.Product, "Asepsis"))
	w.str("vendor_name", or(p.Vendor, "Asepsis"))
	w.str("version", p.Version)
	w.close()
	if t.extension {
		w.b = append(w.b, `,"extensions":[{"name":"`+ExtensionName+`","uid":"`...)
		w.b = appendInt(w.b, ExtensionUID)
		w.b = append(w.b, `","version":"`+ExtensionVersion+`"}]`...)
	}
	w.str("uid", e.UID)
	w.str("log_name", or(p.LogName, "asepsis"))
	w.str("tenant_uid", p.TenantID)
	w.key("original_time") // to the nanosecond, which time is not
	w.b = append(w.b, '"')
	w.b = time.Unix(0, e.Time).UTC().AppendFormat(w.b, "2006-01-02T15:04:05.000000000Z")
	w.b = append(w.b, '"')
	w.close()
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

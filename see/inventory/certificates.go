// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// formerAfter is how long a certificate may stay unseen, while its service shows
// another, before it counts as replaced: several servers behind one address do not
// change theirs at the same moment, and names of one server may have one each.
const formerAfter = 24 * time.Hour

// maxCertificates is how many a device shows.
const maxCertificates = 64

// certificates puts what a device presents into its record: of each service what
// it shows now, without what that replaced, the first to expire first. It is not
// part of a judgement because it depends on when each was last seen.
func certificates(d *device.Device) {
	var all []device.Certificate
	for k := range d.Evidence {
		e := &d.Evidence[k]
		if e.Attribute != device.AttrCertificate {
			continue
		}
		c, err := device.ParseCertificate(e.Value)
		if err != nil {
			continue // by another version of the sensor
		}
		c.Source, c.Confidence, c.First, c.Last = e.Source, e.Confidence, e.First, e.Last
		same := slices.IndexFunc(all, func(o device.Certificate) bool { return o.Service == c.Service && o.SHA256 == c.SHA256 })
		if same < 0 {
			all = append(all, c)
			continue
		}
		// The same at several addresses of the device; the evidence comes best first.
		o := &all[same]
		o.First, o.Last = min(o.First, c.First), max(o.Last, c.Last)
	}
	for _, c := range all {
		if !slices.ContainsFunc(all, func(o device.Certificate) bool { return replaces(&o, &c) }) {
			d.Certs = append(d.Certs, c)
		}
	}
	if len(d.Certs) == 0 {
		return
	}
	slices.SortFunc(d.Certs, func(a, b device.Certificate) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.Service, b.Service), cmp.Compare(a.SHA256, b.SHA256))
	})
	d.Certs = slices.Clip(d.Certs[:min(len(d.Certs), maxCertificates)])
	first := &d.Certs[0]
	f := device.Fact{Value: first.String(), Confidence: first.Confidence}
	for _, c := range d.Certs {
		if c.SHA256 == first.SHA256 && !slices.Contains(f.Sources, c.Source) {
			f.Sources = append(f.Sources, c.Source)
		}
	}
	d.Facts[device.AttrCertificate] = f
}

// replaces reports that a service shows o and not c any more.
func replaces(o, c *device.Certificate) bool {
	return o.Service == c.Service && o.Last > c.Last && (o.First > c.Last || o.Last-c.Last > int64(formerAfter))
}

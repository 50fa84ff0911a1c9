// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// WriteJSON writes devices as a JSON array, indented, one device after the
// other.
func WriteJSON(w io.Writer, ds []device.Device) error {
	if ds == nil {
		ds = []device.Device{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(ds)
}

// csvColumns are the columns of WriteCSV. New ones are only ever added at the
// end.
var csvColumns = []string{"id", "class", "confidence", "name", "vendor", "vendor_stated", "model", "serial", "firmware", "os", "udi", "macs", "ips", "vlans", "ae_titles",
	"services", "uses", "zone", "theatre", "criticality", "via", "first_seen", "last_seen", "why", "conflicts", "notes", "certificate_expires"}

// WriteCSV writes one line per device (RFC 4180). Lists are joined with "; ".
// Times are RFC 3339 in UTC. A field that a spreadsheet would take for a
// formula gets an apostrophe in front: names come from the network.
func WriteCSV(w io.Writer, ds []device.Device) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for k := range ds {
		d := &ds[k]
		macs, ips := addressesOf(d)
		var vlans, conflicts, notes []string
		for _, x := range d.Interfaces {
			for _, v := range x.VLANs {
				vlans = append(vlans, strconv.Itoa(int(v)))
			}
		}
		for _, c := range d.Conflicts {
			conflicts = append(conflicts, string(c.Attribute)+": "+c.Why+" ("+strings.Join(c.Values, ", ")+")")
		}
		for _, n := range d.Notes {
			notes = append(notes, n.Text)
		}
		join := func(s []string) string { return strings.Join(s, "; ") }
		expires := ""
		if len(d.Certs) > 0 {
			expires = d.Certs[0].NotAfter.UTC().Format(time.RFC3339)
		}
		row := []string{d.ID, string(d.Class), strconv.Itoa(int(d.Confidence)), d.Name, d.Vendor, d.Facts[device.AttrVendor].Stated, d.Model, d.Serial, d.Firmware, d.OS, d.UDI,
			join(macs), join(ips), join(uniq(vlans)), join(d.AETitles), join(d.Services), join(d.Uses), d.Zone, d.Theatre, string(d.Criticality), d.Via,
			stamp(d.First), stamp(d.Last), d.ClassWhy, join(conflicts), join(notes), expires}
		for c := range row {
			row[c] = unformula(row[c])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// unformula disarms text that spreadsheets evaluate.
func unformula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func stamp(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339)
}

func addressesOf(d *device.Device) (macs, ips []string) {
	for _, x := range d.Interfaces {
		if !x.MAC.IsZero() {
			macs = append(macs, x.MAC.String())
		}
		for _, ip := range x.IPs {
			ips = append(ips, ip.String())
		}
	}
	return macs, uniq(ips)
}

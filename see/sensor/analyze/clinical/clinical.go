// SPDX-License-Identifier: Apache-2.0

// Package clinical holds the analysers of the protocols in which clinical
// devices and information systems talk: HL7 v2 over MLLP or bare TCP, LIS2-A2
// (ASTM E1394 over E1381), POCT1-A2, IEEE 11073 SDC (WS-Discovery and, over
// HTTP, DPWS and BICEPS), FHIR and DICOMweb over HTTP.
//
// # What is emitted
//
// HL7Message, MedicalDevice and Rest events, see core/event, and evidence about
// the devices: the ends of the flow, and devices that a message names. A device
// named by a message is the sender or stands behind it. As long as a flow names
// one device, what is said of it counts as said of the sender; from the second
// on the sender is an interface engine or gateway, and what its messages name
// is no longer taken for the sender's own.
//
// # Patients
//
// Identifiers of patients, visits, orders, specimens and staff pass through
// Conn.Pseudonym; names, birth dates, addresses, results and free text are
// never read into an event. Query values are not emitted, only which keys were
// used.
//
// # Memory per flow
//
// At most two message heads of 1 MiB (HL7), two messages of 256 KiB (LIS2-A2,
// POCT1-A) while a message is incomplete, and 32 messages that wait for their
// acknowledgement in each direction.
package clinical

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// Protocols returns the family's analysers.
func Protocols() []analyze.Protocol {
	return []analyze.Protocol{HL7(), LIS2(), POCT1A(), Discovery()}
}

// Interpreters returns what understands HTTP exchanges, in the order in which
// they should be asked.
func Interpreters() []analyze.Interpreter {
	return []analyze.Interpreter{SDC, DICOMweb, FHIR}
}

// maxList bounds the lists of an event.
const maxList = 64

// short is for identifiers: control IDs, codes.
const short = 64

func addOnce(list []string, v string, limit int) []string {
	if v == "" || len(list) >= limit {
		return list
	}
	for _, s := range list {
		if s == v {
			return list
		}
	}
	return append(list, v)
}

// patientRef makes the pseudonym of a patient identifier with the authority
// that assigned it, as HL7 writes it (CX) and in one form for all protocols:
// "id" or "id^^^authority".
func patientRef(c *analyze.Conn, id, authority string) string {
	id, authority = strings.TrimSpace(id), strings.TrimSpace(authority)
	if id == "" {
		return ""
	}
	if authority != "" {
		id += "^^^" + authority
	}
	return c.Pseudonym(pseudonym.PatientID, id)
}

// eui64 normalises an EUI-64 to sixteen upper-case digits, "" when v is none.
func eui64(v string) string {
	var out [16]byte
	n := 0
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '-' || c == ':' || c == '.' || c == ' ':
			continue
		case c >= 'a' && c <= 'f':
			c -= 'a' - 'A'
		case c >= '0' && c <= '9' || c >= 'A' && c <= 'F':
		default:
			return ""
		}
		if n == len(out) {
			return ""
		}
		out[n] = c
		n++
	}
	if n < len(out) {
		return ""
	}
	return string(out[:])
}

// evidence gives several attributes of one side from one source.
func evidence(c *analyze.Conn, s analyze.Side, conf device.Confidence, pairs ...string) {
	for i := 0; i+2 < len(pairs); i += 3 {
		c.Evidence(s, device.Attribute(pairs[i]), pairs[i+1], pairs[i+2], conf)
	}
}

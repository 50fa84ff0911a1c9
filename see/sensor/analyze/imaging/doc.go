// SPDX-License-Identifier: Apache-2.0

// Package imaging analyses DICOM over TCP: the upper layer of PS3.8, the message
// service of PS3.7, and as much of the data sets of PS3.5 as tells what was moved
// and by which device.
//
// # What is emitted
//
// One DICOMAssociation event when an association is accepted or rejected, with
// everything that was negotiated; one when it ends, with totals; a request alone
// when no answer was seen. One DICOMOperation event for each operation, with its
// responses joined to it. Patient IDs and accession numbers are pseudonyms; of a
// query only the names of its keys are told, never a value, except the query level.
//
// # What deserves a look
//
// An operation names it in Suspicious, and judges nothing:
//   - encapsulated-pdf, -cda ...: a document of that kind; document-type-mismatch: it
//     begins as something else;
//   - executable-elf, -pe, -macho, script-shebang, java-class, zip-archive, 7z-archive,
//     rar-archive, ole-document, pdf-document: what a binary value begins with; with
//     -in-pixel-data behind it where the pixels should be;
//   - markup-in-text, template-expansion-in-text, shell-metacharacters-in-ae-title;
//   - sop-class-mismatch, sop-instance-mismatch: command and object name two;
//     invalid-uid; file-meta-in-data-set;
//   - unrestricted-query: a C-FIND for all patients or all studies.
//
// # Bulk data
//
// Pixel data is passed over, not presented: within a value of a data set, the
// analyser skips to the last byte of the presentation data value. A hole in what
// is skipped goes unnoticed. A hole elsewhere loses the details of one data set; when it
// swallows a PDU header, the next plausible header is looked for (PS3.8 §9.3.5: a
// P-DATA-TF whose first PDV fills it, or begins a command set).
//
// # Limits of memory, per association
//
// At most MaxOutstanding operations wait for their responses, with MaxKeys query
// keys each; four data sets of each direction are read at the same time, about
// 4 KB each, and 75 KB when deflated. Association PDUs are collected up to 64 KiB
// while they arrive.
//
// # Not seen
//
// DICOM inside TLS. The values of C-FIND results. Attributes that name persons.
package imaging

import (
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Bounds per association.
const (
	MaxOutstanding = 256
	MaxKeys        = 64
	maxSuspicious  = 8
	maxHunt        = 64 << 20 // bytes searched for a PDU header before giving up
)

// maxPending is what may stay unconsumed: while looking for a PDU header, a
// header that is not whole yet.
const maxPending = 1 << 10

// Protocols returns the analysers of this family.
func Protocols() []analyze.Protocol {
	return []analyze.Protocol{{
		Name:       "dicom",
		Rank:       10,
		MaxPending: maxPending,
		Probe:      probe,
		NewStream: func(c *analyze.Conn) analyze.Stream {
			pool := analyze.Scratch[analyze.Pool[stream]](c.Memo(), analyze.ScratchDICOM)
			s := pool.Take()
			s.pool = pool
			buffers := analyze.Scratch[ul.Buffers](c.Memo(), analyze.ScratchAssociate)
			s.halves[0].scan.Buffers, s.halves[1].scan.Buffers = buffers, buffers
			return s
		},
	}}
}

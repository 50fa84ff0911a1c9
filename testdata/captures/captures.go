// SPDX-License-Identifier: Apache-2.0

// Package captures embeds the recorded morning of a theatre and two incidents, for the
// demo that the program carries with it. README.md says how they were recorded.
package captures

import _ "embed"

// Theatre is theatre.pcapng: a morning of theatre 3 of a hospital that does not
// exist, in a minute.
//
//go:embed theatre.pcapng
var Theatre []byte

// OrderByPump is hl7-misuse/order-by-pump.pcap: an infusion pump that sends an order.
//
//go:embed hl7-misuse/order-by-pump.pcap
var OrderByPump []byte

// ProgramInPixels is dicom-misuse/program-in-pixels.pcap: the beginning of a program
// where an image should be. It cannot run.
//
//go:embed dicom-misuse/program-in-pixels.pcap
var ProgramInPixels []byte

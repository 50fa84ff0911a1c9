// SPDX-License-Identifier: Apache-2.0

// Package dimse reads and writes the command sets of the DICOM message service
// elements (PS3.7 §6.3, §9.3, §10.3, annex E) and puts messages together from
// presentation data values.
//
// # Limits
//
// A command set may have MaxCommand bytes; real ones have a few hundred. Lists in
// it keep MaxList tags. Assembler follows MaxOpen messages of one direction at the
// same time, each on its own presentation context. Data sets are not collected:
// their bytes belong to who asked for them.
//
// # Not done
//
// Which service may be asked for under which SOP class (PS3.4) is not checked.
// Retired elements of ACR-NEMA are skipped.
package dimse

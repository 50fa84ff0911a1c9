// SPDX-License-Identifier: Apache-2.0

// Package sdc reads the messages of IEEE 11073 service-oriented device
// connectivity: WS-Discovery (OASIS 1.1 and the draft of April 2005), the
// metadata of DPWS 1.1, MDPWS (IEEE 11073-20702) and the messages of the BICEPS
// message model (IEEE 11073-10207) in the binding of IEEE 11073-20701, all in
// SOAP envelopes.
//
// Discovery and DPWS are used by printers and Windows as well ("WSD"):
// Envelope.IsSDC and Match.IsSDC tell a medical device by the type
// mdpws:MedicalDevice, by an sdc.* scope, or by a namespace of the participant
// or message model.
//
// # Limits
//
// Those of package xmltok, MaxMatches matches, MaxList entries in any other
// list, MaxText bytes a value; beyond, Truncated is set.
//
// # What is not done
//
// EXI and MTOM are not read. Metric values, alert texts and waveforms are
// counted, not read. The identity of a patient in a context is returned as it
// is: callers replace it before use.
package sdc

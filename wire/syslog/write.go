// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"strconv"
	"time"
)

// Facilities and severities that audit messages use (RFC 5424 §6.2.1).
const (
	FacilityAuthPriv = 10

	SeverityCritical = 2
	SeverityError    = 3
	SeverityWarning  = 4
	SeverityNotice   = 5
)

// Header is the header of a message of RFC 5424 that is to be written. Empty fields
// become the nil value.
type Header struct {
	Facility, Severity uint8
	At                 time.Time
	Host               string
	App                string
	Process            string
	MessageID          string
}

// AppendHeader appends the header of RFC 5424 §6.2 and an empty structured data part. What a field
// cannot hold becomes an underscore, and what is too long is cut.
func AppendHeader(dst []byte, h *Header) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendUint(dst, uint64(h.Facility&31)<<3|uint64(h.Severity&7), 10)
	dst = append(dst, ">1 "...)
	if h.At.IsZero() {
		dst = append(dst, '-')
	} else {
		dst = h.At.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	}
	for i, f := range [...]string{h.Host, h.App, h.Process, h.MessageID} {
		dst = append(dst, ' ')
		if f == "" {
			dst = append(dst, '-')
			continue
		}
		for _, c := range []byte(f[:min(len(f), [...]int{255, 48, 128, 32}[i])]) {
			if c <= ' ' || c > '~' {
				c = '_'
			}
			dst = append(dst, c)
		}
	}
	return append(dst, " -"...)
}

// AppendText appends a text in UTF-8, which RFC 5424 §6.4 wants a byte order mark before.
func AppendText(dst, text []byte) []byte {
	return append(append(dst, " \xef\xbb\xbf"...), text...)
}

// AppendFrame appends a message with its octet count (RFC 5425 §4.3, RFC 6587 §3.4.1).
func AppendFrame(dst, message []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(message)), 10)
	return append(append(dst, ' '), message...)
}

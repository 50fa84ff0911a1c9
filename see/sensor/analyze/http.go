// SPDX-License-Identifier: Apache-2.0

package analyze

import "github.com/asepsis/asepsis/wire/http1"

// MaxExchangeBody is how much of each body an Exchange carries.
const MaxExchangeBody = 64 << 10

// Header is one HTTP header field as sent. Name is lower-case.
type Header = http1.Field

// Exchange is one HTTP/1 request with its response, as the HTTP analyser saw
// it. Either side may be missing in a one-sided capture: then Method is "" or
// Status is 0. It may hold patient identifiers; it never leaves the analysers.
type Exchange struct {
	Time           int64 // of the request (or of the response, when that is all there is)
	ResponseTime   int64
	Method, Target string // Target as sent: path with query, or absolute form
	Host           string
	Request        []Header
	RequestBody    []byte // first MaxExchangeBody bytes, transfer coding removed, content coding as sent
	RequestLength  int64  // body bytes on the wire
	Status         int
	Response       []Header
	ResponseBody   []byte
	ResponseLength int64
}

// Get returns the first value of a header field, name in lower case.
func Get(h []Header, name string) string {
	for _, f := range h {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Interpreter recognises an application that runs over HTTP (FHIR, DICOMweb,
// SDC, UPnP) in an exchange and emits its events. It returns the application's
// name, for example "fhir", or "" when the exchange is none of its own.
type Interpreter func(c *Conn, x *Exchange) string

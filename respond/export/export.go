// SPDX-License-Identifier: Apache-2.0

// Package export writes events in the forms that other programs read: OCSF as
// one JSON object a line, of the current schema or an older one, and logs in
// Zeek's tab-separated format.
//
// A sink is told of events by one goroutine at a time. Errors of writing are
// kept and returned by Close: an exporter never stops the analysis.
package export

import "github.com/asepsis/asepsis/core/event"

// Sink takes events and is closed after the last.
type Sink interface {
	Emit(e *event.Event)
	// Close flushes and returns the first error of writing, if any.
	Close() error
}

var (
	_ Sink = (*OCSF)(nil)
	_ Sink = (*Zeek)(nil)
)

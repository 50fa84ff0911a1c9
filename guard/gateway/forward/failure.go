// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// class is what a failure means.
type class uint8

const (
	// unreachable: the destination as a whole does not take anything now. Instances lose no attempt.
	unreachable class = iota
	// interrupted: it ended while the instance was being sent. Whether it was taken is not known.
	interrupted
	// transient: this instance was not taken, and may be later.
	transient
	// permanent: this instance will not be taken as it is.
	permanent
)

// failure is why an instance was not delivered.
type failure struct {
	class  class
	err    error
	status string // what the destination answered, "" when it did not
	hint   string
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

// Hint says what to do.
func (e *failure) Hint() string { return e.hint }

func hintOf(err error) string {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if h, ok := e.(interface{ Hint() string }); ok && h.Hint() != "" { //nolint:errorlint // each of the chain is asked
			return h.Hint()
		}
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

var errNoProfiles = errors.New("a de-identification profile is named, and none are configured")

// refused makes a failure of a status (PS3.7 annex C, PS3.4 §B.2.3).
func refused(s dimse.Status, err error) *failure {
	f := &failure{class: permanent, err: err, status: s.String()}
	switch {
	case s>>8 == 0xA7: // out of resources: nothing else would be taken either
		f.class, f.hint = unreachable, "make room at the destination, or find out what it has run out of"
	case s == 0x0213: // resource limitation
		f.class = unreachable
	case s == 0x0110: // processing failure
		f.class, f.hint = transient, "the destination's own log says why"
	case s>>12 == 0xC: // cannot understand: some say it of what they cannot store just now
		f.class, f.hint = transient, "the destination's own log says what it does not understand"
	case s == 0x0124: // not authorised
		f.hint = "the destination must let the gateway store"
	case s>>8 == 0xA9:
		f.hint = "the destination says that the data set does not match its SOP class; look at the instance"
	}
	return f
}

// warned says what a warning is about, for the record.
func warned(s dimse.Status) string {
	return fmt.Sprintf("taken with warning %v: %s", s, s.Name(dimse.CStoreRQ))
}

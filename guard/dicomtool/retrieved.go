// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Retrieved is what became of a retrieval.
type Retrieved struct {
	Destination string // of a move
	Requests    int    // retrievals that the peer was asked for
	Stored      int    // instances that are kept here
	Completed   int    // instances that the peer says it sent to the destination
	Failed      int    // instances that did not arrive
	Warnings    int    // instances of which the peer warns
	// Missing are the SOP instances that the peer says it could not send, as far as it says which.
	Missing  []string
	Files    []Kept // in the order in which they came
	Errors   []error
	Bytes    int64 // of data sets that are kept here
	Duration time.Duration
}

// Whole returns an error when something is missing.
func (r *Retrieved) Whole() error {
	switch {
	case len(r.Errors) > 0:
		return r.Errors[0]
	case r.Failed > 0:
		for _, f := range r.Files {
			if f.Err != nil {
				return fmt.Errorf("%d instances were not kept: %w", r.Failed, f.Err)
			}
		}
		return fmt.Errorf("%d instances did not arrive", r.Failed)
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (k Kept) MarshalJSON() ([]byte, error) {
	type plain Kept
	v := struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain: plain(k)}
	if k.Err != nil {
		v.Error = k.Err.Error()
	}
	return json.Marshal(v)
}

// MarshalJSON implements json.Marshaler.
func (r *Retrieved) MarshalJSON() ([]byte, error) {
	errs := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		errs[i] = e.Error()
	}
	return json.Marshal(struct {
		Destination string   `json:"destination,omitempty"`
		Requests    int      `json:"requests"`
		Stored      int      `json:"stored"`
		Completed   int      `json:"completed,omitempty"`
		Failed      int      `json:"failed"`
		Warnings    int      `json:"warnings"`
		Missing     []string `json:"missing,omitempty"`
		Bytes       int64    `json:"bytes"`
		Seconds     float64  `json:"seconds"`
		Errors      []string `json:"errors,omitempty"`
		Files       []Kept   `json:"files,omitempty"`
	}{r.Destination, r.Requests, r.Stored, r.Completed, r.Failed, r.Warnings, r.Missing, r.Bytes, r.Duration.Seconds(), errs, r.sorted()})
}

func (r *Retrieved) sorted() []Kept {
	return slices.SortedFunc(slices.Values(r.Files), func(a, b Kept) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.SOPInstance, b.SOPInstance))
	})
}

// shown is how many missing instances are named.
const shown = 20

// WriteRetrieved writes what became of a retrieval: what is missing, and the sum.
func WriteRetrieved(w io.Writer, r *Retrieved) error {
	b := bufio.NewWriter(w)
	for _, e := range r.Errors {
		_, _ = fmt.Fprintf(b, "REFUSED  %v\n", e)
	}
	for _, f := range r.sorted() {
		if f.Err != nil {
			_, _ = fmt.Fprintf(b, "FAILED   %s: %s\n", strings.Map(printable, f.SOPInstance), oneLine(f.Err))
		}
	}
	for i, uid := range r.Missing {
		if i == shown {
			_, _ = fmt.Fprintf(b, "MISSING  and %d others\n", len(r.Missing)-shown)
			break
		}
		_, _ = fmt.Fprintf(b, "MISSING  %s: the peer could not send it\n", uid)
	}
	seconds := max(r.Duration.Seconds(), 1e-6)
	what := fmt.Sprintf("%d instances retrieved, %.1f MB in %.2f s (%.0f/s, %.1f MB/s)", r.Stored, float64(r.Bytes)/1e6, seconds, float64(r.Stored)/seconds, float64(r.Bytes)/1e6/seconds)
	if r.Destination != "" && r.Files == nil {
		what = fmt.Sprintf("%d instances sent to %s in %.2f s", r.Completed+r.Warnings, r.Destination, seconds)
	}
	if r.Requests == 0 {
		what = "nothing matches"
	}
	_, _ = b.WriteString(what)
	if r.Failed > 0 {
		_, _ = fmt.Fprintf(b, "; %d failed", r.Failed)
	}
	if r.Warnings > 0 {
		_, _ = fmt.Fprintf(b, "; %d with a warning", r.Warnings)
	}
	_ = b.WriteByte('\n')
	return b.Flush()
}

// oneLine keeps joined errors on a line.
func oneLine(err error) string { return strings.ReplaceAll(errors.Join(err).Error(), "\n", "; ") }

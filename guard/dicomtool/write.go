// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/dump"
)

// FirstError returns why the first file was not stored, nil when all were.
func (r *SendResult) FirstError() error {
	for _, o := range r.Outcomes {
		if o.Err != nil {
			return o.Err
		}
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (o Outcome) MarshalJSON() ([]byte, error) {
	v := struct {
		Path           string `json:"path"`
		SOPInstance    string `json:"sop_instance,omitempty"`
		TransferSyntax string `json:"transfer_syntax,omitempty"`
		SentAs         string `json:"sent_as,omitempty"`
		Stored         bool   `json:"stored"`
		Status         string `json:"status,omitempty"`
		Bytes          int64  `json:"bytes,omitempty"`
		Error          string `json:"error,omitempty"`
	}{Path: o.Path, SOPInstance: o.SOPInstance, TransferSyntax: o.TransferSyntax, SentAs: o.SentAs, Stored: o.Err == nil, Bytes: o.Bytes}
	if o.Err == nil || o.Status != 0 {
		v.Status = o.Status.String()
	}
	if o.Err != nil {
		v.Error = o.Err.Error()
	}
	return json.Marshal(v)
}

// MarshalJSON implements json.Marshaler.
func (r *SendResult) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Stored   int       `json:"stored"`
		Warnings int       `json:"warnings"`
		Failed   int       `json:"failed"`
		Ignored  int       `json:"ignored"`
		Bytes    int64     `json:"bytes"`
		Seconds  float64   `json:"seconds"`
		Files    []Outcome `json:"files"`
	}{r.Stored, r.Warnings, r.Failed, r.Ignored, r.Bytes, r.Duration.Seconds(), r.sorted()})
}

func (r *SendResult) sorted() []Outcome {
	return slices.SortedFunc(slices.Values(r.Outcomes), func(a, b Outcome) int { return cmp.Compare(a.Path, b.Path) })
}

// WriteSent writes what became of files: those that were not stored, those stored with a warning, and the sum.
func WriteSent(w io.Writer, r *SendResult) error {
	b := bufio.NewWriter(w)
	for _, o := range r.sorted() {
		switch {
		case o.Err != nil:
			_, _ = fmt.Fprintf(b, "FAILED   %s: %v\n", o.Path, o.Err)
		case o.Status.Category() == dimse.Warning:
			_, _ = fmt.Fprintf(b, "WARNING  %s: stored with status %v, %s\n", o.Path, o.Status, o.Status.Name(dimse.CStoreRQ))
		case o.SentAs != o.TransferSyntax:
			_, _ = fmt.Fprintf(b, "REWRITTEN %s: the peer does not take %s; sent in %s\n", o.Path, dicom.UIDName(o.TransferSyntax), dicom.UIDName(o.SentAs))
		}
	}
	seconds := max(r.Duration.Seconds(), 1e-6)
	_, _ = fmt.Fprintf(b, "%d of %d files stored, %.1f MB in %.2f s (%.0f/s, %.1f MB/s)", r.Stored, len(r.Outcomes), float64(r.Bytes)/1e6, seconds, float64(r.Stored)/seconds, float64(r.Bytes)/1e6/seconds)
	if r.Ignored > 0 {
		_, _ = fmt.Fprintf(b, "; %d other files ignored", r.Ignored)
	}
	_ = b.WriteByte('\n')
	return b.Flush()
}

// WriteFound asks the peer and writes every match: as a table of the keys, as lines of a dump ("text"), or as an
// array of the DICOM JSON model ("json").
func WriteFound(ctx context.Context, out io.Writer, p Peer, o FindOptions, format string) (complete bool, err error) {
	w := bufio.NewWriter(out)
	n := 0
	switch format {
	case "json":
		_, _ = w.WriteString("[")
		complete, err = Find(ctx, p, o, func(m *Match) error {
			if n++; n > 1 {
				_ = w.WriteByte(',')
			}
			_ = w.WriteByte('\n')
			return dump.JSON(w, bytes.NewReader(m.Data), m.Syntax, dump.Options{})
		})
		_, _ = w.WriteString("\n]\n")
	case "text":
		complete, err = Find(ctx, p, o, func(m *Match) error {
			n++
			_, _ = fmt.Fprintf(w, "# match %d\n", n)
			if err := dump.Lines(w, bytes.NewReader(m.Data), m.Syntax, dump.Options{}); err != nil {
				return err
			}
			return w.Flush() // an archive may take minutes
		})
	default:
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		head := make([]string, len(o.Keys))
		for i, k := range o.Keys {
			head[i] = dicom.Keyword(k.Path[len(k.Path)-1])
		}
		_, _ = fmt.Fprintln(t, strings.Join(head, "\t"))
		complete, err = Find(ctx, p, o, func(m *Match) error {
			n++
			v, err := m.Values(o.Keys)
			for i := range v {
				v[i] = strings.Map(printable, v[i])
			}
			_, _ = fmt.Fprintln(t, strings.Join(v, "\t"))
			return err
		})
		err = errors.Join(err, t.Flush())
		_, _ = fmt.Fprintf(w, "%d matches\n", n)
	}
	return complete, errors.Join(err, w.Flush())
}

// printable replaces what a terminal might obey.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return '·'
	}
	return r
}

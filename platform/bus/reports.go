// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// MaxReport is the largest body of a report.
const MaxReport = 256 << 10

// Report is the latest of what a sensor or a role says about itself.
type Report struct {
	Name string
	Body []byte
	At   time.Time // when it was stored
}

// Report stores the latest report of a kind and a name, "sensor" and the
// sensor's name for example. It returns when the bus has it.
func (b *Bus) Report(ctx context.Context, kind, name string, body []byte) error {
	if len(body) > MaxReport {
		return fmt.Errorf("report of %s: %w: %d bytes, at most %d", name, ErrTooLarge, len(body), MaxReport)
	}
	kv, err := b.reports()
	if err != nil {
		return explain("report of "+name, err)
	}
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	_, err = kv.Put(ctx, token(kind)+"."+token(name), body)
	return explain("report of "+name, err)
}

// Reports returns the latest reports of a kind, in the order in which they were
// stored.
func (b *Bus) Reports(ctx context.Context, kind string) ([]Report, error) {
	kv, err := b.reports()
	if err != nil {
		return nil, explain("reports", err)
	}
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	prefix := token(kind) + "."
	w, err := kv.Watch(ctx, prefix+"*", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, explain("reports", err)
	}
	defer func() { _ = w.Stop() }()
	var out []Report
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, explain("reports", ErrAway)
			case e == nil: // all that there are
				return out, nil
			}
			name, err := untoken(strings.TrimPrefix(e.Key(), prefix))
			if err == nil {
				out = append(out, Report{Name: name, Body: e.Value(), At: e.Created()})
			}
		case <-ctx.Done():
			return nil, explain("reports", ctx.Err())
		}
	}
}

// Forget removes a report, for example of a sensor that is no more. It is no
// error when there is none.
func (b *Bus) Forget(ctx context.Context, kind, name string) error {
	kv, err := b.reports()
	if err != nil {
		return explain("report of "+name, err)
	}
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	return explain("report of "+name, kv.Purge(ctx, token(kind)+"."+token(name)))
}

// token writes a name so that it is one token of a subject and of a key: what
// is not a letter, a digit, "-" or "_" becomes "=" and two hexadecimal digits.
// The empty name is "=".
func token(s string) string {
	if s == "" {
		return "="
	}
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return out.String()
}

// untoken gives back what token was given.
func untoken(s string) (string, error) {
	if s == "=" {
		return "", nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			out.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%q is no name", s)
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q is no name", s)
		}
		out.WriteByte(byte(c))
		i += 2
	}
	return out.String(), nil
}

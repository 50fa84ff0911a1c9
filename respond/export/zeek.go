// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
)

// Zeek writes logs in Zeek's ASCII format: one file per kind of event, with
// the field names that Zeek uses where it has the log (conn, dns, http, ssl,
// dhcp, ssh, smb_cmd, rdp, ftp, ntp) and the same style for the rest (dicom,
// dicom_ops, hl7, medical, rest, app, known_devices). A file is made when its
// first event comes. docs/events.md lists the fields.
type Zeek struct {
	dir  string
	open map[string]*zeekLog
	now  func() time.Time
	line []byte
	err  error
}

type zeekLog struct {
	f *os.File
	w *bufio.Writer
}

// NewZeek makes a sink that writes into a directory, which must exist.
func NewZeek(dir string) (*Zeek, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	return &Zeek{dir: dir, open: map[string]*zeekLog{}, now: time.Now}, nil
}

// Emit implements Sink.
func (z *Zeek) Emit(e *event.Event) {
	if z.err != nil {
		return
	}
	t := tableOf(e)
	if t == nil {
		return
	}
	l, err := z.log(t)
	if err != nil {
		z.err = err
		return
	}
	b := z.line[:0]
	for i, c := range t.columns {
		if i > 0 {
			b = append(b, '\t')
		}
		b = appendField(b, c.value(e))
	}
	b = append(b, '\n')
	z.line = b
	if _, err := l.w.Write(b); err != nil {
		z.err = err
	}
}

// log returns the open file of a table, with its header written.
func (z *Zeek) log(t *zeekTable) (*zeekLog, error) {
	if l := z.open[t.path]; l != nil {
		return l, nil
	}
	f, err := os.OpenFile(filepath.Join(z.dir, t.path+".log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l := &zeekLog{f, bufio.NewWriterSize(f, 64<<10)}
	z.open[t.path] = l
	names, types := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i], types[i] = c.name, c.typ
	}
	_, err = fmt.Fprintf(l.w, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#open\t%s\n#fields\t%s\n#types\t%s\n",
		t.path, z.now().UTC().Format("2006-01-02-15-04-05"), strings.Join(names, "\t"), strings.Join(types, "\t"))
	return l, err
}

// Close implements Sink.
func (z *Zeek) Close() error {
	err := z.err
	for _, l := range z.open {
		_, e := fmt.Fprintf(l.w, "#close\t%s\n", z.now().UTC().Format("2006-01-02-15-04-05"))
		err = errors.Join(err, e, l.w.Flush(), l.f.Close())
	}
	return err
}

// appendField writes one value: "-" when it is unset, "(empty)" when it is an
// empty set, and with everything escaped that would break a line apart.
func appendField(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, '-')
	case string:
		if v == "" {
			return append(b, '-')
		}
		return escape(b, v, false)
	case []string:
		if v == nil {
			return append(b, '-')
		}
		if len(v) == 0 {
			return append(b, "(empty)"...)
		}
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = escape(b, s, true)
		}
		return b
	case bool:
		if v {
			return append(b, 'T')
		}
		return append(b, 'F')
	case zeekTime:
		return appendSeconds(b, int64(v))
	case zeekInterval:
		return appendSeconds(b, int64(v))
	}
	return fmt.Append(b, v)
}

// appendSeconds writes nanoseconds as seconds with six digits behind the point.
func appendSeconds(b []byte, ns int64) []byte {
	if ns < 0 {
		b = append(b, '-')
		ns = -ns
	}
	return fmt.Appendf(b, "%d.%06d", ns/1e9, ns%1e9/1e3)
}

// escape writes a string with what would break the line apart as \xNN, and so
// that a value that looks like the sign for unset or empty is not taken for it.
func escape(b []byte, s string, inSet bool) []byte {
	if s == "-" || s == "(empty)" {
		b = fmt.Appendf(b, `\x%02x`, s[0])
		s = s[1:]
	}
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c == 0x7f || c == '\\' || inSet && c == ',' {
			b = fmt.Appendf(b, `\x%02x`, c)
			continue
		}
		b = append(b, c)
	}
	return b
}

type (
	zeekTime     int64 // ns since the Unix epoch
	zeekInterval int64 // ns
)

type zeekTable struct {
	path    string
	columns []zeekColumn
}

type zeekColumn struct {
	name, typ string
	value     func(e *event.Event) any
}

// uid is Zeek's connection identifier: "C" and the flow's number in base 62.
func uid(e *event.Event) any {
	if e.Flow == nil || e.Flow.ID == 0 {
		return nil
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b []byte
	for n := e.Flow.ID; n > 0; n /= 62 {
		b = append(b, digits[n%62])
	}
	slices.Reverse(b)
	return "C" + string(b)
}

// flowColumns begin every log.
func flowColumns() []zeekColumn {
	return []zeekColumn{
		{"ts", "time", func(e *event.Event) any {
			if c, ok := e.Detail.(*event.Connection); ok {
				return zeekTime(c.Start)
			}
			return zeekTime(e.Time)
		}},
		{"uid", "string", uid},
		{"id.orig_h", "addr", ofFlow(func(f *event.Flow) any { return addr(f.Src) })},
		{"id.orig_p", "port", ofFlow(func(f *event.Flow) any { return f.Src.Port })},
		{"id.resp_h", "addr", ofFlow(func(f *event.Flow) any { return addr(f.Dst) })},
		{"id.resp_p", "port", ofFlow(func(f *event.Flow) any { return f.Dst.Port })},
	}
}

func ofFlow(f func(*event.Flow) any) func(*event.Event) any {
	return func(e *event.Event) any {
		if e.Flow == nil {
			return nil
		}
		return f(e.Flow)
	}
}

func addr(e event.Endpoint) any {
	if !e.IP.IsValid() {
		return nil
	}
	return e.IP.String()
}

// with makes a column from a detail of one type.
func with[D event.Detail](name, typ string, f func(D) any) zeekColumn {
	return zeekColumn{name, typ, func(e *event.Event) any {
		d, ok := e.Detail.(D)
		if !ok {
			return nil
		}
		return f(d)
	}}
}

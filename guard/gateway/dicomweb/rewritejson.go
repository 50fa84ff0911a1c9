// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Bounds of JSON that is passed on.
const (
	maxJSONDepth = 100 // of arrays and objects; a data set of 32 sequences has 66
	maxJSONName  = 256
	maxAddress   = 4096
)

var (
	// errEnough: there were more documents than were asked for.
	errEnough = errors.New("there are more results than were asked for")
	errJSON   = errors.New("it is not the DICOM JSON model")
)

// address changes an address of an archive to the gateway's, "" when it is none that the gateway
// knows: it would lead the client around the gateway, or anywhere.
func address(s, base string) string {
	if len(s) > maxAddress {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return ""
	}
	// Whatever host: archives name themselves as they like. What counts is that the rest is a resource.
	path := u.EscapedPath()
	i := strings.Index(path, "/studies/")
	if i < 0 {
		return ""
	}
	if t, ok := resource(strings.Split(path[i+1:], "/")); ok {
		return base + t.path()
	}
	return ""
}

// isAddress are the attributes that hold addresses of resources: Retrieve URL and Retrieve URI.
func isAddress(tag string) bool { return tag == "00081190" || tag == "0040E010" || tag == "0040e010" }

// rewriteJSON copies an array of data sets, or one, in the DICOM JSON model, at most limit of them. It
// holds what it reads to the grammar, changes addresses, and keeps nothing but short strings.
func rewriteJSON(dst io.Writer, src io.Reader, base string, limit int) (n int, err error) {
	j := &jsonRewriter{r: bufio.NewReaderSize(src, 32<<10), w: bufio.NewWriterSize(dst, 32<<10), base: base, limit: limit}
	err = j.value(0, "")
	if err == nil {
		if _, err = j.peek(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = fmt.Errorf("%w: something follows it", errJSON)
		}
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it is cut off", errJSON)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return j.n, err
	}
	return j.n, errors.Join(err, j.w.Flush())
}

type jsonRewriter struct {
	r     *bufio.Reader
	w     *bufio.Writer
	base  string
	limit int
	n     int
}

// peek returns the next byte that is no white space, without taking it.
func (j *jsonRewriter) peek() (byte, error) {
	for {
		c, err := j.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, j.r.UnreadByte()
		}
	}
}

// take demands a byte.
func (j *jsonRewriter) take(want byte) error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("%w: something else stands where %q should", errJSON, want)
	}
	_, err = j.r.ReadByte()
	return err
}

func (j *jsonRewriter) put(s string) error {
	_, err := j.w.WriteString(s)
	return err
}

// value copies one value. tag is the attribute that it belongs to.
func (j *jsonRewriter) value(depth int, tag string) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("%w: it is nested too deep", errJSON)
	}
	c, err := j.peek()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		if depth == 0 {
			j.n++
		}
		return j.object(depth, tag)
	case '[':
		return j.array(depth, tag)
	case '"':
		return j.text(tag)
	}
	return j.literal()
}

func (j *jsonRewriter) array(depth int, tag string) error {
	if err := errors.Join(j.take('['), j.put("[")); err != nil {
		return err
	}
	for i := 0; ; i++ {
		c, err := j.peek()
		if err != nil {
			return err
		}
		if c == ']' {
			return errors.Join(j.take(']'), j.put("]"))
		}
		if depth == 0 && i == j.limit {
			return errors.Join(errEnough, j.put("]"))
		}
		if i > 0 {
			if err := errors.Join(j.take(','), j.put(",")); err != nil {
				return err
			}
		}
		if err := j.value(depth+1, tag); err != nil {
			return err
		}
		if depth == 0 {
			j.n++
		}
	}
}

func (j *jsonRewriter) object(depth int, tag string) error {
	if err := errors.Join(j.take('{'), j.put("{")); err != nil {
		return err
	}
	written := false
	for first := true; ; first = false {
		c, err := j.peek()
		if err != nil {
			return err
		}
		if c == '}' {
			return errors.Join(j.take('}'), j.put("}"))
		}
		if !first {
			if err := j.take(','); err != nil {
				return err
			}
		}
		raw, name, err := j.short(maxJSONName)
		if err != nil {
			return err
		}
		if err := j.take(':'); err != nil {
			return err
		}
		inner := tag
		if len(name) == 8 {
			inner = name
		}
		if name == "BulkDataURI" {
			_, v, err := j.short(maxAddress)
			if err != nil {
				return err
			}
			to := address(v, j.base)
			if to == "" {
				continue
			}
			quoted, _ := json.Marshal(to) // a string never fails
			raw += ":" + string(quoted)
		} else {
			raw += ":"
		}
		if written {
			raw = "," + raw
		}
		written = true
		if err := j.put(raw); err != nil {
			return err
		}
		if name != "BulkDataURI" {
			if err := j.value(depth+1, inner); err != nil {
				return err
			}
		}
	}
}

// short reads a string of bounded length, as it is written and what it means.
func (j *jsonRewriter) short(limit int) (raw, s string, err error) {
	if err := j.take('"'); err != nil {
		return "", "", err
	}
	b := []byte{'"'}
	for {
		c, err := j.r.ReadByte()
		if err != nil {
			return "", "", err
		}
		if b = append(b, c); len(b) > limit {
			return "", "", fmt.Errorf("%w: a name or an address is too long", errJSON)
		}
		if c == '"' {
			break
		}
		if c == '\\' {
			if c, err = j.r.ReadByte(); err != nil {
				return "", "", err
			}
			b = append(b, c)
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return "", "", fmt.Errorf("%w: a string", errJSON)
	}
	return string(b), s, nil
}

// text copies a string; where it is an address, it is changed.
func (j *jsonRewriter) text(tag string) error {
	if isAddress(tag) {
		raw, v, err := j.short(maxAddress)
		if err != nil {
			return err
		}
		// "vr": "UR" belongs to the attribute too, and is no address.
		if len(v) == 2 {
			return j.put(raw)
		}
		if to := address(v, j.base); to != "" {
			quoted, _ := json.Marshal(to) // a string never fails
			return j.put(string(quoted))
		}
		return j.put("null")
	}
	if err := errors.Join(j.take('"'), j.w.WriteByte('"')); err != nil {
		return err
	}
	for {
		c, err := j.r.ReadByte()
		if err != nil {
			return err
		}
		if c < ' ' {
			return fmt.Errorf("%w: a control character in a string", errJSON)
		}
		if err := j.w.WriteByte(c); err != nil {
			return err
		}
		switch c {
		case '"':
			return nil
		case '\\':
			if err := j.escape(); err != nil {
				return err
			}
		}
	}
}

// escape copies what follows a backslash.
func (j *jsonRewriter) escape() error {
	c, err := j.r.ReadByte()
	if err != nil {
		return err
	}
	if strings.IndexByte(`"\/bfnrtu`, c) < 0 {
		return fmt.Errorf("%w: an escape", errJSON)
	}
	if err := j.w.WriteByte(c); err != nil || c != 'u' {
		return err
	}
	for range 4 {
		c, err := j.r.ReadByte()
		if err != nil {
			return err
		}
		if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
			return fmt.Errorf("%w: an escape", errJSON)
		}
		if err := j.w.WriteByte(c); err != nil {
			return err
		}
	}
	return nil
}

// literal copies a number, true, false or null.
func (j *jsonRewriter) literal() error {
	var b []byte
	for len(b) < 64 {
		c, err := j.r.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if strings.IndexByte("+-.0123456789abcdefghijklmnopqrstuvwxyzE", c) < 0 {
			if err := j.r.UnreadByte(); err != nil {
				return err
			}
			break
		}
		b = append(b, c)
	}
	if !json.Valid(b) {
		return fmt.Errorf("%w: a value", errJSON)
	}
	_, err := j.w.Write(b)
	return err
}

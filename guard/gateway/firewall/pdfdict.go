// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"strconv"
)

// dictionary is what the dictionary of the object under way says about a stream (ISO 32000-1 §7.3.8.2): whether it holds objects, and how it
// is packed. It is told every token. What it cannot tell for certain, because readers would guess in their own ways, is odd or elsewhere.
type dictionary struct {
	depth  int    // of dictionaries and lists
	lists  uint64 // which of them are lists, the outermost at bit 0
	closed bool   // a dictionary ended, and nothing has come since

	key   dictKey
	value bool            // the value of the key is awaited
	seen  [keyOfMany]bool // keys that came
	num   int             // numbers that came as a value and since: two of them and R are a reference

	packed       bool // it is said to be an object stream
	count, first uint64
	filters      int // how many there are; of more than maxFilters nothing is known
	filter       [maxFilters]filter
	parms        int     // which filter's parameters are being read
	listed       [2]bool // filters, parameters stand in a list
	parm         string  // the parameter under way

	// odd: it is not written as a dictionary is, or says something twice. elsewhere: something that must be known stands in another object.
	odd, elsewhere bool
}

// filter is one step of unpacking, with its parameters (§7.4); 0 where none is said.
type filter struct {
	name                              string
	predictor, colours, bits, columns uint32
	late                              bool // LZW: the code grows when it must, and not one code before
}

type dictKey uint8

const (
	keyOther dictKey = iota
	keyFilter
	keyParms
	keyN
	keyFirst
	keyFile
	keyOfMany
)

// maxFilters is how many steps of unpacking are taken.
const maxFilters = 4

// object begins that of the next object. Of one that has not ended, what may be an object stream goes on: a reader that skips what it does
// not understand reads both as one.
func (d *dictionary) object() {
	open := d.depth > 0 && (d.packed || d.seen[keyN] || d.seen[keyFirst])
	*d = dictionary{packed: open, odd: open}
}

// holdsObjects reports an object stream, whatever its type is said to be: readers look at the two numbers.
func (d *dictionary) holdsObjects() bool { return d.packed || d.seen[keyN] && d.seen[keyFirst] }

func (d *dictionary) bracket(c byte) {
	d.closed = false
	switch list := c == '[' || c == ']'; c {
	case '<', '[':
		if d.depth == 1 && !d.value || d.depth >= 64 || d.depth > 2 && d.key == keyParms || d.depth == 2 && d.key == keyFilter {
			d.odd = true
		}
		if list && d.depth == 1 && d.key == keyFilter {
			d.listed[0] = true
		} else if list && d.depth == 1 && d.key == keyParms {
			d.listed[1] = true
		}
		if list {
			d.lists |= 1 << (d.depth & 63)
		} else {
			d.lists &^= 1 << (d.depth & 63)
		}
		d.depth++
		d.parm = ""
	default:
		d.closed = !list
		if d.depth == 0 {
			d.odd = true
			return
		}
		d.depth--
		if list != (d.lists>>(d.depth&63)&1 == 1) {
			d.odd = true
		}
		switch {
		case d.depth == 1:
			d.value, d.num = false, 0
		case d.depth == 2 && d.key == keyParms:
			d.parms++
		}
	}
}

func (d *dictionary) name(n []byte) {
	d.closed, d.num = false, 0
	switch {
	case d.depth == 1 && !d.value:
		d.key, d.value = keyOther, true
		switch string(n) {
		case "Filter":
			d.key = keyFilter
		case "DecodeParms", "DP":
			d.key = keyParms
		case "N":
			d.key = keyN
		case "First":
			d.key = keyFirst
		case "F": // of a file that holds the content; for some readers, the filters
			d.key = keyFile
		default:
			return
		}
		d.odd = d.odd || d.seen[d.key]
		d.seen[d.key] = true
	case d.depth == 1:
		d.value = false
		switch d.key {
		case keyFilter:
			d.addFilter(n)
		case keyParms, keyN, keyFirst:
			d.odd = true
		default:
			d.packed = d.packed || string(n) == "ObjStm"
		}
	case d.key == keyFilter && d.depth == 2:
		d.addFilter(n)
	case d.key == keyParms && d.inParms():
		d.odd = d.odd || d.parm != ""
		d.parm = string(n)
	}
}

// inParms reports that the names that come are those of a filter's parameters.
func (d *dictionary) inParms() bool {
	return d.lists>>(d.depth-1)&1 == 0 && (d.depth == 2 || d.depth == 3 && d.lists&2 != 0)
}

func (d *dictionary) addFilter(n []byte) {
	if d.filters < maxFilters {
		d.filter[d.filters].name = string(n)
	}
	d.filters = min(d.filters+1, maxFilters+1)
}

// text takes a string.
func (d *dictionary) text([]byte) {
	d.closed, d.num = false, 0
	if d.depth == 1 {
		d.odd = d.odd || !d.value || d.key == keyFilter || d.key == keyParms || d.key == keyN || d.key == keyFirst
		d.value = false
	}
	d.odd = d.odd || d.depth > 1 && (d.key == keyFilter || d.key == keyParms)
}

// word takes a number or keyword.
func (d *dictionary) word(w []byte) {
	d.closed = false
	n, err := strconv.ParseUint(string(w), 10, 32)
	switch {
	case d.depth == 1:
		d.top(w, n, err == nil)
	case d.key == keyFilter && d.depth > 1:
		d.elsewhere = true // numbers of a reference; nothing else may be there
	case d.key == keyParms && d.depth > 1:
		d.parameter(w, n, err == nil)
	}
}

// top takes a number or keyword of the dictionary itself.
func (d *dictionary) top(w []byte, n uint64, number bool) {
	switch {
	case d.value:
		if d.value = false; !number {
			d.num = 0
			d.odd = d.odd || d.key == keyN || d.key == keyFirst || !constant(w)
			return
		}
		switch d.num = 1; d.key {
		case keyN:
			d.count = n
		case keyFirst:
			d.first = n
		}
	case number && d.num == 1:
		d.num = 2
	case string(w) == "R" && d.num == 2:
		d.num = 0
		d.elsewhere = d.elsewhere || d.key != keyOther
	default:
		d.odd = true
	}
}

// constant reports a number of any kind, a truth value or null.
func constant(w []byte) bool {
	return string(w) == "true" || string(w) == "false" || string(w) == "null" || len(bytes.TrimLeft(w, "+-.0123456789")) == 0
}

// parameter takes a number or keyword of a filter's parameters, or of a list of them.
func (d *dictionary) parameter(w []byte, n uint64, number bool) {
	switch {
	case !d.inParms():
		if string(w) == "null" {
			d.parms++
		} else {
			d.elsewhere = true
		}
		return
	case d.parm == "":
		d.elsewhere = true
		return
	}
	key := d.parm
	d.parm = ""
	if d.parms >= maxFilters {
		return
	}
	at := &d.filter[d.parms]
	to := map[string]*uint32{"Predictor": &at.predictor, "Colors": &at.colours, "BitsPerComponent": &at.bits, "Columns": &at.columns}[key]
	switch {
	case key == "EarlyChange":
		d.odd = d.odd || !number || n > 1
		at.late = n == 0
	case to != nil:
		d.odd = d.odd || !number || n == 0 || n > 1<<20 || *to != 0
		*to = uint32(n)
	}
}

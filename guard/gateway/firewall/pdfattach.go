// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// attachments are the files that a PDF carries (ISO 32000-1 §7.11.4). An electrocardiograph attaches its measurements to the
// report, a laboratory its table: such a file only passes for data when everything about it is known. Its name must end as
// data do; the stream that the file specification refers to must say that it is a file, be packed as can be read
// here, and hold data. What is referred to and was not seen so, and what is told in a roundabout way, counts as unknown.
type attachments struct {
	met  bool
	bad  string
	last [2]uint32 // the last two numbers: of a reference, or of an object
	have int       // how many of them came without anything else between
	key  string    // the name that came last
	ef   bool      // within the dictionary of a file specification that refers to streams

	refs   []uint32 // objects that hold files
	judged []uint32 // objects whose streams are files of data
	named  bool     // a file has a name that ends as data do

	others []uint32 // objects whose streams are something else
	many   bool     // more streams than are remembered

	file   bool // the stream under way is said to be a file
	number uint32
	begun  bool   // its beginning was looked at
	window []byte // the last bytes of its content
}

// Bounds of attachments.
const (
	maxFiles    = 64
	fileWindow  = 2048
	fileOverlap = 64
	maxStreams  = 4096
)

// dataEndings are those of names of files that hold data, and that nothing starts.
var dataEndings = []string{".csv", ".dcm", ".edf", ".hl7", ".jpeg", ".jpg", ".json", ".png", ".scp", ".tif", ".tiff", ".tsv", ".txt", ".xml"}

// name takes the next name, of the file itself or of a packed object.
func (a *attachments) name(n []byte) {
	a.have = 0
	a.key = string(n)
	switch a.key {
	case "EmbeddedFile", "EmbeddedFiles", "FileAttachment":
		a.met = true
	case "EF":
		a.met, a.ef = true, true
		return
	case "RF":
		a.met, a.bad = true, "a file within the PDF that refers to others"
	}
	switch a.key {
	case "F", "UF", "DOS", "Mac", "Unix":
	default:
		a.ef = false
	}
}

// word takes the next number or keyword.
func (a *attachments) word(word []byte) {
	w := word
	if w[0] < '0' || w[0] > '9' { // a reader that is sent to the digits sees a number
		w = w[len(bytes.TrimRight(w, "0123456789")):]
	}
	if n, err := strconv.ParseUint(string(w), 10, 32); err == nil {
		a.last[0], a.last[1] = a.last[1], uint32(n)
		a.have = min(a.have+1, 2)
		return
	}
	if string(word) == "R" && a.have == 2 {
		switch {
		case a.ef && len(a.refs) < maxFiles:
			a.refs = append(a.refs, a.last[0])
		case a.ef:
			a.bad = "more files within the PDF than are looked at"
		case a.key == "F" || a.key == "UF":
			a.bad = "a file within the PDF whose name is elsewhere"
		case a.file && (a.key == "Filter" || a.key == "DecodeParms"):
			a.bad = "a file within the PDF of which it is elsewhere how it is packed"
		}
	}
	a.have = 0
}

// object begins an object of a number.
func (a *attachments) object() { a.number, a.file, a.ef, a.key = a.last[0], false, false, "" }

// text takes a string: of a file specification, its name.
func (a *attachments) text(s []byte) {
	a.have = 0
	if a.key != "F" && a.key != "UF" {
		return
	}
	for i := len(s) - 1; i >= 0; i -= 2 {
		if s[i] == 0 { // in UTF-16 the other byte of each is 0; here a name would end for some readers
			a.bad = "a file within the PDF with a NUL in its name"
		}
	}
	name := strings.ToLower(strings.ReplaceAll(string(s), "\x00", ""))
	if at := strings.LastIndexByte(name, '.'); at < 0 || !slices.Contains(dataEndings, name[at:]) {
		a.bad = "a file within the PDF whose name does not end as data do"
		return
	}
	a.named = true
}

// beginFile prepares to look into a stream that is said to be a file, and remembers any other.
func (p *pdf) beginFile() {
	a := &p.files
	if !a.file {
		if len(a.others) < maxStreams {
			a.others = append(a.others, a.number)
		} else {
			a.many = true
		}
		return
	}
	a.met, a.begun, a.window = true, false, a.window[:0]
	if why := p.chain.begin(&p.dict); why != "" {
		a.bad = "a file within the PDF " + why
		return
	}
	p.content = contentFile
}

// content takes the next bytes of a file; false when enough is known of it.
func (a *attachments) content(b []byte) bool {
	for len(b) > 0 && a.bad == "" {
		n := min(fileWindow-len(a.window), len(b))
		a.window = append(a.window, b[:n]...)
		if b = b[n:]; len(a.window) == fileWindow {
			a.look()
			a.window = a.window[:copy(a.window, a.window[fileWindow-fileOverlap:])]
		}
	}
	return a.bad == ""
}

// activeContent is what an XML file or a text has in it that a browser would run, or a reader of XML fetch.
var activeContent = [...]string{"<script", "<?xml-stylesheet", "www.w3.org/1999/xhtml", "www.w3.org/2000/svg", "<!entity", "<!doctype", "javascript:"}

// look judges the window.
func (a *attachments) look() {
	w := a.window
	if !a.begun {
		a.begun = true
		head := bytes.TrimLeft(w, " \t\r\n\ufeff")
		switch {
		case program(w) != "", program(head) != "", bytes.HasPrefix(head, []byte("MZ")):
			a.bad = "a program within the PDF"
		case archive(w) != "", archive(head) != "":
			a.bad = "an archive or document within the PDF"
		}
	}
	text := bytes.ToLower(bytes.ReplaceAll(w, []byte{0}, nil)) // XML may be in UTF-16
	for _, active := range activeContent {
		if bytes.Contains(text, []byte(active)) {
			a.bad = "a file within the PDF that holds a page of the web or a script"
		}
	}
}

// endFile judges the rest of a file.
func (p *pdf) endFile() {
	a := &p.files
	switch {
	case errors.Is(p.chain.failed, errBomb):
		a.bad = "a file within the PDF that grows beyond bounds"
		p.x.hit(documentBomb, "packed files grow beyond bounds")
	case a.bad != "":
	case !p.chain.whole():
		a.bad = "a file within the PDF that cannot be unpacked"
	case p.ragged:
		a.bad = "a file within the PDF that some readers begin elsewhere"
	default:
		a.look()
	}
	if a.bad == "" && len(a.judged) < maxFiles {
		a.judged = append(a.judged, a.number)
	}
}

// end says what the files of a document are.
func (a *attachments) end(x *inspection) {
	if !a.met {
		return
	}
	switch {
	case a.bad != "":
	case len(a.refs) == 0, !a.named:
		a.bad = "a file within the PDF of which nothing more is told"
	case a.many, slices.ContainsFunc(a.refs, func(n uint32) bool { return !slices.Contains(a.judged, n) || slices.Contains(a.others, n) }):
		a.bad = "a file within the PDF that could not be looked into"
	}
	if a.bad != "" {
		x.hit(documentEmbedded, a.bad)
		return
	}
	x.hit(documentAttachment, "files within the PDF, all of them data")
}

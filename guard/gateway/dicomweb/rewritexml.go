// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"encoding/xml"
	"errors"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// maxXML bounds one document of XML, which is held in memory while its addresses are changed.
const maxXML = 16 << 20

var errXML = errors.New("it is not the Native DICOM Model")

// rewriteXML changes the addresses in a document of the Native DICOM Model (PS3.19 §A.1). What is no address
// stays byte by byte.
func rewriteXML(doc []byte, base string) ([]byte, error) {
	x := xmltok.New(doc)
	var out bytes.Buffer
	out.Grow(len(doc) + 256)
	copied := 0
	// replace puts a text in the place of a piece of the document, which is a slice of it.
	replace := func(piece []byte, with string) {
		at := cap(doc) - cap(piece)
		if at < copied || at+len(piece) > len(doc) || !bytes.Equal(doc[at:at+len(piece)], piece) {
			panic("BUG: a token is no part of its document")
		}
		out.Write(doc[copied:at])
		_ = xml.EscapeText(&out, []byte(with)) // a bytes.Buffer never fails
		copied = at + len(piece)
	}
	var tags []string
	inValue := false
	for {
		switch x.Next() {
		case xmltok.Start:
			switch {
			case x.Depth() == 1 && !x.Is("NativeDicomModel"):
				return nil, errXML
			case x.Is("DicomAttribute"):
				tags = append(tags, string(x.Attr("tag")))
			case x.Is("BulkData"):
				for _, a := range x.Attrs() {
					if string(a.Local) == "uri" && len(a.Prefix) == 0 {
						replace(a.Value, address(string(xmltok.AppendUnescaped(nil, a.Value)), base))
					}
				}
			case x.Is("Value"):
				inValue = true
			}
		case xmltok.Text:
			if inValue && len(tags) > 0 && isAddress(tags[len(tags)-1]) {
				text := x.Text()
				replace(text, address(string(bytes.TrimSpace(x.AppendText(nil))), base))
			}
		case xmltok.End:
			switch {
			case x.Is("DicomAttribute") && len(tags) > 0:
				tags = tags[:len(tags)-1]
			case x.Is("Value"):
				inValue = false
			}
		case xmltok.None:
			if x.Err() != nil {
				return nil, errXML
			}
			out.Write(doc[copied:])
			return out.Bytes(), nil
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// model is a small data set, to be written as PS3.18 §F.2 and PS3.19 §A.1 have it.
type model struct{ elements []element }

// element is one data element; with items it is a sequence.
type element struct {
	tag     uint32
	vr      string
	keyword string
	value   string
	number  bool
	items   [][]element
}

func text(tag uint32, vr, keyword, value string) element {
	return element{tag: tag, vr: vr, keyword: keyword, value: value}
}

func number(tag uint32, keyword string, v uint16) element {
	return element{tag: tag, vr: "US", keyword: keyword, value: strconv.Itoa(int(v)), number: true}
}

// sequence adds one, unless it has no item.
func (m *model) sequence(tag uint32, keyword string, items []element) {
	if len(items) == 0 {
		return
	}
	e := element{tag: tag, vr: "SQ", keyword: keyword}
	for _, i := range items {
		e.items = append(e.items, i.items...)
	}
	m.elements = append(m.elements, e)
}

func (m *model) json() []byte { return appendJSON(nil, m.elements) }

func appendJSON(b []byte, elements []element) []byte {
	b = append(b, '{')
	for i, e := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"%08X":{"vr":%q`, e.tag, e.vr)
		switch {
		case e.items != nil:
			b = append(b, `,"Value":[`...)
			for k, item := range e.items {
				if k > 0 {
					b = append(b, ',')
				}
				b = appendJSON(b, item)
			}
			b = append(b, ']')
		case e.value == "":
		case e.number:
			b = fmt.Appendf(b, `,"Value":[%s]`, e.value)
		default:
			quoted, _ := json.Marshal(e.value) // a string never fails
			b = fmt.Appendf(b, `,"Value":[%s]`, quoted)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func (m *model) xml() []byte {
	b := []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">`)
	return append(appendXML(b, m.elements), "</NativeDicomModel>\n"...)
}

func appendXML(b []byte, elements []element) []byte {
	for _, e := range elements {
		b = fmt.Appendf(b, `<DicomAttribute tag="%08X" vr="%s" keyword="%s">`, e.tag, e.vr, e.keyword)
		for k, item := range e.items {
			b = append(appendXML(fmt.Appendf(b, `<Item number="%d">`, k+1), item), "</Item>"...)
		}
		if e.value != "" {
			var s strings.Builder
			_ = xml.EscapeText(&s, []byte(e.value)) // a strings.Builder never fails
			b = fmt.Appendf(b, `<Value number="1">%s</Value>`, s.String())
		}
		b = append(b, "</DicomAttribute>"...)
	}
	return b
}

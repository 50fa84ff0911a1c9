// SPDX-License-Identifier: Apache-2.0

package ssdp

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds of a description.
const (
	MaxElements = 4096
	maxText     = 1024
)

// Description is what a device states about itself (UPnP Device Architecture
// 2.0 §2.3), the root device only.
type Description struct {
	DeviceType       string
	FriendlyName     string
	Manufacturer     string
	ModelName        string
	ModelNumber      string
	ModelDescription string
	SerialNumber     string
	UDN              string
	UPC              string
}

// LooksDescription reports whether b may be a description.
func LooksDescription(b []byte) bool {
	b = b[:min(len(b), 1024)]
	return bytes.Contains(b, []byte("urn:schemas-upnp-org:device-1-0"))
}

// Describe reads a description. When it is cut or malformed, what was read so
// far comes with the error. Devices inside devices are passed over.
func Describe(b []byte) (*Description, error) {
	d := &Description{}
	fields := map[string]*string{"deviceType": &d.DeviceType, "friendlyName": &d.FriendlyName, "manufacturer": &d.Manufacturer, "modelName": &d.ModelName,
		"modelNumber": &d.ModelNumber, "modelDescription": &d.ModelDescription, "serialNumber": &d.SerialNumber, "UDN": &d.UDN, "UPC": &d.UPC}
	device, depth := 0, 0 // the depth at which the root device is open
	var field *string
	var text []byte
	for at, n := 0, 0; at < len(b); n++ {
		if n > 2*MaxElements {
			return d, &octet.Error{Offset: at, What: "more elements than are read"}
		}
		lt := bytes.IndexByte(b[at:], '<')
		if lt < 0 {
			break
		}
		if field != nil && len(text) < maxText {
			text = append(text, b[at:at+min(lt, maxText)]...)
		}
		at += lt
		switch {
		case bytes.HasPrefix(b[at:], []byte("<!--")):
			end := bytes.Index(b[at+4:], []byte("-->"))
			if end < 0 {
				return d, &octet.Error{Offset: at, What: "comment without end"}
			}
			at += 4 + end + 3
			continue
		case bytes.HasPrefix(b[at:], []byte("<![CDATA[")):
			end := bytes.Index(b[at+9:], []byte("]]>"))
			if end < 0 {
				return d, &octet.Error{Offset: at, What: "CDATA without end"}
			}
			if field != nil && len(text) < maxText {
				text = append(text, b[at+9:at+9+min(end, maxText)]...)
			}
			at += 9 + end + 3
			continue
		}
		gt := bytes.IndexByte(b[at:], '>')
		if gt < 0 {
			return d, &octet.Error{Offset: at, What: "tag without end"}
		}
		tag := b[at+1 : at+gt]
		at += gt + 1
		switch {
		case len(tag) == 0 || tag[0] == '?' || tag[0] == '!':
		case tag[0] == '/':
			if field != nil {
				*field = printable.Text(unescape(text), printable.Max)
				field = nil
			}
			if depth == device {
				return d, nil // the root device ends
			}
			depth--
		default:
			if tag[len(tag)-1] == '/' {
				continue
			}
			depth++
			name := local(tag)
			field = nil
			if device == 0 && name == "device" {
				device = depth
			} else if f := fields[name]; f != nil && device > 0 && depth == device+1 && *f == "" {
				field, text = f, text[:0]
			}
		}
	}
	if device == 0 {
		return d, &octet.Error{What: "no device element"}
	}
	return d, &octet.Error{Offset: len(b), What: "device element without end"}
}

// local is a tag's name without prefix and attributes.
func local(tag []byte) string {
	if i := bytes.IndexAny(tag, " \t\r\n"); i >= 0 {
		tag = tag[:i]
	}
	if i := bytes.IndexByte(tag, ':'); i >= 0 {
		tag = tag[i+1:]
	}
	return string(tag[:min(len(tag), 32)])
}

func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '&') < 0 {
		return b
	}
	for _, e := range [...][2]string{{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", `"`}, {"&apos;", "'"}, {"&amp;", "&"}} {
		b = bytes.ReplaceAll(b, []byte(e[0]), []byte(e[1]))
	}
	return b
}

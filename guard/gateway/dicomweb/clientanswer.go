// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/xmltok"
)

// maxAnswer bounds a Store Instances Response: 64 KB and a kilobyte an instance.
func maxAnswer(items int) int64 { return 64<<10 + int64(items)<<10 }

// StatusError is a server's refusal of a whole request.
type StatusError struct {
	Status int
	What   string
	Advice string
	// Temporary: trying again later, as it is, may succeed.
	Temporary bool
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("the server says %d: %s", e.Status, e.What) }

// Hint says what to do.
func (e *StatusError) Hint() string { return e.Advice }

// statusError names what a status means here. No text of the server is repeated: it may name a patient.
func statusError(status int) *StatusError {
	e := &StatusError{Status: status, What: strings.ToLower(http.StatusText(status))}
	if e.What == "" {
		e.What = "a status that has no name"
	}
	switch {
	case status/100 == 3:
		e.What, e.Advice = "it sends elsewhere, and that is not followed", "write the final address into the destination's url"
	case status == http.StatusUnauthorized:
		e.What, e.Advice = "it wants credentials, or others", "set username and password_file, or token_file, of the destination"
	case status == http.StatusForbidden:
		e.What, e.Advice = "this gateway may not store there", "allow the gateway's certificate or account at the server"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		e.What, e.Advice = "there is no STOW-RS at this address", "check the path of the destination's url"
	case status == http.StatusUnsupportedMediaType || status == http.StatusNotAcceptable:
		e.What, e.Advice = "it does not take application/dicom", "check that the server supports STOW-RS with whole instances"
	case status == http.StatusRequestEntityTooLarge:
		e.What, e.Advice = "the request is too large for it", "raise the server's bound, or that of a proxy before it (nginx: client_max_body_size)"
	case status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported || status == http.StatusRequestTimeout:
		e.Temporary = true
	}
	return e
}

// readStored reads the answer to a request.
func readStored(rsp *http.Response, items []Outgoing) ([]Result, error) {
	switch rsp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusConflict:
	case http.StatusServiceUnavailable, http.StatusBadRequest, http.StatusInsufficientStorage:
		// Some servers list their reasons with these; most do not.
		if media, _, err := related.ParseMediaType(rsp.Header.Get("Content-Type")); err != nil || media != jsonType && media != xmlType {
			return nil, statusError(rsp.StatusCode)
		}
	default:
		return nil, statusError(rsp.StatusCode)
	}
	limit := maxAnswer(len(items))
	body, err := io.ReadAll(io.LimitReader(rsp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	said, err := parseStored(rsp.Header.Get("Content-Type"), body)
	if err != nil {
		if rsp.StatusCode == http.StatusOK || rsp.StatusCode == http.StatusAccepted {
			return nil, &StatusError{Status: rsp.StatusCode, What: "its answer does not say what was stored: " + err.Error(), Advice: "check that the server is a STOW-RS server and not a proxy that answers for it", Temporary: true}
		}
		return nil, statusError(rsp.StatusCode)
	}
	out := make([]Result, len(items))
	for i := range items {
		out[i] = said.of(items[i].SOPInstance)
	}
	return out, nil
}

// verdicts is what an answer says of instances.
type verdicts struct {
	stored map[string]uint16 // with the reason of a warning
	failed map[string]uint16
	other  uint16 // reason of a failure that names no instance
}

func (v *verdicts) of(uid string) Result {
	r := Result{SOPInstance: uid}
	reason, failed := v.failed[uid]
	warning, stored := v.stored[uid]
	switch {
	case failed:
		r.Reason = reason
	case stored:
		r.Stored, r.Reason = true, warning
		if warning != 0 {
			r.Why = dimse.Status(warning).Name(dimse.CStoreRQ)
		}
		return r
	case v.other != 0:
		r.Reason = v.other
	default:
		r.Reason, r.Why = reasonProcessing, "the server does not list the instance as stored"
		return r
	}
	if r.Reason == 0 {
		r.Reason = reasonProcessing
	}
	r.Why = dimse.Status(r.Reason).String() + " " + dimse.Status(r.Reason).Name(dimse.CStoreRQ)
	return r
}

// parseStored reads a Store Instances Response, strictly.
func parseStored(contentType string, body []byte) (*verdicts, error) {
	media, _, err := related.ParseMediaType(contentType)
	if err != nil {
		return nil, errors.New("its media type cannot be read")
	}
	switch media {
	case jsonType, "application/json":
		return storedJSON(body)
	case xmlType, "application/xml", "text/xml":
		return storedXML(body)
	}
	return nil, errors.New("it is neither DICOM JSON nor XML")
}

// jsonElement is an element of the DICOM JSON model.
type jsonElement struct {
	VR    string            `json:"vr"`
	Value []json.RawMessage `json:"Value"`
}

func storedJSON(body []byte) (*verdicts, error) {
	var one map[string]jsonElement
	if err := json.Unmarshal(body, &one); err != nil {
		// PS3.18 §8.7.3.2 lets a server put its one document into an array.
		var list []map[string]jsonElement
		if json.Unmarshal(body, &list) != nil || len(list) != 1 {
			return nil, errors.New("it is no document of the DICOM JSON model")
		}
		one = list[0]
	}
	v := &verdicts{stored: map[string]uint16{}, failed: map[string]uint16{}}
	for tag, e := range one {
		if tag != "00081198" && tag != "00081199" && tag != "0008119A" {
			continue
		}
		for _, raw := range e.Value {
			var item map[string]jsonElement
			if err := json.Unmarshal(raw, &item); err != nil {
				return nil, errors.New("an item of it is no object")
			}
			get := func(tag string) string {
				if e := item[tag]; len(e.Value) == 1 {
					return strings.Trim(string(e.Value[0]), `"`)
				}
				return ""
			}
			if err := v.add(tag, get("00081155"), get("00081196"), get("00081197")); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// add takes one item of a sequence.
func (v *verdicts) add(sequence, uid, warning, failure string) error {
	reason := func(s string) (uint16, error) {
		if s == "" {
			return 0, nil
		}
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return 0, errors.New("a reason in it is no number of 16 bits")
		}
		return uint16(n), nil
	}
	w, err := reason(warning)
	if err != nil {
		return err
	}
	f, err := reason(failure)
	if err != nil {
		return err
	}
	switch {
	case sequence == "0008119A":
		if v.other = f; f == 0 {
			v.other = reasonProcessing
		}
	case uid == "":
		return errors.New("an item of it names no instance")
	case sequence == "00081198":
		v.failed[uid] = f
	default:
		v.stored[uid] = w
	}
	return nil
}

// storedXML reads the Native DICOM Model.
func storedXML(body []byte) (*verdicts, error) {
	v := &verdicts{stored: map[string]uint16{}, failed: map[string]uint16{}}
	x := xmltok.New(body)
	var tags []string // of the DicomAttribute elements that are open
	var item map[string]string
	var value []byte
	rooted := false
	for {
		switch x.Next() {
		case xmltok.Start:
			value = nil
			switch {
			case x.Depth() == 1:
				if rooted = x.Is("NativeDicomModel"); !rooted {
					return nil, errors.New("it is no NativeDicomModel")
				}
			case x.Is("DicomAttribute"):
				tags = append(tags, strings.ToUpper(string(x.Attr("tag"))))
			case x.Is("Item") && len(tags) == 1:
				item = map[string]string{}
			}
		case xmltok.Text:
			if value = x.AppendText(value); len(value) > 256 {
				value = value[:256]
			}
		case xmltok.End:
			switch {
			case x.Is("Value") && len(tags) == 2 && item != nil:
				item[tags[1]] = strings.TrimSpace(string(value))
			case x.Is("Item") && len(tags) == 1:
				if s := tags[0]; s == "00081198" || s == "00081199" || s == "0008119A" {
					if err := v.add(s, item["00081155"], item["00081196"], item["00081197"]); err != nil {
						return nil, err
					}
				}
				item = nil
			case x.Is("DicomAttribute") && len(tags) > 0:
				tags = tags[:len(tags)-1]
			}
		case xmltok.None:
			if err := x.Err(); err != nil || !rooted {
				return nil, errors.New("it is no XML document")
			}
			return v, nil
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Problem is why a request was refused, as RFC 9457 has it. It never repeats a value of the
// request.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"` // one word: "binding", "media-type" ...
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	// Withheld names the instances that did not pass the inspection.
	Withheld []Withheld `json:"withheld,omitempty"`

	allow      string // of a 405
	accept     bool   // of a 415 because of a content coding
	retryAfter int    // seconds
	close      bool   // the connection cannot be used any more
	cause      error  // for the log alone
}

// Withheld is an instance that is not given out.
type Withheld struct {
	SOPInstance string   `json:"sop_instance"`
	Verdict     string   `json:"verdict"`
	Rules       []string `json:"rules"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

func problem(status int, code, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

// because keeps the cause for the log.
func (p *Problem) because(err error) *Problem {
	p.cause = err
	return p
}

// closing ends the connection with the answer: what is left of the body is not read.
func (p *Problem) closing() *Problem {
	p.close = true
	return p
}

func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.accept {
		h.Set("Accept-Encoding", "identity") // RFC 9110 §12.5.3: what the resource takes
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.close {
		h.Set("Connection", "close")
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic("BUG: a problem cannot be written: " + err.Error())
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

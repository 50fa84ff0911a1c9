// SPDX-License-Identifier: Apache-2.0

// Package mds2 reads answers of the Manufacturer Disclosure Statement for Medical Device
// Security (HIMSS/NEMA HN 1-2019): question ID and answer, from CSV (the worksheet saved as
// text) or JSON.
//
// Only IDs, answers and notes are kept; the questions' wording belongs to the standard and
// is not needed to name a topic. What an answer says is a manufacturer's claim about a model
// and is shown as that: no answer changes a verdict about a vulnerability.
//
// # Forms
//
// CSV: any number of columns, parted by comma, semicolon or tab. A row counts when one cell
// is a question ID (MPII-1, SAHD-2.1); the answer is the next cell that is one (yes, no, n/a,
// see note), or stands under a heading "answer"; what follows it, or stands under "note", is
// the note. Rows "Manufacturer Name", "Device Model" and "Software Revision" say what the
// form is about.
//
// JSON: {"manufacturer", "model", "software_revision", "answers": {"MPII-1": "Yes"}} or with
// answers as a list of {"id", "answer", "note"}.
//
// At most MaxFile bytes and MaxAnswers answers; an ID that is there twice with two answers is
// an error with its line.
package mds2

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a form.
const (
	MaxFile    = 2 << 20
	MaxAnswers = 1000
	maxNote    = 1000
)

// Form is a filled-in disclosure statement.
type Form struct {
	Vendor   string   `json:"vendor,omitempty"`
	Model    string   `json:"model,omitempty"`
	Software string   `json:"software,omitempty"`
	Answers  []Answer `json:"answers"`
}

// Answer is one answer.
type Answer struct {
	ID     string `json:"id"`
	Answer string `json:"answer"` // "yes", "no", "n/a", "see note", or text
	Note   string `json:"note,omitempty"`
}

// Error says where a form is wrong.
type Error struct{ Where, What string }

// Error implements error.
func (e *Error) Error() string { return e.Where + ": " + e.What }

// Hint says what to do.
func (e *Error) Hint() string {
	return "save the worksheet of HN 1-2019 as CSV; docs/advisories.md describes both forms"
}

var question = regexp.MustCompile(`^(DOC|MPII|ALOF|AUDT|AUTH|CSUP|DIDT|DTBK|EMRG|IGAU|MLDP|NAUT|CONN|PAUT|PLOK|RDMP|SBOM|SAHD|SGUD|STCF|TXCF|TXIG|RMOT|OTHR)-\d{1,2}(\.\d{1,2}){0,3}$`)

// topics are what the sections are about, in our words.
var topics = map[string]string{
	"DOC": "the document", "MPII": "personal data on the device", "ALOF": "automatic log-off", "AUDT": "audit records", "AUTH": "who may do what",
	"CSUP": "security updates", "DIDT": "removing identities from data", "DTBK": "backup", "EMRG": "emergency access", "IGAU": "integrity of health data",
	"MLDP": "protection from malware", "NAUT": "authentication of other nodes", "CONN": "connections", "PAUT": "authentication of people", "PLOK": "physical locks",
	"RDMP": "support for third-party components", "SBOM": "software bill of materials", "SAHD": "hardening", "SGUD": "security guidance", "STCF": "encryption of stored data",
	"TXCF": "encryption on the network", "TXIG": "integrity on the network", "RMOT": "remote service", "OTHR": "other",
}

// Topic says in words what a question is about; "" for none.
func Topic(id string) string {
	section, _, _ := strings.Cut(id, "-")
	return topics[section]
}

// Is reports whether data looks like a form: three question IDs or more.
func Is(data []byte) bool {
	n := 0
	for _, f := range bytes.FieldsFunc(data[:min(len(data), MaxFile)], func(r rune) bool { return strings.ContainsRune(",;\t\r\n\"{}[]: ", r) }) {
		if len(f) <= 16 && question.Match(bytes.ToUpper(f)) {
			if n++; n >= 3 {
				return true
			}
		}
	}
	return false
}

// Read reads a form.
func Read(data []byte) (*Form, error) {
	if len(data) > MaxFile {
		return nil, &Error{"file", fmt.Sprintf("is larger than %d MiB", MaxFile>>20)}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var (
		f   *Form
		err error
	)
	if t := bytes.TrimSpace(data); len(t) > 0 && t[0] == '{' {
		f, err = readJSON(t)
	} else {
		f, err = readCSV(data)
	}
	if err != nil {
		return nil, err
	}
	if len(f.Answers) == 0 {
		return nil, &Error{"file", "has no answer"}
	}
	return f, nil
}

func readJSON(data []byte) (*Form, error) {
	var in struct {
		Vendor   string          `json:"manufacturer"`
		Model    string          `json:"model"`
		Software string          `json:"software_revision"`
		Answers  json.RawMessage `json:"answers"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		var s *json.SyntaxError
		if errors.As(err, &s) {
			return nil, &Error{fmt.Sprintf("line %d", 1+bytes.Count(data[:min(int(s.Offset), len(data))], []byte("\n"))), s.Error()}
		}
		return nil, &Error{"file", strings.TrimPrefix(err.Error(), "json: ")}
	}
	f := &Form{Vendor: tidy(in.Vendor), Model: tidy(in.Model), Software: tidy(in.Software), Answers: []Answer{}}
	var list []Answer
	var byID map[string]string
	if err := json.Unmarshal(in.Answers, &byID); err == nil {
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			list = append(list, Answer{ID: id, Answer: byID[id]})
		}
	} else if err := json.Unmarshal(in.Answers, &list); err != nil {
		return nil, &Error{"/answers", "is neither an object nor a list of answers"}
	}
	for i, a := range list {
		if err := f.add(fmt.Sprintf("/answers/%d", i), a); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func readCSV(data []byte) (*Form, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = separator(data), -1, true, true
	f := &Form{Answers: []Answer{}}
	answerAt, noteAt := -1, -1
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, &Error{fmt.Sprintf("line %d", line), "cannot be read as CSV"}
		}
		line, _ := r.FieldPos(0)
		at := slices.IndexFunc(row, func(c string) bool { return question.MatchString(strings.ToUpper(strings.TrimSpace(c))) })
		if at < 0 {
			f.heading(row, &answerAt, &noteAt)
			continue
		}
		a := Answer{ID: row[at]}
		k := answerAt
		if k <= at || k >= len(row) {
			k = at + 1 + slices.IndexFunc(row[at+1:], func(c string) bool { return plain(c) != "" })
			if k <= at {
				continue // a question without an answer
			}
		}
		a.Answer = row[k]
		switch {
		case noteAt > at && noteAt < len(row):
			a.Note = row[noteAt]
		case k+1 < len(row):
			a.Note = row[k+1]
		}
		if strings.TrimSpace(a.Answer) == "" {
			continue
		}
		if err := f.add(fmt.Sprintf("line %d", line), a); err != nil {
			return nil, err
		}
	}
}

// heading reads rows without a question: what the form is about, and headings.
func (f *Form) heading(row []string, answerAt, noteAt *int) {
	for i, c := range row {
		name := strings.ToLower(strings.Trim(strings.TrimSpace(c), ":"))
		switch name {
		case "answer", "response", "yes, no, n/a, or see note":
			*answerAt = i
			continue
		case "note", "notes", "see note", "comment":
			*noteAt = i
			continue
		}
		value := ""
		if i+1 < len(row) {
			value = tidy(row[i+1])
		}
		switch name {
		case "manufacturer name", "manufacturer":
			f.Vendor = value
		case "device model", "model", "product name":
			f.Model = value
		case "software revision", "software release", "software version":
			f.Software = value
		}
	}
}

func (f *Form) add(where string, a Answer) error {
	a.ID = strings.ToUpper(strings.TrimSpace(a.ID))
	if !question.MatchString(a.ID) {
		return &Error{where, "has a question ID that HN 1-2019 does not have"}
	}
	if p := plain(a.Answer); p != "" {
		a.Answer = p
	} else {
		a.Answer = tidy(a.Answer)
	}
	a.Note = tidy(a.Note)
	for _, have := range f.Answers {
		if have.ID == a.ID {
			if have == a {
				return nil
			}
			return &Error{where, a.ID + " is there twice, with two answers"}
		}
	}
	if len(f.Answers) >= MaxAnswers {
		return &Error{where, fmt.Sprintf("is one answer more than %d", MaxAnswers)}
	}
	f.Answers = append(f.Answers, a)
	return nil
}

// plain is an answer in the form in which it is kept; "" for what is none.
func plain(s string) string {
	switch t := strings.ToLower(strings.Trim(strings.TrimSpace(s), ".")); t {
	case "yes", "y":
		return "yes"
	case "no", "n":
		return "no"
	case "n/a", "na", "not applicable":
		return "n/a"
	case "see note", "see notes":
		return "see note"
	}
	return ""
}

func separator(data []byte) rune {
	head := data[:min(len(data), 8192)]
	best, most := ',', bytes.Count(head, []byte(","))
	for _, c := range []rune{';', '\t'} {
		if n := bytes.Count(head, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

func tidy(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), " ")
	if r := []rune(s); len(r) > maxNote {
		s = string(r[:maxNote]) + "…"
	}
	return s
}

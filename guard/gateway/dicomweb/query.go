// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Bounds of a query.
const (
	maxQuery      = 8 << 10
	maxParameters = 64
	maxKeyValue   = 256
)

// usualKeys are those of PS3.18 tables 10.6.1-5, 10.6.3-3 to 10.6.3-5.
var usualKeys = [...]string{
	"StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy", "ReferringPhysicianName", "TimezoneOffsetFromUTC", "RetrieveURL",
	"PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDescription", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
	"Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "SeriesTime", "NumberOfSeriesRelatedInstances", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence", "BodyPartExamined",
	"SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
}

// keysOf reads the attributes of Query.Keys, and adds the usual ones.
func keysOf(more []string) (map[dicom.Tag]bool, error) {
	keys := make(map[dicom.Tag]bool)
	for _, list := range [][]string{usualKeys[:], more} {
		for i, name := range list {
			tag, ok := attribute(name)
			if !ok {
				return nil, fmt.Errorf("attribute %d of the list is not known", i+1)
			}
			keys[tag] = true
		}
	}
	return keys, nil
}

// attribute reads a keyword or the eight digits of a tag.
func attribute(name string) (dicom.Tag, bool) {
	if len(name) == 8 {
		if n, err := strconv.ParseUint(name, 16, 32); err == nil {
			return dicom.Tag(n), true
		}
	}
	return dicom.TagOf(name)
}

// Attributes that select somebody or something.
const (
	tagPatientName   dicom.Tag = 0x00100010
	tagStudyDate     dicom.Tag = 0x00080020
	tagStepStartDate dicom.Tag = 0x00400244
)

// asked is a query that may be passed on.
type asked struct {
	values  url.Values
	keys    []string // names of the attributes that are matched
	literal bool     // fuzzy matching was asked for, and is left out
	limit   int
}

// policy reads the parameters of a query and holds them to the policy.
func (x *exchange) policy() (asked, *Problem) {
	q := x.s.cfg.Query
	out := asked{values: url.Values{}, limit: q.MaxResults}
	bad := func(detail string) (asked, *Problem) {
		return asked{}, problem(http.StatusBadRequest, "query", detail, "see PS3.18 §10.6.1.2 for the parameters of a search")
	}
	if len(x.r.URL.RawQuery) > maxQuery {
		return bad("the query is too long")
	}
	given, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil || len(given) > maxParameters {
		return bad("the query cannot be read, or has too many parameters")
	}
	offset, selected := 0, x.t.study != ""
	for _, name := range sorted(given) {
		values := given[name]
		if name == "includefield" {
			if p := x.fields(values, out.values); p != nil {
				return asked{}, p
			}
			continue
		}
		if len(values) != 1 {
			return bad("a parameter stands twice")
		}
		v := values[0]
		switch name {
		case "limit", "offset":
			n, err := strconv.ParseUint(v, 10, 31)
			if err != nil {
				return bad("limit or offset is no number")
			}
			if name == "limit" {
				out.limit = min(out.limit, int(n))
			} else if offset = int(n); offset > q.MaxOffset {
				return asked{}, problem(http.StatusForbidden, "offset", fmt.Sprintf("results can be paged through to %d", q.MaxOffset), "narrow the query")
			}
		case "fuzzymatching":
			if v != "true" && v != "false" {
				return bad("fuzzymatching is neither true nor false")
			}
			if out.literal = v == "true" && !q.Fuzzy; v == "true" && q.Fuzzy {
				out.values.Set(name, v)
			}
		default:
			tags, ok := keyPath(name)
			if !ok {
				return bad("a parameter is neither one of the standard nor an attribute")
			}
			if !x.s.keys[tags[0]] {
				return asked{}, problem(http.StatusForbidden, "key", "the attribute "+dicom.Keyword(tags[0])+" may not be asked for", "add it to keys of the query policy if it is meant to")
			}
			if len(v) > maxKeyValue || !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7F }) {
				return bad("the value of " + dicom.Keyword(tags[0]) + " is too long or no text")
			}
			out.keys = append(out.keys, dicom.Keyword(tags[len(tags)-1]))
			out.values.Set(name, v)
			selected = selected || len(tags) == 1 && q.selects(tags[0], v)
		}
	}
	if !selected && !q.Unselected {
		return asked{}, problem(http.StatusForbidden, "unselected", "the query selects nobody in particular",
			fmt.Sprintf("give a study, an accession number, a patient's identifier, the first %d letters of a name, or dates of at most %d days", q.Literal, q.MaxDays))
	}
	if out.limit < 1 {
		return bad("limit is 0")
	}
	out.values.Set("limit", strconv.Itoa(out.limit))
	if offset > 0 {
		out.values.Set("offset", strconv.Itoa(offset))
	}
	return out, nil
}

func sorted(v url.Values) []string {
	names := make([]string, 0, len(v))
	for n := range v {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// fields takes the attributes that are asked for besides.
func (x *exchange) fields(values []string, out url.Values) *Problem {
	n := 0
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if n++; n > maxParameters {
				return problem(http.StatusBadRequest, "query", "too many attributes are asked for", "")
			}
			if name == "all" {
				if x.s.cfg.Query.All {
					out.Add("includefield", "all")
					continue
				}
				return problem(http.StatusForbidden, "key", "all attributes may not be asked for at once", "name them, or set all in the query policy")
			}
			tags, ok := keyPath(name)
			if !ok {
				return problem(http.StatusBadRequest, "query", "an attribute that is asked for is not known", "write keywords or tags")
			}
			if !x.s.keys[tags[0]] {
				return problem(http.StatusForbidden, "key", "the attribute "+dicom.Keyword(tags[0])+" may not be asked for", "add it to keys of the query policy if it is meant to")
			}
			out.Add("includefield", name)
		}
	}
	return nil
}

// keyPath reads an attribute, or one within sequences: "RequestAttributesSequence.ScheduledProcedureStepID".
func keyPath(name string) ([]dicom.Tag, bool) {
	var tags []dicom.Tag
	for part := range strings.SplitSeq(name, ".") {
		tag, ok := attribute(part)
		if !ok || len(tags) == 8 {
			return nil, false
		}
		tags = append(tags, tag)
	}
	return tags, true
}

// selects reports whether a key narrows the answer to somebody or something in particular.
func (q *Query) selects(tag dicom.Tag, v string) bool {
	switch tag {
	case dicom.TagStudyInstanceUID, dicom.TagSeriesInstanceUID, dicom.TagSOPInstanceUID:
		for uid := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == '\\' }) {
			if !uidLike(uid) {
				return false
			}
		}
		return v != ""
	case dicom.TagPatientID, dicom.TagAccessionNumber:
		return v != "" && !strings.ContainsAny(v, `*?\,`) && strings.TrimSpace(v) != "" || q.literal(v)
	case tagPatientName:
		return q.literal(v)
	case tagStudyDate, tagStepStartDate:
		from, to, ranged := strings.Cut(v, "-")
		if !ranged {
			to = from
		}
		a, err1 := time.Parse("20060102", from)
		b, err2 := time.Parse("20060102", to)
		return err1 == nil && err2 == nil && !b.Before(a) && b.Sub(a) < time.Duration(q.MaxDays)*24*time.Hour
	}
	return false
}

// literal reports whether a value begins with enough characters that are no wildcard.
func (q *Query) literal(v string) bool {
	n := 0
	for _, r := range v {
		switch r {
		case '*', '?', '\\', ',':
			return n >= q.Literal && r != '\\' && r != ','
		case '^', '=', ' ':
		default:
			n++
		}
	}
	return n >= q.Literal
}

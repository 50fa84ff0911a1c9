// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// values returns the values of a field of a record as the contract has them.
func values(r *record.Record, f store.Field) []string {
	both := func(a, b string) []string {
		switch {
		case a == "":
			return []string{b}
		case b == "" || a == b:
			return []string{a}
		}
		return []string{a, b}
	}
	addr := func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return a.Unmap().String()
	}
	switch f {
	case store.FieldClass:
		return []string{fmt.Sprint(uint32(r.Class))}
	case store.FieldActivity:
		return []string{fmt.Sprintf("%d/%d", r.Class, r.Activity)}
	case store.FieldSeverity:
		return []string{r.Severity.String()}
	case store.FieldStatus:
		return []string{[]string{"unknown", "success", "failure"}[r.Status]}
	case store.FieldProtocol:
		return []string{r.Protocol}
	case store.FieldSensor:
		return []string{r.Sensor}
	case store.FieldTheatre:
		return []string{r.Theatre}
	case store.FieldDevice:
		return both(r.SrcDevice, r.DstDevice)
	case store.FieldSrcDevice:
		return []string{r.SrcDevice}
	case store.FieldDstDevice:
		return []string{r.DstDevice}
	case store.FieldIP:
		return both(addr(r.Src), addr(r.Dst))
	case store.FieldSrcIP:
		return []string{addr(r.Src)}
	}
	return []string{addr(r.Dst)}
}

// texts returns all texts of a record.
func texts(r *record.Record) []string {
	out := []string{r.Protocol, r.Sensor, r.Theatre, r.SrcDevice, r.DstDevice}
	for _, a := range []netip.Addr{r.Src, r.Dst} {
		if a.IsValid() {
			out = append(out, a.String())
		}
	}
	_ = record.Texts(r.Data, func(s string) bool {
		out = append(out, strings.Clone(s))
		return true
	})
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	return out
}

// has reports whether a word, phrase or prefix stands in one of the texts, all in
// lower case.
func has(texts []string, word string, prefix bool) bool {
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }
	w := []rune(strings.ToLower(word))
	for _, s := range texts {
		if !strings.Contains(s, string(w)) {
			continue
		}
		t := []rune(s)
		for i := 0; i+len(w) <= len(t); i++ {
			if !slices.Equal(t[i:i+len(w)], w) {
				continue
			}
			end := i + len(w)
			if i > 0 && letter(t[i-1]) && letter(w[0]) {
				continue
			}
			if !prefix && end < len(t) && letter(t[end]) && letter(w[len(w)-1]) {
				continue
			}
			return true
		}
	}
	return false
}

// needle is a word of a query text, taken apart by hand in the tests' tables.
type needle struct {
	word        string
	prefix, not bool
}

// wanted reports whether a query asks for a record; its text is given as needles.
func wanted(r *record.Record, q store.Query, needles []needle) bool {
	if q.From != 0 && r.Time < q.From || q.To != 0 && r.Time >= q.To || r.Severity < q.MinSeverity {
		return false
	}
	for _, t := range q.Terms {
		found := slices.ContainsFunc(values(r, t.Field), func(v string) bool { return slices.Contains(t.Values, v) })
		if found == t.Not {
			return false
		}
	}
	var all []string
	if len(needles) > 0 {
		all = texts(r)
	}
	for _, n := range needles {
		if has(all, n.word, n.prefix) == n.not {
			return false
		}
	}
	return true
}

// answer returns what a query must give in all.
func answer(all []record.Record, q store.Query, needles []needle) []record.Record {
	var out []record.Record
	for i := range all {
		if wanted(&all[i], q, needles) {
			out = append(out, all[i])
		}
	}
	slices.SortFunc(out, func(a, b record.Record) int {
		c := cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq))
		if !q.Oldest {
			c = -c
		}
		return c
	})
	return out
}

// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Query reads the parameters of an address and refuses those that are not
// known, by name, and values that are no UTF-8. A parameter whose name here ends
// with "..." may be repeated, all others only once.
func Query(r *http.Request, known ...string) (url.Values, *Problem) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, BadRequest("The parameters of the address cannot be read.", "write them as name=value, joined by &, with %XX for special characters")
	}
	names := map[string]reflect.Type{}
	repeated := map[string]bool{}
	for _, n := range known {
		n, many := strings.CutSuffix(n, "...")
		names[n], repeated[n] = nil, many
	}
	var wrong []Field
	for name, values := range q {
		switch _, ok := names[name]; {
		case !ok:
			hint := ""
			if n := nearest(name, names); n != "" {
				hint = "did you mean " + strconv.Quote(n) + "?"
			}
			wrong = append(wrong, Field{shown(name), "is no parameter of this request", hint})
		case len(values) > 1 && !repeated[name]:
			wrong = append(wrong, Field{name, "is there more than once", ""})
		case slices.ContainsFunc(values, func(v string) bool { return strings.ToValidUTF8(v, "") != v || strings.ContainsRune(v, 0) }):
			wrong = append(wrong, Field{name, "is not UTF-8 text", ""})
		}
	}
	if len(wrong) == 0 {
		return q, nil
	}
	slices.SortFunc(wrong, func(a, b Field) int { return strings.Compare(a.Field, b.Field) })
	return nil, BadRequest("The parameters of the address are not right.", "", wrong[:min(len(wrong), MaxErrors)]...)
}

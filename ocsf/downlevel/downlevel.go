// SPDX-License-Identifier: Apache-2.0

// Package downlevel rewrites OCSF 1.8.0 events for consumers that understand an
// older OCSF: 1.1.0 (Amazon Security Lake, Splunk) or 1.3.0.
//
// # What is done
//
//   - Attributes that the older version does not have move to unmapped, below
//     the path that they had: connection_info.community_uid becomes
//     unmapped.connection_info.community_uid. Nothing is lost, with the
//     exception of observables of newer types, which only repeat values.
//   - Events of the Asepsis extension become events of the core: those about a
//     conversation become Network Activity (4001) with activity Traffic (6),
//     those about a device or the sensor become Base Event (0) with activity
//     Other (99). unmapped.asepsis keeps the original class and activity, and the
//     attributes of the class are in unmapped.
//   - What the older version requires and the newer does not is supplied, or the
//     object that would lack it moves to unmapped: see Differences.
//
// # Differences
//
// They were read from the schema files of 1.1.0 and 1.3.0 and from the
// changelog of ocsf/ocsf-schema (Apache-2.0):
//
//   - since 1.3: ja4_fingerprint_list.
//   - since 1.4: connection_info.community_uid and flag_history,
//     traffic.bytes_missed, body_length of http_request and http_response,
//     tls.certificate.sans (before: tls.sans, to which they move), observable
//     types above 30 (1.2 added 11 to 19). Until 1.4, src_endpoint, dst_endpoint, and in HTTP
//     Activity both http_request and http_response with its code are required
//     (a missing response becomes code 0), as are certificate.fingerprints.
//   - since 1.5: http_method PATCH; HTTP Activity has no activity Patch (9) in
//     1.1: it becomes Other (99).
//   - since 1.6: is_src_dst_assignment_known, observation_point_id.
//   - since 1.7: direction_id Local (4), which becomes Other (99). Until then,
//     type_id is required in network_interface (relay of DHCP Activity).
//   - since 1.8: app_protocol_name, network_observation_point.
//   - certificate.is_self_signed is not in 1.1.0.
//
// Where it could not be established when between 1.1 and 1.8 an attribute came,
// it is treated as absent from both: an attribute in unmapped is valid in any
// version.
//
// The tables are allow-lists: what a later encoder adds goes to unmapped by
// itself.
package downlevel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/event"
)

// The versions that events can be rewritten for.
const (
	V1_1 = "1.1.0"
	V1_3 = "1.3.0"
)

// Versions returns the versions, newest first.
func Versions() []string { return []string{V1_3, V1_1} }

type object = map[string]any

// Convert returns the event, one JSON object of OCSF 1.8.0 as AppendOCSF of
// core/event writes it, rewritten for the version, with sorted attribute names.
// It does not change its argument.
func Convert(ocsf []byte, version string) ([]byte, error) {
	if !slices.Contains(Versions(), version) {
		return nil, fmt.Errorf("OCSF version %q: want one of %v", version, Versions())
	}
	d := json.NewDecoder(bytes.NewReader(ocsf))
	d.UseNumber()
	var ev object
	if err := d.Decode(&ev); err != nil {
		return nil, fmt.Errorf("rewrite event for OCSF %s: %w", version, err)
	}
	meta, _ := ev["metadata"].(object)
	if got := meta["version"]; got != event.SchemaVersion {
		return nil, fmt.Errorf("rewrite event for OCSF %s: it is of version %v, want %s", version, got, event.SchemaVersion)
	}
	r := rewriter{version: version, unmapped: object{}}
	if u, ok := ev["unmapped"].(object); ok {
		r.unmapped = u
	}
	delete(ev, "unmapped")
	meta["version"] = version

	class := r.class(ev, meta)
	for _, name := range sorted(ev) {
		if !slices.Contains(base, name) && !slices.Contains(class.attributes, name) && !(version != V1_1 && class.network && slices.Contains(since1_3, name)) {
			r.unmapped[name] = ev[name]
			delete(ev, name)
		}
	}
	r.objects(ev)
	r.requirements(ev, class)
	r.observables(ev)
	if len(r.unmapped) > 0 {
		ev["unmapped"] = r.unmapped
	}
	return json.Marshal(ev)
}

type rewriter struct {
	version  string
	unmapped object
}

// class decides which class the event is in, in the older version, and writes
// the classification anew where it is another.
func (r *rewriter) class(ev, meta object) classOf {
	uid := integer(ev["class_uid"])
	c, known := classes[uid]
	if known {
		if other := activityOther[uid]; slices.Contains(other, integer(ev["activity_id"])) {
			ev["activity_id"], ev["type_uid"] = 99, uid*100+99
			ev["type_name"] = fmt.Sprintf("%v: Other", ev["class_name"])
		}
		return c
	}
	original := object{}
	for _, n := range []string{"class_uid", "class_name", "category_uid", "category_name", "activity_id", "activity_name", "type_uid", "type_name"} {
		if ev[n] != nil {
			original[n] = ev[n]
		}
	}
	if x := meta["extensions"]; x != nil {
		original["extensions"] = x
		delete(meta, "extensions")
	}
	r.unmapped["asepsis"] = original
	if integer(ev["category_uid"]) == categoryNetwork {
		c = classes[int64(event.ClassNetwork)]
		const traffic = 6
		ev["class_uid"], ev["class_name"] = int64(event.ClassNetwork), "Network Activity"
		ev["activity_id"], ev["activity_name"] = traffic, "Traffic"
		ev["type_uid"], ev["type_name"] = int64(event.ClassNetwork)*100+traffic, "Network Activity: Traffic"
		return c
	}
	name, _ := ev["activity_name"].(string)
	ev["class_uid"], ev["class_name"] = 0, "Base Event"
	ev["category_uid"], ev["category_name"] = 0, "Uncategorized"
	ev["activity_id"], ev["activity_name"] = 99, name
	ev["type_uid"], ev["type_name"] = 99, "Base Event: Other"
	return classOf{}
}

// objects moves the attributes of objects that the older version lacks.
func (r *rewriter) objects(ev object) {
	for _, rule := range objects {
		o, parent := find(ev, rule.path)
		if o == nil {
			continue
		}
		for _, n := range sorted(o) {
			if !slices.Contains(rule.attributes, n) {
				if rule.path[len(rule.path)-1] == "certificate" && n == "sans" {
					parent["sans"] = o[n] // tls.sans, as before 1.4
				} else {
					r.keep(append(slices.Clone(rule.path), n), o[n])
				}
				delete(o, n)
			}
		}
	}
	if c, _ := find(ev, []string{"connection_info"}); c != nil {
		const local = 4
		if integer(c["direction_id"]) == local {
			c["direction_id"] = 99
		}
	}
	if q, _ := find(ev, []string{"http_request"}); q != nil && q["http_method"] == "PATCH" {
		r.keep([]string{"http_request", "http_method"}, "PATCH")
		delete(q, "http_method")
	}
}

// requirements supplies what the older version requires.
func (r *rewriter) requirements(ev object, c classOf) {
	if c.network {
		for _, n := range []string{"src_endpoint", "dst_endpoint"} {
			if ev[n] == nil {
				ev[n] = object{"name": "unknown"}
			}
		}
	}
	if integer(ev["class_uid"]) == int64(event.ClassHTTP) {
		if ev["http_request"] == nil {
			ev["http_request"] = object{}
		}
		if ev["http_response"] == nil {
			ev["http_response"] = object{"code": 0}
		}
	}
	if t, _ := find(ev, []string{"tls"}); t != nil {
		if c, ok := t["certificate"].(object); ok && c["fingerprints"] == nil {
			r.keep([]string{"tls", "certificate"}, c)
			delete(t, "certificate")
		}
	}
	if i, ok := ev["relay"].(object); ok {
		i["type_id"], i["type"] = 0, "Unknown"
	}
	if a, ok := ev["response"].(object); ok && a["code"] == nil {
		r.keep([]string{"response"}, a)
		delete(ev, "response")
	}
}

// observables drops those of types that came later, and those of attributes
// that moved.
func (r *rewriter) observables(ev object) {
	list, ok := ev["observables"].([]any)
	if !ok {
		return
	}
	newest := int64(10)
	if r.version != V1_1 {
		newest = 19
	}
	list = slices.DeleteFunc(list, func(e any) bool {
		o, _ := e.(object)
		id := integer(o["type_id"])
		name, _ := o["name"].(string)
		return id > newest && !(id >= 20 && id <= 30) || !present(ev, name)
	})
	ev["observables"] = list
	if len(list) == 0 {
		delete(ev, "observables")
	}
}

// keep stores a value in unmapped, below its path.
func (r *rewriter) keep(path []string, v any) {
	o := r.unmapped
	for _, p := range path[:len(path)-1] {
		next, ok := o[p].(object)
		if !ok {
			next = object{}
			o[p] = next
		}
		o = next
	}
	o[path[len(path)-1]] = v
}

// find returns the object at a path and the one that holds it.
func find(ev object, path []string) (o, parent object) {
	o = ev
	for _, p := range path {
		parent = o
		next, ok := o[p].(object)
		if !ok {
			return nil, nil
		}
		o = next
	}
	return o, parent
}

// present reports whether a dotted path leads to something.
func present(v any, path string) bool {
	for path != "" {
		var name string
		name, path = cut(path)
		if list, ok := v.([]any); ok {
			if len(list) == 0 {
				return false
			}
			v = list[0]
		}
		o, ok := v.(object)
		if !ok || o[name] == nil {
			return false
		}
		v = o[name]
	}
	return true
}

func cut(path string) (first, rest string) {
	for i := range len(path) {
		if path[i] == '.' {
			return path[:i], path[i+1:]
		}
	}
	return path, ""
}

func integer(v any) int64 {
	switch n := v.(type) {
	case json.Number:
		i, _ := n.Int64()
		return i
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func sorted(o object) []string {
	out := make([]string, 0, len(o))
	for n := range o {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

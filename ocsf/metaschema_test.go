// SPDX-License-Identifier: Apache-2.0

package ocsf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/ocsf"
)

// The files of the extension are checked with OCSF's own metaschema, which is
// JSON Schema 2020-12. Only the keywords that the metaschema uses are known
// here; another one fails the test.

type metaschema struct {
	t     *testing.T
	files map[string]map[string]any
}

func TestTheExtensionFollowsTheMetaschemaOfOCSF(t *testing.T) {
	load(t)
	m := &metaschema{t, map[string]map[string]any{}}
	entries, err := os.ReadDir(filepath.FromSlash(schemaDir + "/metaschema"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(filepath.FromSlash(schemaDir), "metaschema", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		m.files[e.Name()] = v
	}
	n := 0
	err = fs.WalkDir(ocsf.Files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind := strings.TrimSuffix(path.Base(p), ".json")
		switch strings.Split(p, "/")[0] {
		case "events":
			kind = "event"
		case "objects":
			kind = "object"
		}
		b, err := ocsf.Files.ReadFile(p)
		if err != nil {
			return err
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		var v any
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, e := range m.check(m.files[kind+".schema.json"], v, p) {
			t.Error(e)
		}
		n++
		return nil
	})
	if err != nil || n < 10 {
		t.Fatalf("%d files, %v", n, err)
	}
	bad := map[string]any{"caption": "x", "name": "Not Good", "attributes": map[string]any{"a": map[string]any{"group": "primary", "requirement": "optional"}}}
	if errs := m.check(m.files["event.schema.json"], bad, "bad"); len(errs) < 3 {
		t.Errorf("a bad class gave only %q", errs)
	}
}

func (m *metaschema) check(schema any, v any, at string) (errs []string) {
	if b, ok := schema.(bool); ok {
		if !b {
			errs = append(errs, at+": not allowed")
		}
		return errs
	}
	s := schema.(map[string]any)
	add := func(format string, args ...any) { errs = append(errs, at+": "+fmt.Sprintf(format, args...)) }
	obj, isObj := v.(map[string]any)
	evaluated := map[string]bool{}
	for key, want := range s {
		switch key {
		case "$id", "$schema", "description", "title", "format", "then", "else", "additionalProperties", "minItems", "maxItems":
		case "$ref":
			f, ok := m.files[want.(string)]
			if !ok {
				m.t.Fatalf("no metaschema %v", want)
			}
			errs = append(errs, m.check(f, v, at)...)
		case "type":
			if got := jsonType(v); got != want && !(got == "integer" && want == "number") {
				add("is %s, want %v", got, want)
			}
		case "properties":
			for n, sub := range want.(map[string]any) {
				evaluated[n] = true
				if isObj && obj[n] != nil {
					errs = append(errs, m.check(sub, obj[n], at+"."+n)...)
				}
			}
		case "patternProperties":
			for re, sub := range want.(map[string]any) {
				for n, x := range obj {
					if regexp.MustCompile(re).MatchString(n) {
						evaluated[n] = true
						if props, _ := s["properties"].(map[string]any); props[n] == nil {
							errs = append(errs, m.check(sub, x, at+"."+n)...)
						}
					}
				}
			}
		case "required":
			for _, n := range want.([]any) {
				if isObj && obj[n.(string)] == nil {
					add("has no %v", n)
				}
			}
		case "items":
			list, _ := v.([]any)
			for i, x := range list {
				errs = append(errs, m.check(want, x, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "allOf":
			for _, sub := range want.([]any) {
				errs = append(errs, m.check(sub, v, at)...)
			}
		case "anyOf":
			var all []string
			for _, sub := range want.([]any) {
				e := m.check(sub, v, at)
				if len(e) == 0 {
					all = nil
					break
				}
				all = append(all, e...)
			}
			errs = append(errs, all...)
		case "if":
			branch := s["then"]
			if len(m.check(want, v, at)) > 0 {
				branch = s["else"]
			}
			if branch != nil {
				errs = append(errs, m.check(branch, v, at)...)
			}
		case "enum":
			ok := false
			for _, x := range want.([]any) {
				ok = ok || reflect.DeepEqual(x, v)
			}
			if !ok {
				add("%v is not one of %v", v, want)
			}
		case "const":
			if !reflect.DeepEqual(want, v) {
				add("%v is not %v", v, want)
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < want.(float64) {
				add("%v is below %v", n, want)
			}
		case "maximum":
			if n, ok := v.(float64); ok && n > want.(float64) {
				add("%v is above %v", n, want)
			}
		case "minLength":
			if x, ok := v.(string); ok && float64(len(x)) < want.(float64) {
				add("%q is shorter than %v", x, want)
			}
		case "pattern":
			if x, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(x) {
				add("%q does not match %v", x, want)
			}
		default:
			m.t.Fatalf("metaschema keyword %q is not known here", key)
		}
	}
	if more, ok := s["additionalProperties"]; ok {
		for n, x := range obj {
			if !evaluated[n] {
				errs = append(errs, m.check(more, x, at+"."+n)...)
			}
		}
	}
	return errs
}

func jsonType(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "null"
}

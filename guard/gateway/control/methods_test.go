// SPDX-License-Identifier: Apache-2.0

package control

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryMethodIsAReadingOrADeed: what is new must be put to one of them by a person.
func TestEveryMethodIsAReadingOrADeed(t *testing.T) {
	deeds := "Decide Drop DryRun EchoTo EndStep SetBindings SetPolicy Steer"
	var got []string
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if !reads[name] && name != "HeaderOf" {
			got = append(got, name)
		}
	}
	if s := strings.Join(got, " "); s != deeds {
		t.Errorf("deeds are %s, want %s", s, deeds)
	}
	for name := range reads {
		if methods[name] == nil {
			t.Errorf("%s is a reading that there is not", name)
		}
	}
	c := reflect.TypeFor[Control]()
	for i := range c.NumMethod() {
		if name := c.Method(i).Name; methods[name] == nil {
			t.Errorf("%s cannot be asked for over the bus", name)
		}
	}
}

func TestWhatIsADeed(t *testing.T) {
	for _, x := range []struct {
		method, body string
		deed         bool
	}{
		{"Overview", "", false},
		{"Decide", `{"number":1}`, true},
		{"HeaderOf", `{"number":1}`, false},
		{"HeaderOf", `{"number":1,"clear":false}`, false},
		{"HeaderOf", `{"number":1,"clear":true}`, true},
		{"HeaderOf", `{"number":1,"clear":false,"CLEAR":true}`, true},
		{"HeaderOf", `not JSON`, true},
		{"HeaderOf", ``, true},
		{"WhatComesNextYear", ``, true},
	} {
		if got := deed(&Request{Method: x.method, Body: json.RawMessage(x.body)}); got != x.deed {
			t.Errorf("%s %s: %v", x.method, x.body, got)
		}
	}
}

// TestAPersonIsFoundWhereTheGatewayLooks: the arguments that the gateway reads and those in
// which the person is looked for must not differ.
func TestAPersonIsFoundWhereTheGatewayLooks(t *testing.T) {
	for _, body := range []string{`{"user":"ada"}`, `{"User":"ada"}`, `{"user":"eve","USER":"ada"}`, `{"User":"eve","user":"ada"}`} {
		var d Decide
		var s steerArgs
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		if who := named([]byte(body)); who == nil || *who != "ada" || d.User != *who || s.User != *who {
			t.Errorf("%s: %v, %q, %q", body, who, d.User, s.User)
		}
	}
	for _, body := range []string{``, `"xr-3"`, `{}`, `[1]`, `null`, `{"user":null}`} {
		if who := named([]byte(body)); who != nil {
			t.Errorf("%s: %q", body, *who)
		}
	}
}

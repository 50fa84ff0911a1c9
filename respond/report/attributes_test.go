// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
)

const attributesDoc = "../../docs/attributes.md"

const attributesHead = `# Attributes of application protocols

Protocols without an event class of their own are reported as Application Protocol Activity or Medical Device Activity
(see [events.md](events.md)), with what they say as named values in ` + "`protocol_attributes`" + `. This table lists every name that the
recorded captures give, with the operations it comes with and a value as an example. It is written by
` + "`go test ./respond/report -run Attributes -update`" + ` and held true by the same test.

Names are lower_snake_case. Values are text of at most 256 bytes. Names that end in ` + "`_pseudonym`" + ` hold keyed pseudonyms.
Of a flood of events that say the same the first is reported, then, of a live network, one a second: ` + "`repeated`" + ` is how many it stands for,
` + "`repeated_since`" + ` the time of the first of them.

| protocol | attribute | with the operations | example |
|---|---|---|---|
`

// TestAttributesAreDocumented holds docs/attributes.md to what the captures give.
func TestAttributesAreDocumented(t *testing.T) {
	type use struct {
		operations []string
		example    string
	}
	uses := map[[2]string]*use{}
	note := func(protocol, operation string, kvs []event.KV) {
		for _, kv := range kvs {
			k := [2]string{protocol, kv.Name}
			u := uses[k]
			if u == nil {
				u = &use{}
				uses[k] = u
			}
			if operation != "" && !slices.Contains(u.operations, operation) {
				u.operations = append(u.operations, operation)
			}
			if len(kv.Value) > 0 && (u.example == "" || kv.Value < u.example) {
				u.example = kv.Value
			}
		}
	}
	for _, f := range captures(t, recordedDir) {
		_, events := runFile(t, f, 1)
		for _, e := range events {
			switch d := e.Detail.(type) {
			case *event.Application:
				note(d.Name, d.Operation, d.Attributes)
			case *event.MedicalDevice:
				note(d.Standard, d.Message, d.Attributes)
			}
		}
	}
	var rows []string
	for k, u := range uses {
		slices.Sort(u.operations)
		ops := strings.Join(u.operations, ", ")
		if len(u.operations) > 6 {
			ops = strings.Join(u.operations[:6], ", ") + ", …"
		}
		example := u.example
		if r := []rune(example); len(r) > 48 {
			example = string(r[:47]) + "…"
		}
		if strings.HasPrefix(example, "p:") {
			example = "p:…"
		}
		clean := strings.NewReplacer("|", "\\|", "`", "'", "\n", " ")
		rows = append(rows, fmt.Sprintf("| %s | `%s` | %s | %s |", clean.Replace(k[0]), clean.Replace(k[1]), clean.Replace(ops), clean.Replace(example)))
	}
	slices.Sort(rows)
	if *update {
		if err := os.WriteFile(attributesDoc, []byte(attributesHead+strings.Join(rows, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	doc, err := os.ReadFile(attributesDoc)
	if err != nil {
		t.Fatal(err)
	}
	for k := range uses {
		if !strings.Contains(string(doc), fmt.Sprintf("| %s | `%s` |", k[0], k[1])) {
			t.Errorf("%s: %q is not in docs/attributes.md", k[0], k[1])
		}
	}
}

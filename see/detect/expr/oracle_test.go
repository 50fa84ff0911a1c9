// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// oracle evaluates with CEL's own interpreter, over values that are made anew.
type oracle struct {
	env   *cel.Env
	roots map[string]*field
}

// known gives the checker our types and the interpreter the values of their fields.
type known struct{ *provider }

func (k *known) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	ft, ok := k.provider.FindStructFieldType(name, fieldName)
	if !ok || objectOf(name) == nil {
		return ft, ok
	}
	return &types.FieldType{Type: ft.Type,
		IsSet:   func(target any) bool { return target.(*held).node(fieldName).has()(target.(*held).s, newFrame()) },
		GetFrom: func(target any) (any, error) { return target.(*held).get(fieldName), nil },
	}, true
}

// held is a thing with fields, as a value of CEL.
type held struct {
	o *object
	n *node
	s *scene.Scene
}

func (h *held) node(name string) *node {
	f := h.o.field(name)
	if f.node != nil {
		return f.node(nil)
	}
	return fieldNode(h.n, f)
}

func (h *held) get(name string) ref.Val { return boxed(h.node(name), h.s) }

func (h *held) ConvertToNative(reflect.Type) (any, error) { return nil, errors.New("not here") }
func (h *held) ConvertToType(ref.Type) ref.Val            { return types.NewErr("not here") }
func (h *held) Equal(ref.Val) ref.Val                     { return types.False }
func (h *held) Type() ref.Type                            { return types.NewObjectType(typePrefix + h.o.name) }
func (h *held) Value() any                                { return h }

func (h *held) Get(index ref.Val) ref.Val { return h.get(string(index.(types.String))) }

// attrs is a map that has "" for what it does not have.
type attrs struct {
	traits.Mapper
	zero ref.Val
}

func (a attrs) Find(key ref.Val) (ref.Val, bool) {
	if v, ok := a.Mapper.Find(key); ok {
		return v, true
	}
	return a.zero, true
}

func (a attrs) Get(key ref.Val) ref.Val { v, _ := a.Find(key); return v }

func boxed(n *node, s *scene.Scene) ref.Val {
	adapt := types.DefaultTypeAdapter
	switch n.kind {
	case kBool:
		return types.Bool(n.b(s, nil))
	case kInt:
		return types.Int(n.i(s, nil))
	case kFloat:
		return types.Double(n.d(s, nil))
	case kText:
		return types.String(n.s(s, nil))
	case kTexts:
		return adapt.NativeToValue(append([]string{}, n.ss(s, nil)...))
	case kInts:
		out := []int64{}
		l := n.is(s, nil)
		for i := range l.len() {
			out = append(out, l.at(i))
		}
		return adapt.NativeToValue(out)
	case kAttrs:
		m := map[string]string{}
		for _, kv := range n.kv(s, nil) {
			if _, twice := m[kv.Name]; !twice {
				m[kv.Name] = kv.Value
			}
		}
		return attrs{adapt.NativeToValue(m).(traits.Mapper), types.String("")}
	case kCounts:
		m := map[string]int64{}
		for k, v := range n.counts(s, nil) {
			m[k] = int64(v)
		}
		return attrs{adapt.NativeToValue(m).(traits.Mapper), types.Int(0)}
	case kObject:
		return &held{n.of, n, s}
	case kObjects:
		l := n.os(s, nil)
		out := []ref.Val{}
		for i := range l.n {
			p := l.at(i)
			out = append(out, &held{n.of, &node{kind: kObject, of: n.of, o: func(*scene.Scene, *frame) thing { return p }}, s})
		}
		return adapt.NativeToValue(out)
	}
	panic("a node of no kind")
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	roots := env.variables(nil)
	registry, err := types.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	opts := []cel.EnvOption{
		cel.CustomTypeProvider(&known{&provider{Provider: registry}}), cel.CrossTypeNumericComparisons(true), cel.HomogeneousAggregateLiterals(),
		cel.ParserRecursionLimit(MaxLength), cel.ParserExpressionSizeLimit(MaxLength),
	}
	opts = append(opts, declarations()...)
	for _, f := range roots {
		opts = append(opts, cel.Variable(f.name, celType(f.kind, f.of)))
	}
	e, err := cel.NewEnv(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return &oracle{e, roots}
}

// unbound are functions that only the checker of the oracle knows.
var unbound = []string{"abs", "cidr", "device_at", "entropy", "first", "hour", "in_list", "parent_domain", "stations", "upper", "weekday"}

// eval gives the value, an error, and whether the oracle knows the expression.
func (o *oracle) eval(text string, s *scene.Scene) (got bool, failed, ok bool) {
	tree, iss := o.env.Compile(text)
	if iss.Err() != nil || tree.OutputType() != cel.BoolType || slices.ContainsFunc(unbound, func(f string) bool { return strings.Contains(text, f) }) {
		return false, false, false
	}
	p, err := o.env.Program(tree, cel.CostLimit(100_000))
	if err != nil {
		return false, false, false
	}
	vars := map[string]any{}
	for name, f := range o.roots {
		switch {
		case f.node != nil:
			vars[name] = boxed(f.node(nil), s)
		default:
			n := &node{kind: kObject, of: f.of, o: func(*scene.Scene, *frame) thing { return nil }}
			for _, k := range detailKinds {
				if k.name == name {
					n = detailNode(k, f.of)
				}
			}
			vars[name] = &held{f.of, n, s}
		}
	}
	v, _, err := p.Eval(vars)
	if err != nil {
		return false, true, !strings.Contains(err.Error(), "cost limit")
	}
	return bool(v.(types.Bool)), false, true
}

// scenes of several kinds.
func oracleScenes() []*scene.Scene {
	ct := device.Device{ID: "ct", Name: "CT-1", Class: device.ClassCT, AETitles: []string{"CT1", "CT2"}}
	w := scene.NewWorld([]device.Device{ct}, nil, nil)
	three := uint16(3)
	base := scene.Scene{World: w, Theatre: "OR-3", Case: theatre.InCase, Src: scene.Party{IP: netip.MustParseAddr("10.0.0.5"), Port: 40000, ID: "ct", Device: w.Device("ct"), Internal: true}, Dst: scene.Party{IP: netip.MustParseAddr("2001:db8::1"), Port: 104}}
	var out []*scene.Scene
	for _, d := range []event.Detail{
		&event.DICOMOperation{Command: "C-FIND", Results: 7, Failed: &three, QueryKeys: []string{"PatientID", "StudyDate", "7"}, WildcardKeys: []string{"PatientName"}, Answered: true},
		&event.DICOMAssociation{CallingAE: "Ct1", Operations: map[string]uint32{"C-FIND": 4}, Contexts: []event.PresentationContext{{ID: 1, AbstractSyntax: "1.2", TransferSyntaxes: []string{"a", "b"}}, {ID: 3, Result: "acceptance"}}},
		&event.TLS{SNI: "Pacs.Hospital.example", ServerChain: []event.Certificate{{Subject: "CN=x", SelfSigned: true}, {Subject: "CN=y", IsCA: true}}},
		&event.Application{Name: "snmp", Attributes: []event.KV{{Name: "community", Value: "public"}, {Name: "n", Value: "12"}, {Name: "n", Value: "13"}}},
		&event.HL7Message{Type: "SIU", Schedule: &event.HL7Schedule{Room: "OR-3"}, ObservationCount: -2},
		&event.NTP{Delay: 0.25, OffsetMS: -9223372036854775808},
		nil,
	} {
		s := base
		s.Event = &event.Event{Time: 1_700_000_000_000_000_000, Activity: 1, Protocol: "x", Status: event.StatusFailure, Flow: &event.Flow{Proto: 6, VLANs: []uint16{7, 42}}, Detail: d}
		out = append(out, &s)
	}
	return out
}

var oracleSeeds = []string{
	`op.results > 5 && op.dimse_command == "C-FIND" || tls.sni != ""`, `op.query_keys.exists(k, k.startsWith("Pat")) && !op.query_keys.all(k, size(k) > 2)`,
	`op.query_keys.filter(k, k > "Q").map(k, lower(k)) == ["studydate"]`, `op.query_keys.map(k, k != "7", size(k)) == [9, 9]`, `op.query_keys.exists_one(k, int(k) == 7)`, `op.query_keys.exists(k, int(k) == 7)`,
	`op.query_keys.all(k, int(k) == 7)`, `op.query_keys[3] == "x" || true`, `op.query_keys[3] == "x" && false`, `(op.query_keys[3] == "x") == (1 == 2 && true)`,
	`has(op.sub_operations_failed) && op.sub_operations_failed == 3 && !has(op.sub_operations_warning) && op.sub_operations_warning == 0`,
	`has(hl7.schedule) ? hl7.schedule.room == "OR-3" : hl7.schedule.room == ""`, `hl7.observation_count % 2 == 0 && hl7.observation_count / 2 == -1`,
	`ntp.offset_ms - 1 < 0`, `-ntp.offset_ms > 0`, `ntp.offset_ms * -1 > 0`, `1 / hl7.observation_count == 0`, `ntp.delay == 0.25 || ntp.delay * 4.0 == 1.0`, `ntp.delay < 1`,
	`app.attr["n"] == "12" && app.attr["none"] == "" && "n" in app.attr && !("none" in app.attr)`, `app.attr.exists(k, app.attr[k] == "public")`, `has(app.attr.n) && app.attr.n.contains("1")`,
	`assoc.dimse_operations["C-FIND"] == 4 && assoc.dimse_operations["x"] == 0`, `assoc.presentation_contexts.exists(c, c.result == "acceptance" && c.presentation_context_num == 3)`,
	`assoc.presentation_contexts.filter(c, has(c.result)).size() == 1`, `assoc.presentation_contexts[0].transfer_syntax_uids.all(x, x in ["a", "b"])`, `assoc.presentation_contexts[5].result == ""`,
	`tls.server_chain.exists(c, c.is_self_signed && c.subject.endsWith("x"))`, `lower(tls.sni).endsWith(".example") && label_count(tls.sni) == 3`, `tls.sni.matches("^[A-Z]")`,
	`src.ip == "10.0.0.5" && dst.ip == "2001:db8::1" && src.ip in ["10.0.0.5"]`, `42 in flow.vlans && flow.vlans == [7, 42] && flow.vlans[1] == 42`, `flow.vlans.map(v, v + 1) == [8, 43]`,
	`"CT2" in src.ae_titles && src.ae_titles + ["x"] == ["CT1", "CT2", "x"]`, `in_case && theatre == "OR-3" && event.kind in ["op", "tls"]`, `string(op.results) + "" == "7" || string(true) == "true"`,
	`double(op.results) / 2.0 == 3.5`, `int(3.9) == 3 && int("x") == 1`, `double("2.5") > 2`, `(op.results > 5 ? op.query_keys : op.wildcard_keys)[0] == "PatientID"`, `!(op.is_answered == true)`, `"a" < "b" && "b" >= "b"`,
	`event.time > 0 && event.time + 9223372036854775807 > 0`,
}

// hasName asks whether named values have a name; in the oracle, where what is not
// there reads as empty, they have all.
var hasName = regexp.MustCompile(`has\s*\([^)]*\.\s*(attr|dimse_operations)\s*\.`)

// agree holds what is accepted here against CEL: it is accepted there, is of the
// same type and has the same value.
func agree(t *testing.T, env *Env, o *oracle, text string, scenes []*scene.Scene) {
	t.Helper()
	if v, err := env.value(nil, text); err == nil {
		tree, iss := o.env.Compile(text)
		if iss.Err() != nil {
			t.Fatalf("%q: accepted; CEL says %v", text, iss.Err())
		}
		if want := celType(v.node.kind, v.node.of); !tree.OutputType().IsAssignableType(want) && !want.IsAssignableType(tree.OutputType()) {
			t.Fatalf("%q: is %v; CEL says %v", text, want, tree.OutputType())
		}
	}
	b, err := env.Bool(nil, text)
	if err != nil {
		return
	}
	for i, s := range scenes {
		want, wantErr, ok := o.eval(text, s)
		if !ok || hasName.MatchString(text) {
			return
		}
		got, err := b.Eval(s)
		if (err != nil) != wantErr || got != want {
			t.Errorf("%s in scene %d: %v, %v; CEL says %v, failed %v", text, i, got, err, want, wantErr)
		}
	}
}

// TestWhatIsCompiledMeansWhatCELMeans holds our evaluation against CEL's own.
func TestWhatIsCompiledMeansWhatCELMeans(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	o, scenes := newOracle(t), oracleScenes()
	for _, text := range oracleSeeds {
		if _, err := env.Bool(nil, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if _, _, ok := o.eval(text, scenes[0]); !ok {
			t.Errorf("%s: the oracle does not know it", text)
		}
		agree(t, env, o, text, scenes)
	}
}

// FuzzExpression looks for an expression that crashes the compiler or means
// something else to CEL.
func FuzzExpression(f *testing.F) {
	for _, s := range slices.Concat(oracleSeeds, grammarSeeds) {
		f.Add(s)
	}
	env, err := NewEnv()
	if err != nil {
		f.Fatal(err)
	}
	o, scenes := newOracle(f), oracleScenes()
	f.Fuzz(func(t *testing.T, text string) { agree(t, env, o, text, scenes) })
}

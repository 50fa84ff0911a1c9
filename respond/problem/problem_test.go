// SPDX-License-Identifier: Apache-2.0

package problem_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

type colour string

func (c *colour) UnmarshalText(b []byte) error {
	if s := string(b); s != "red" && s != "blue" {
		return &problem.ValueError{Message: "must be a colour", Hint: "one of red, blue"}
	}
	*c = colour(b)
	return nil
}

type common struct {
	Note string `json:"note"`
}

type order struct {
	common
	Name     string                    `json:"name"`
	Count    int8                      `json:"count"`
	Port     uint16                    `json:"port"`
	Share    float64                   `json:"share"`
	Urgent   bool                      `json:"urgent"`
	Tags     []string                  `json:"tags"`
	Colours  map[string]colour         `json:"colours"`
	Lines    []line                    `json:"lines"`
	Parent   *line                     `json:"parent"`
	At       time.Time                 `json:"at"`
	Class    problem.Optional[string]  `json:"class"`
	Level    problem.Optional[[]int32] `json:"level"`
	Any      any                       `json:"any"`
	Raw      json.RawMessage           `json:"raw"`
	Blob     []byte                    `json:"blob"`
	Ignored  string                    `json:"-"`
	internal string
}

type line struct {
	Text string `json:"text"`
}

func request(body string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

func TestWhatIsRead(t *testing.T) {
	got, p := problem.DecodeJSON[order](request(`
		{"name":"a","note":"n","count":-128,"port":65535,"share":0.5,"urgent":true,"tags":["x"],"colours":{"k":"red"},"lines":[{"text":"t"}],"parent":null,
		 "at":"2026-03-16T08:00:00Z","class":null,"level":[1],"any":{"a":[1,null]},"raw":[1 , 2],"blob":"aGk="} `), 1000)
	if p != nil {
		t.Fatal(p)
	}
	if got.Name != "a" || got.Note != "n" || got.Count != -128 || got.Port != 65535 || got.Colours["k"] != "red" || got.Lines[0].Text != "t" || got.Parent != nil || got.internal != "" ||
		!got.Class.Given || !got.Class.Null || !got.Level.Given || got.Level.Null || got.Level.Value[0] != 1 || string(got.Raw) != "[1 , 2]" || string(got.Blob) != "hi" || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	if got, p := problem.DecodeJSON[order](request(`{}`), 1000); p != nil || got.Class.Given {
		t.Errorf("%+v, %v", got, p)
	}
	if got, p := problem.DecodeJSON[[]string](request(`["a"]`), 1000); p != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("%+v, %v", got, p)
	}
	merge := request(`{}`)
	merge.Header.Set("Content-Type", "application/merge-patch+json")
	if _, p := problem.DecodeJSON[order](merge, 10); p != nil {
		t.Error(p)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string // "field: message", "hint" or parts of the detail
	}{
		"nothing":                           {"", []string{"no body", "an object"}},
		"white space":                       {" \n", []string{"no body"}},
		"text":                              {"name=a", []string{"not JSON", "line 1, column 2"}},
		"half of it":                        {"{\n \"name\": \"a", []string{"not JSON", "line 2, column 12"}},
		"two values":                        {`{} {}`, []string{"after the JSON value"}},
		"something after it":                {`{"name":"a"}x`, []string{"after the JSON value"}},
		"a comma too many":                  {`{"name":"a",}`, []string{"not JSON"}},
		"bytes that are no text":            {"{\"name\":\"\xff\"}", []string{"not UTF-8"}},
		"a byte order mark":                 {"\ufeff{}", []string{"byte order mark"}},
		"a list for an object":              {`[]`, []string{"The request must be an object, is a list."}},
		"null":                              {`null`, []string{"The request must be an object, is null."}},
		"an unknown field":                  {`{"nane":"a"}`, []string{"nane: is no field of this request", `did you mean "name"?`}},
		"another case":                      {`{"Name":"a"}`, []string{"Name: is no field", `did you mean "name"?`}},
		"a field of nobody":                 {`{"zzzzzzzz":"a"}`, []string{"zzzzzzzz: is no field"}},
		"a field that is not of JSON":       {`{"Ignored":"a"}`, []string{"Ignored: is no field"}},
		"a field that is our own":           {`{"internal":"a"}`, []string{"internal: is no field"}},
		"an unknown field, deep":            {`{"lines":[{"text":"a"},{"txt":"a"}]}`, []string{"lines[1].txt: is no field", `did you mean "text"?`}},
		"a field twice":                     {`{"name":"a","name":"b"}`, []string{"name: is there twice"}},
		"a field twice, escaped":            {`{"name":"a","n\u0061me":"b"}`, []string{"name: is there twice"}},
		"a field twice where anything goes": {`{"any":{"a":[{"b":1,"b":2}]}}`, []string{"any.a[0].b: is there twice"}},
		"a number for a text":               {`{"name":1}`, []string{"name: must be text, is a number"}},
		"a text for a number":               {`{"count":"1"}`, []string{"count: must be a whole number from -128 to 127, is text"}},
		"a number that does not fit":        {`{"count":128}`, []string{"count: must be a whole number from -128 to 127, is another number"}},
		"a number below":                    {`{"port":-1}`, []string{"port: must be a whole number from 0 to 65535"}},
		"half a number":                     {`{"port":1.5}`, []string{"port: must be a whole number"}},
		"a number beyond all":               {`{"share":1e999}`, []string{"share: must be a number"}},
		"null for a text":                   {`{"name":null}`, []string{"name: must be text, is null"}},
		"null for a list":                   {`{"tags":null}`, []string{"tags: must be a list, is null"}},
		"null in a list":                    {`{"tags":["a",null]}`, []string{"tags[1]: must be text, is null"}},
		"a text for true":                   {`{"urgent":"true"}`, []string{"urgent: must be true or false, is text"}},
		"an object for a list":              {`{"lines":{}}`, []string{"lines: must be a list, is an object"}},
		"a value that its type refuses":     {`{"colours":{"k":"green"}}`, []string{"colours.k: must be a colour", "one of red, blue"}},
		"null for such a value":             {`{"colours":{"k":null}}`, []string{"colours.k: must be"}},
		"no time":                           {`{"at":"tomorrow"}`, []string{"at: must be a time such as"}},
		"no Base64":                         {`{"blob":"%"}`, []string{"blob: must be text in Base64"}},
		"an optional of another type":       {`{"class":1,"level":[1,"2"]}`, []string{"class: must be text", "level[1]: must be a whole number from -2147483648"}},
		"several at once":                   {`{"name":1,"count":"x","tags":7,"zz":1}`, []string{"4 fields", "name:", "count:", "tags:", "zz:"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := problem.DecodeJSON[order](request(tt.body), 1000)
			if p == nil {
				t.Fatal("it was taken")
			}
			said := p.Detail + " " + p.Hint
			for _, f := range p.Errors {
				said += "\n" + f.Field + ": " + f.Message + " " + f.Hint
			}
			if p.Status != 400 {
				t.Errorf("status %d", p.Status)
			}
			for _, w := range tt.want {
				if !strings.Contains(said, w) {
					t.Errorf("said %q, want %q", said, w)
				}
			}
		})
	}
}

func TestBounds(t *testing.T) {
	nested := func(n int) string { return `{"any":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	if _, p := problem.DecodeJSON[order](request(nested(problem.MaxDepth-1)), 1000); p != nil {
		t.Error(p)
	}
	if _, p := problem.DecodeJSON[order](request(nested(problem.MaxDepth)), 1000); p == nil || !strings.Contains(p.Detail, "deep") {
		t.Error(p)
	}
	if _, p := problem.DecodeJSON[order](request(`{"name":"`+strings.Repeat("[", 100)+`\"{"}`), 1000); p != nil {
		t.Error("brackets in text count:", p)
	}
	if _, p := problem.DecodeJSON[order](request(`{"name":"a"}`), 12); p != nil {
		t.Error(p)
	}
	for name, r := range map[string]*http.Request{"that says so": request(`{"name":"ab"}`), "that does not": request(`{"name":"ab"}`)} {
		if name == "that does not" {
			r.ContentLength = -1
		}
		if _, p := problem.DecodeJSON[order](r, 12); p == nil || p.Status != 413 {
			t.Errorf("a body one byte too long %s: %v", name, p)
		}
	}
	r := request(`{"name":"abcdefgh"}`)
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 5)
	if _, p := problem.DecodeJSON[order](r, 1000); p == nil || p.Status != 413 {
		t.Error(p)
	}
	r = request("")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"na`), errReader{}))
	r.ContentLength = 100
	if _, p := problem.DecodeJSON[order](r, 1000); p == nil || p.Status != 400 || !strings.Contains(p.Detail, "ended before") {
		t.Error(p)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"field%d\u0007":1`, i))
	}
	_, p := problem.DecodeJSON[order](request("{"+strings.Join(many, ",")+"}"), 10000)
	if p == nil || len(p.Errors) != problem.MaxErrors || strings.Contains(p.Errors[0].Field, "\a") {
		t.Errorf("%+v", p)
	}
	_, p = problem.DecodeJSON[order](request(`{"`+strings.Repeat("n", 500)+`":1}`), 1000)
	if p == nil || len(p.Errors[0].Field) > 50 {
		t.Errorf("%+v", p)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMediaTypes(t *testing.T) {
	for name, change := range map[string]func(http.Header){
		"none":                 func(h http.Header) { h.Del("Content-Type") },
		"a form":               func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") },
		"text, as a page may":  func(h http.Header) { h.Set("Content-Type", "text/plain") },
		"JSON, but in Latin-1": func(h http.Header) { h.Set("Content-Type", "application/json; charset=iso-8859-1") },
		"two":                  func(h http.Header) { h.Add("Content-Type", "application/json") },
		"nonsense":             func(h http.Header) { h.Set("Content-Type", ";;") },
		"compressed":           func(h http.Header) { h.Set("Content-Encoding", "gzip") },
	} {
		r := request(`{}`)
		change(r.Header)
		if _, p := problem.DecodeJSON[order](r, 10); p == nil || p.Status != 415 {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestWriting(t *testing.T) {
	write := func(method string, p *problem.Problem) (*httptest.ResponseRecorder, map[string]any) {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Length", "7")
		w.Header().Set("ETag", `"x"`)
		problem.Write(w, httptest.NewRequest(method, "/", nil), p)
		m := map[string]any{}
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
		}
		return w, m
	}
	w, m := write("GET", problem.BadRequest("d", "h", problem.Field{Field: "f", Message: "m"}))
	if w.Code != 400 || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Content-Length") != "" || w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	want := map[string]any{"type": "about:blank", "title": "Bad Request", "status": 400.0, "detail": "d", "hint": "h", "errors": []any{map[string]any{"field": "f", "message": "m"}}}
	if fmt.Sprint(m) != fmt.Sprint(want) {
		t.Errorf("%v", m)
	}
	if w, m := write("GET", problem.TooMany("d", 1500*time.Millisecond)); w.Code != 429 || w.Header().Get("Retry-After") != "2" || m["retry_after"] != 2.0 {
		t.Errorf("%v %v", w.Header(), m)
	}
	if w, _ := write("GET", problem.Unauthorized("d", "", `Bearer realm="x"`)); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="x"` {
		t.Errorf("%v", w.Header())
	}
	if w, _ := write("GET", problem.MethodNotAllowed("GET, PUT")); w.Code != 405 || w.Header().Get("Allow") != "GET, PUT" {
		t.Errorf("%v", w.Header())
	}
	if w, _ := write("HEAD", problem.NotFound("d")); w.Code != 404 || w.Body.Len() > 0 {
		t.Errorf("%s", w.Body)
	}
	if w, m := write("GET", problem.Internal(errors.New("the password is x"))); w.Code != 500 || strings.Contains(w.Body.String(), "password") || m["detail"] == "" {
		t.Errorf("%s", w.Body)
	}
	if w, _ := write("GET", &problem.Problem{}); w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
}

func TestErrorsOfOthers(t *testing.T) {
	if problem.From(nil) != nil {
		t.Error("a problem without an error")
	}
	own := problem.NotFound("x")
	if problem.From(fmt.Errorf("load: %w", own)) != own {
		t.Error("a problem in a chain is not found")
	}
	for err, want := range map[error]int{
		fmt.Errorf("x: %w", store.ErrNotFound): 404, store.ErrConflict: 409, store.ErrTooLarge: 413, store.ErrFull: 507,
		context.Canceled: 499, context.DeadlineExceeded: 503, errors.New("x"): 500,
	} {
		p := problem.From(err)
		if p.Status != want || !errors.Is(p, err) {
			t.Errorf("%v: %d, wraps %v", err, p.Status, errors.Unwrap(p))
		}
		if strings.Contains(p.Detail, "x:") {
			t.Errorf("%v is shown to the client", err)
		}
	}
}

func TestParameters(t *testing.T) {
	query := func(s string) (map[string][]string, *problem.Problem) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = s
		return problem.Query(r, "limit", "is...")
	}
	if q, p := query("limit=1&is=a&is=b"); p != nil || len(q["is"]) != 2 {
		t.Error(q, p)
	}
	for s, want := range map[string]string{"limt=1": `did you mean "limit"?`, "limit=1&limit=2": "more than once", "is=%ff": "UTF-8", "limit=%00": "UTF-8"} {
		if _, p := query(s); p == nil || p.Status != 400 || !strings.Contains(fmt.Sprint(p.Errors), want) {
			t.Errorf("%s: %+v", s, p)
		}
	}
	for _, s := range []string{"limit=%zz", "a;b"} {
		if _, p := query(s); p == nil || p.Status != 400 {
			t.Errorf("%s: %v", s, p)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"a","lines":[{"text":"b"}],"any":{"x":[1,{"y":null}]}}`, `{"name":"a","name":"b"}`, `[`, "{\"a\":\"\xff\"}", `{"class":null,"level":[1,2]}`,
		`{"at":"2026-03-16T08:00:00Z","blob":"aGk=","colours":{"a":"red"}}`, `{"share":1e400}`, `{"raw":{"a":1}} x`, "\ufeff{}", `{"\ud800":1}`, `{"note":"\u0000"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, p := problem.DecodeJSON[order](request(string(data)), 4096)
		if p != nil {
			if p.Status != 400 && p.Status != 413 || p.Detail == "" || len(p.Errors) > problem.MaxErrors {
				t.Fatalf("%+v", p)
			}
			if strings.Contains(p.Detail, "does not have the form") {
				t.Fatalf("a client is not told what is wrong: %v", p)
			}
			w := httptest.NewRecorder()
			problem.Write(w, nil, p)
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s", w.Body)
			}
			return
		}
		// What was read is what encoding/json reads, and it had nothing unknown.
		var want order
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("taken, but %v", err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Fatalf("read %s, want %s", a, b)
		}
	})
}

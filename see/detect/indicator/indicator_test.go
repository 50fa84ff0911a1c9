// SPDX-License-Identifier: Apache-2.0

package indicator_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/asepsis/asepsis/see/detect/indicator"
)

const head = "description: d\nsource: s\nlicence: l\n"

func TestAListSaysWhatIsInIt(t *testing.T) {
	fsys := fstest.MapFS{
		"lists/names.yaml":  {Data: []byte("name: names\nkind: exact\n" + head + "entries: [Mozilla, curl]\n")},
		"lists/hosts.yaml":  {Data: []byte("name: hosts\nkind: suffix\n" + head + "entries: [evil.example, .bad.example]\n")},
		"lists/nets.yaml":   {Data: []byte("name: nets\nkind: cidr\n" + head + "entries: [192.0.2.0/24, 198.51.100.7, \"2001:db8::/32\"]\n")},
		"lists/shares.yaml": {Data: []byte("name: shares\nkind: path\n" + head + "entries: [payroll-old]\n")},
		// echo -n admin | sha256sum
		"lists/hashes.yaml": {Data: []byte("name: hashes\nkind: sha256\n" + head + "entries: [8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918]\n")},
	}
	l, err := indicator.Load(fsys, "lists")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		list, value string
		want        bool
	}{
		{"names", "mozilla", true}, {"names", "Mozilla/5", false}, {"names", "", false},
		{"hosts", "evil.example", true}, {"hosts", "a.b.EVIL.example.", true}, {"hosts", "notevil.example", false}, {"hosts", "example", false}, {"hosts", "x.bad.example", true},
		{"nets", "192.0.2.9", true}, {"nets", "192.0.3.9", false}, {"nets", "198.51.100.7", true}, {"nets", "198.51.100.8", false}, {"nets", "2001:db8::1", true}, {"nets", "::ffff:192.0.2.9", true}, {"nets", "x", false},
		{"shares", `\\srv\Payroll-OLD`, true}, {"shares", "/srv/payroll-old", true}, {"shares", "payroll-old", true}, {"shares", `\\payroll-old\x`, false},
		{"hashes", "admin", true}, {"hashes", "Admin", false},
		{"none", "admin", false},
	} {
		if got := l.Contains(c.list, c.value); got != c.want {
			t.Errorf("%s has %q: %v, want %v", c.list, c.value, got, c.want)
		}
	}
	if got := strings.Join(l.Names(), " "); got != "hashes hosts names nets shares" {
		t.Errorf("names: %s", got)
	}
}

func TestAListThatIsWrongIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no licence":       {"name: x\nkind: exact\ndescription: d\nsource: s\nentries: [a]\n", "licence"},
		"another kind":     {"name: x\nkind: regex\n" + head + "entries: [a]\n", "is not a kind of list"},
		"no network":       {"name: x\nkind: cidr\n" + head + "entries:\n  - 10.0.0.0/8\n  - 10.0.0.1/8\n", "x.yaml:8:5: entries[1]"},
		"no hash":          {"name: x\nkind: sha256\n" + head + "entries: [abc]\n", "is not a SHA-256"},
		"nothing in it":    {"name: x\nkind: exact\n" + head + "entries: []\n", "there are 0"},
		"an unknown field": {"name: x\nkinds: exact\n" + head + "entries: [a]\n", "did you mean \"kind\"?"},
	} {
		if _, err := indicator.Parse("x.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if _, err := indicator.Load(fstest.MapFS{"lists/y.yaml": {Data: []byte("name: x\nkind: exact\n" + head + "entries: [a]\n")}}, "lists"); err == nil {
		t.Error("a list that is called otherwise than its file was loaded")
	}
}

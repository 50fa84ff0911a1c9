// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// attributesOf are those of all messages of a conversation.
func attributesOf(t *testing.T, name string, segs []analyzetest.Segment) (all []event.KV) {
	t.Helper()
	h, _ := analyzetest.Stream(t, byName(t, name, false), 0, segs)
	for _, e := range h.Events {
		if d, ok := e.Detail.(*event.Application); ok {
			all = append(all, d.Attributes...)
		}
	}
	return all
}

func TestABannerThatIsNoUTF8IsCutAtThePrompt(t *testing.T) {
	for in, want := range map[string]string{
		"\xff\xff\xff\xff Maquet Table\r\nLogin: ":    "ÿÿÿÿ Maquet Table",
		"\xff\xffPASSWORD:":                           "ÿÿ",
		"Welcome\r\n\r\nuser name:":                   "Welcome",
		strings.Repeat("\xfe", 63) + "login:" + "xyz": strings.Repeat("þ", 63),
	} {
		if got := telnetBanner([]byte(in)); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestALoginThatAsksForNoPasswordIsOne(t *testing.T) {
	c, s := analyzetest.C, analyzetest.S
	hello := "\xff\xfb\x01\xff\xfd\x18Operating table (fictional)\r\nlogin: "
	for name, x := range map[string]struct {
		segs []analyzetest.Segment
		open bool
	}{
		"a name and a command, each echoed": {[]analyzetest.Segment{s(hello), c("service\r\n"), s("service\r\n$ "), c("set height 40\r\n"), s("ok\r\n")}, true},
		"a name alone":                      {[]analyzetest.Segment{s(hello), c("service\r\n"), s("service\r\n")}, false},
		"a name, and the prompt again":      {[]analyzetest.Segment{s(hello), c("service\r\n"), s("unknown\r\nlogin: "), c("admin\r\n"), s("unknown\r\n")}, false},
		"a name and a password":             {[]analyzetest.Segment{s(hello), c("service\r\n"), s("service\r\nPassword: "), c("7f3k!x\r\n"), s("\r\n# "), c("reboot\r\n")}, false},
	} {
		for how, segs := range map[string][]analyzetest.Segment{"": x.segs, ", octet by octet": analyzetest.Split(x.segs)} {
			if got := slices.Contains(attributesOf(t, "telnet", segs), event.KV{Name: "no_password_asked", Value: "true"}); got != x.open {
				t.Errorf("%s%s: %v", name, how, got)
			}
		}
	}
}

func TestWhatIsAppendedToANameStays(t *testing.T) {
	for path, note := range map[string]bool{
		`rooms\HOW_TO_RECOVER_FILES.txt`: true, `a\DECRYPT-INSTRUCTIONS.html`: true, `restore.hta`: true, `readme.txt`: true, `a\Probe Petra.txt`: false, `readme.md`: false, `scans\how_to_scan.pdf`: false, "": false,
	} {
		if got := ransomNote(path); got != note {
			t.Errorf("%q: %v", path, got)
		}
	}
	for suffix, ok := range map[string]bool{"lockedx": true, "WNCRY": true, "": false, "a b": false, "abcdefghijklmnopq": false} {
		if got := alphanumeric(suffix); got != ok {
			t.Errorf("%q: %v", suffix, got)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"
	"testing"
)

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

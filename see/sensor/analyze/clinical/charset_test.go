// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"testing"

	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

func TestNamesAreReadInTheCharacterSetOfTheirMessage(t *testing.T) {
	for _, tt := range []struct{ name, declared, app, want string }{
		{"UTF-8", "UNICODE UTF-8", "Łódź", "Łódź"},
		{"8859/2", "8859/2", "\xa3\xf3d\xbc", "Łódź"},
		{"8859/5", "8859/5", "\xbe\xdf\xd5\xe0", "Опер"},
		{"Japanese behind ASCII", "ASCII~ISO IR87", "\x1b$B;3ED\x1b(B", "山田"},
		{"Japanese by HL7's own escapes", "ASCII~ISO IR87", `\M2442\;3ED\C2842\`, "山田"},
		{"Korean", "KS X 1001", "\xfb\xf3", "洪"},
		{"Chinese", "GB 18030-2000", "\xcd\xf5", "王"},
		{"nothing declared, UTF-8 sent", "", "Łódź", "Łódź"},
		{"nothing declared, Latin-1 sent", "", "S\xfcd", "Süd"},
	} {
		text := mllpFrame("MSH|^~\\&|"+tt.app+"|HOSP|EHR|HOSP|20260101||ADT^A01|1|P|2.6||||||"+tt.declared, "PID|1")
		h, _ := analyzetest.Stream(t, HL7(), 2575, []analyzetest.Segment{analyzetest.C(text), analyzetest.S(ack("AA", "1"))})
		m := messages(h)
		if len(m) == 0 || m[0].SendingApp != tt.want {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
}

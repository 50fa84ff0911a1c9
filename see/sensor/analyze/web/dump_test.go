// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	for _, f := range append(allCaptures(t), "../../../../../shared/captures/ndpi/rtsp.pcap") {
		for i, cv := range conversations(t, f) {
			r := cv.run(t, false)
			fmt.Fprintf(os.Stdout, "## %s #%d first=%s app=%s flipped=%v last=%d enc=%v\n", f[len(captures):], i, r.first, r.conn.App, r.conn.Flipped(), r.last, r.conn.Encrypted)
			for _, e := range r.Events {
				b, _ := json.Marshal(e.Detail)
				fmt.Fprintf(os.Stdout, "   E %s/%d st=%d %s %q | %s\n      %.900s\n", e.Protocol, e.Activity, e.Status, e.StatusCode, e.StatusDetail, e.Message, b)
			}
			for _, e := range r.Facts {
				fmt.Fprintf(os.Stdout, "   F %s %s=%s (%s %d)\n", e.Subject.IP, e.Attribute, e.Value, e.Source, e.Confidence)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package rtsp

import (
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/http1"
)

const stream = "DESCRIBE rtsp://192.0.2.20/endo RTSP/1.0\r\nCSeq: 2\r\n\r\n$\x00\x00\x05hello" +
	"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\nv=0$\x01\x00\x00ANNOUNCE rtsp://a RTSP/1.0\r\nCSeq: 3\r\n\r\n"

func TestMessagesAndFramesAreReadTheSameInAnyPortions(t *testing.T) {
	for _, step := range []int{1, 3, len(stream)} {
		p := NewParser()
		var got []string
		var skip int64
		for b := []byte(stream); len(b) > 0; {
			part := b[:min(step, len(b))]
			b = b[len(part):]
			k := min(skip, int64(len(part)))
			part, skip = part[k:], skip-k
			for {
				n, ev, err := p.Next(part)
				if err != nil {
					t.Fatal(err)
				}
				if n > int64(len(part)) {
					skip, n = n-int64(len(part)), int64(len(part))
				}
				part = part[n:]
				if ev == http1.None {
					break
				}
				if ev == http1.GotMessage {
					got = append(got, p.Head().Method+p.Head().Get("cseq")+string(p.Body()))
				}
			}
		}
		if want := []string{"DESCRIBE2", "2v=0", "ANNOUNCE3"}; !reflect.DeepEqual(got, want) || p.Frames != 2 || p.FrameBytes != 5 {
			t.Errorf("in portions of %d: %q, %d frames of %d bytes", step, got, p.Frames, p.FrameBytes)
		}
	}
	if Looks([]byte(stream)) != http1.Request || Looks([]byte("RTSP/1.0 200 OK")) != http1.Response || Looks([]byte("GET / HTTP/1.1\r\n")) != http1.NotHTTP {
		t.Error("recognition")
	}
}

func TestSessionDescription(t *testing.T) {
	d, ok := ParseSDP([]byte("v=0\r\no=endo 1 1 IN IP4 192.0.2.20\r\ns=Endoscope 2\r\na=tool:GStreamer\r\nm=video 0 RTP/AVP 96 26\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\nm=audio 0 RTP/AVP 0\r\n"))
	want := Description{Origin: "endo", Session: "Endoscope 2", Tool: "GStreamer", Media: []Media{
		{Type: "video", Port: "0", Transport: "RTP/AVP", Formats: []string{"H264", "26"}, Control: "trackID=0"}, {Type: "audio", Port: "0", Transport: "RTP/AVP", Formats: []string{"0"}}}}
	if !ok || !reflect.DeepEqual(d, want) || d.Summary(100) != "video H264,26; audio 0" {
		t.Errorf("%+v %v", d, ok)
	}
	many, _ := ParseSDP([]byte("v=0\n" + strings.Repeat("m=video 0 RTP/AVP"+strings.Repeat(" 96", maxFormats+1)+"\n", maxMedia+1)))
	if len(many.Media) != maxMedia || len(many.Media[0].Formats) != maxFormats {
		t.Errorf("%d media, %d formats", len(many.Media), len(many.Media[0].Formats))
	}
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _ := ParseSDP(b)
		if len(d.Media) > maxMedia || len(d.Summary(64)) > 64 {
			t.Errorf("%+v", d)
		}
	})
}

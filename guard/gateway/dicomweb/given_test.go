// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
)

func TestWhatIsGivenOutIsRecordedBefore(t *testing.T) {
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", dicomType)
		_, _ = w.Write(file(uid(1), ct(uid(1), 10)))
	}))
	defer archive.Close()
	g, _ := proxied(t, archive.URL, func(_ *Config, d *Deps) {
		d.Passed = func(context.Context, Retrieval) error { return errTest }
	})
	at := "/studies/" + study1 + "/series/" + series1 + "/instances/" + uid(1)
	for path, accept := range map[string]string{at: dicomType, at + "/frames/1": "*/*", at + "/rendered": "*/*"} {
		rsp, answer := g.get(path, accept)
		if rsp.StatusCode != 503 || !strings.Contains(answer, "custody") || rsp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, rsp.StatusCode, answer)
		}
	}
}

// TestOfPartsItIsToldOnceWhomTheyGoTo retrieves frames and renderings again and again, for two devices, with something
// that fails the first time and takes its time the second.
func TestOfPartsItIsToldOnceWhomTheyGoTo(t *testing.T) {
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/frames/") || strings.Contains(r.URL.Path, "/rendered") {
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = io.WriteString(w, "an image")
			return
		}
		w.Header().Set("Content-Type", dicomType)
		_, _ = w.Write(file(uid(1), ct(uid(1), 10)))
	}))
	defer archive.Close()
	var mu sync.Mutex
	told, tried, slow := map[string]int{}, 0, make(chan struct{})
	g, _ := proxied(t, archive.URL, func(_ *Config, d *Deps) {
		d.Passed = func(ctx context.Context, r Retrieval) error {
			mu.Lock()
			tried++
			first := tried == 1
			mu.Unlock()
			if first {
				return errTest
			}
			select {
			case <-slow:
			case <-ctx.Done():
			}
			mu.Lock()
			defer mu.Unlock()
			told[r.To.Device+" "+r.Resource]++
			return nil
		}
	})
	at := "/studies/" + study1 + "/series/" + series1 + "/instances/" + uid(1)
	if rsp, _ := g.get(at+"/frames/1", "*/*"); rsp.StatusCode != 503 {
		t.Errorf("what could not be told: %d", rsp.StatusCode)
	}
	answers := make(chan int, 4)
	for range 4 {
		go func() {
			rsp, _ := g.get(at+"/frames/1", "*/*")
			answers <- rsp.StatusCode
		}()
	}
	gatewaytest.Until(t, "all of them to wait", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return tried == 2
	})
	select {
	case <-answers:
		t.Error("a frame was given before it was told")
	default:
	}
	close(slow)
	for range 4 {
		if status := <-answers; status != 200 {
			t.Errorf("a frame: %d", status)
		}
	}
	for range 2 {
		if rsp, _ := g.get(at+"/rendered", "*/*"); rsp.StatusCode != 200 {
			t.Errorf("a rendering: %d", rsp.StatusCode)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(told) != "map[ct-or-3 frames:1 ct-or-3 rendered:1]" {
		t.Errorf("it was told %v", told)
	}
}

// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLogsAreTextForPeopleAndJSONForMachines(t *testing.T) {
	var text, machine bytes.Buffer
	c := Default()
	c.Logger(&text, true).Info("the store works again", "engine", "sqlite")
	c.Logger(&machine, false).Info("the store works again", "engine", "sqlite")
	if !strings.Contains(text.String(), `msg="the store works again" engine=sqlite`) {
		t.Errorf("text: %s", text.String())
	}
	var m map[string]any
	if err := json.Unmarshal(machine.Bytes(), &m); err != nil || m["engine"] != "sqlite" {
		t.Errorf("JSON: %s: %v", machine.String(), err)
	}
	text.Reset()
	c.LogLevel = "error"
	c.Logger(&text, true).Warn("not this")
	if text.Len() > 0 {
		t.Errorf("a warning passed level error: %s", text.String())
	}
}

func TestWhatCannotBeLoggedIsRefused(t *testing.T) {
	for _, c := range []Config{{LogLevel: "loud", LogFormat: "auto"}, {LogLevel: "info", LogFormat: "xml"}} {
		if c.Validate() == nil {
			t.Errorf("%+v passed", c)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheRegistryNamesTheVersion(t *testing.T) {
	r, err := Registry("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	fams, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fams {
		if f.GetName() == "asepsis_build_info" && f.GetMetric()[0].GetLabel()[0].GetValue() == "1.2.3" {
			return
		}
	}
	t.Error("asepsis_build_info is not there")
}

func TestProfilesAreOnAPrivateSocketOnly(t *testing.T) {
	c := Default()
	c.DebugSocket = filepath.Join(t.TempDir(), "debug.sock")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.ServeDebug(ctx) }()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.DebugSocket)
	}}}
	var body []byte
	deadline := time.Now().Add(10 * time.Second)
	for {
		resp, err := client.Get("http://debug/debug/pprof/cmdline")
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if len(body) == 0 {
		t.Error("the profile server has nothing to say")
	}
	st, err := os.Stat(c.DebugSocket)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", st.Mode().Perm())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// served is a running asepsis, with somebody who is logged in to it.
type served struct {
	cmd         *exec.Cmd
	http        *http.Client
	url, cookie string
	greeted     time.Time // when it printed the link
	drained     chan struct{}
}

// start runs asepsis up in a new directory and makes the first account.
func start(bin, dir string, args ...string) (*served, error) {
	s := &served{cmd: exec.Command(bin, append([]string{"up", "--data", dir, "--listen", "127.0.0.1:0"}, args...)...), drained: make(chan struct{})} //nolint:gosec // the program to measure
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(said)
	var seen []string
	token := ""
	for token == "" && lines.Scan() {
		seen = append(seen, lines.Text())
		if _, addr, ok := strings.Cut(lines.Text(), "Asepsis is at "); ok {
			s.url = addr
		}
		_, token, _ = strings.Cut(lines.Text(), "/setup#token=")
	}
	s.greeted = time.Now()
	go func() {
		defer close(s.drained)
		_, _ = io.Copy(io.Discard, said)
	}()
	if token == "" {
		s.stop()
		return nil, fmt.Errorf("asepsis up did not print a link:\n%s", strings.Join(seen, "\n"))
	}
	if err := s.setUp(filepath.Join(dir, "tls", "console.crt"), token); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *served) setUp(certificate, token string) error {
	pem, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}}
	body, err := json.Marshal(map[string]string{"token": token, "name": "bench", "display_name": "Benchmark", "password": rand.Text()})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/setup", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", s.url)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return errors.New("set-up: " + resp.Status)
	}
	s.cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return nil
}

// get asks the API.
func (s *served) get(path string, into any) error {
	req, err := http.NewRequest(http.MethodGet, s.url+"/api/v1"+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Cookie", s.cookie)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return errors.New(path + ": " + resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (s *served) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.drained
	_ = s.cmd.Wait()
}

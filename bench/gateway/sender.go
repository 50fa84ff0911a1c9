// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// sender is DCMTK's storescu in one of its ways.
type sender struct {
	name      string
	env       string
	processes int
}

var senders = []sender{
	{"storescu", "", 1},
	{"storescu, TCP_NODELAY", "TCP_NODELAY=1", 1},
	{"8 storescu at once", "", most},
	{"8 storescu, TCP_NODELAY", "TCP_NODELAY=1", most},
}

// send sends the files of one folder for each process, and fails unless every one of them
// was answered with success.
func (s sender) send(ctx context.Context, p *pki, at address, dir string, processes int) error {
	errs := make([]error, processes)
	var all sync.WaitGroup
	for i := range processes {
		folder := filepath.Join(dir, "0")
		if processes > 1 {
			folder = filepath.Join(dir, fmt.Sprint(i+1))
		}
		all.Go(func() { errs[i] = s.one(ctx, p, at, folder) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s sender) one(ctx context.Context, p *pki, at address, folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	args := []string{"-v", "+sd", "-xe", "-aet", "CT1", "-aec", at.ae}
	if at.tls {
		args = append(args, "+tls", p.path("ct1.key"), p.path("ct1.pem"), "+cf", p.path("ca.pem"))
	}
	c := exec.CommandContext(ctx, "storescu", append(args, "127.0.0.1", at.port, folder)...) //nolint:gosec // a benchmark
	c.Env = append(os.Environ(), s.env)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("storescu: %w: %s", err, tail(out))
	}
	if n := strings.Count(string(out), "Received Store Response (Success)"); n != len(files) {
		return fmt.Errorf("%d of %d images were answered with success: %s", n, len(files), tail(out))
	}
	return nil
}

// tail is the end of what a program said.
func tail(out []byte) string {
	return string(out[max(0, len(out)-600):])
}

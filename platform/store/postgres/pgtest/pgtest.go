// SPDX-License-Identifier: Apache-2.0

// Package pgtest starts PostgreSQL servers of their own for tests and benchmarks:
// in a directory of the caller, on the loopback and a Unix socket, with the
// durability settings of a fresh installation.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/platform/porttest"
)

// ErrAbsent says that PostgreSQL is not installed here, or that this user may not
// start it.
var ErrAbsent = errors.New("PostgreSQL is not installed")

// Cluster is one server with its data.
type Cluster struct {
	bin, data, sockets string
	port               int
	owner              *user.User // runs it when this process is root, which PostgreSQL refuses
}

// New makes a cluster in a directory, which the caller removes, and starts it. What
// else is given are arguments of initdb.
func New(ctx context.Context, dir string, initdb ...string) (*Cluster, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return nil, ErrAbsent
		}
		bins = []string{path}
	}
	c := &Cluster{bin: filepath.Dir(bins[len(bins)-1]), data: filepath.Join(dir, "pgdata"), sockets: filepath.Join(dir, "s")}
	for _, d := range []string{c.data, c.sockets} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if os.Getuid() == 0 {
		var err error
		if c.owner, err = user.Lookup("postgres"); err != nil {
			return nil, fmt.Errorf("%w: there is no user postgres", ErrAbsent)
		}
		for _, d := range []string{c.data, c.sockets} {
			if err := c.Own(d); err != nil {
				return nil, err
			}
		}
		// The way to them must be passable.
		for d := dir; d != "/" && d != "."; d = filepath.Dir(d) {
			s, err := os.Stat(d)
			if err != nil {
				return nil, err
			}
			if s.Mode()&0o001 == 0 {
				if err := os.Chmod(d, s.Mode()|0o011); err != nil { //nolint:gosec // a temporary directory of the caller
					return nil, err
				}
			}
		}
	}
	var err error
	if c.port, err = porttest.Free(); err != nil { // it is stopped and started again by tests, on the same port
		return nil, err
	}
	args := append([]string{"-D", c.data, "-U", "asepsis", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"}, initdb...)
	if err := c.run(ctx, "initdb", args...); err != nil {
		return nil, err
	}
	return c, c.Start(ctx)
}

// Own gives a file or directory to who runs the server.
func (c *Cluster) Own(path string) error {
	if c.owner == nil {
		return nil
	}
	uid, err := strconv.Atoi(c.owner.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(c.owner.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// run runs a program of PostgreSQL as its owner.
func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	path := filepath.Join(c.bin, name)
	if c.owner != nil {
		args = append([]string{"-u", c.owner.Username, "--", path}, args...)
		path = "runuser"
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // programs of PostgreSQL with our own arguments
	cmd.Dir = c.data
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	// The server keeps the pipe of a captured output open.
	out, err := os.CreateTemp("", "pgtest-")
	if err != nil {
		return err
	}
	defer func() { _ = out.Close(); _ = os.Remove(out.Name()) }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(c.data, "log"))
		return fmt.Errorf("%s: %w: %s%s", name, err, bytes.TrimSpace(text), bytes.TrimSpace(log))
	}
	return nil
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start(ctx context.Context) error {
	// Relative to the data, which is where the server goes: the path of a socket has at most 107 bytes, which the directory of
	// a test with a long name takes.
	sockets, err := filepath.Rel(c.data, c.sockets)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=%s -c max_connections=60 -c log_min_messages=error", c.port, sockets)
	return c.run(ctx, "pg_ctl", "-D", c.data, "-l", filepath.Join(c.data, "log"), "-w", "-t", "60", "-o", options, "start")
}

// Stop stops the server: mode "fast" as an administrator does, "immediate" as a
// crash does.
func (c *Cluster) Stop(ctx context.Context, mode string) error {
	return c.run(ctx, "pg_ctl", "-D", c.data, "-m", mode, "-w", "-t", "60", "stop")
}

// DSN returns the URL of a database.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("postgres://asepsis@127.0.0.1:%d/%s", c.port, database)
}

// CreateDatabase makes an empty database.
func (c *Cluster) CreateDatabase(ctx context.Context, name string) error {
	return c.run(ctx, "createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(c.port), "-U", "asepsis", strings.ToLower(name))
}

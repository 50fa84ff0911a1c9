// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// receiver is what images are sent to.
type receiver struct {
	name  string
	start func(ctx context.Context, o options, dir string, several bool) (address, func() error, error)
}

// address is where it is.
type address struct {
	port, ae string
	tls      bool
	count    func() (int, error) // of the images that it has; nil: nobody can say
	pid      int
	debug    string // socket of its profiles
}

func receiversOf(p *pki) []receiver {
	return []receiver{
		{"storescp", func(ctx context.Context, _ options, dir string, several bool) (address, func() error, error) {
			return startStorescp(ctx, p, dir, several, false)
		}},
		{"storescp, TLS", func(ctx context.Context, _ options, dir string, several bool) (address, func() error, error) {
			return startStorescp(ctx, p, dir, several, true)
		}},
		{"Orthanc", func(ctx context.Context, _ options, dir string, _ bool) (address, func() error, error) {
			return startOrthanc(ctx, p, dir, nil)
		}},
		{"Orthanc, TLS", func(ctx context.Context, _ options, dir string, _ bool) (address, func() error, error) {
			return startOrthanc(ctx, p, dir, map[string]any{"DicomTlsEnabled": true, "DicomTlsCertificate": p.path("node.pem"), "DicomTlsPrivateKey": p.path("node.key"),
				"DicomTlsTrustedCertificates": p.path("ca.pem"), "DicomTlsRemoteCertificateRequired": true})
		}},
		{"asepsis", func(ctx context.Context, o options, dir string, _ bool) (address, func() error, error) {
			return startAsepsis(ctx, o, p, dir, "")
		}},
	}
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = ln.Close() }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

// launch starts a program and waits until a port answers. stop ends it.
func launch(ctx context.Context, dir, port, name string, args ...string) (pid int, stop func() error, err error) {
	said := &bytes.Buffer{}
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, said, said
	if err := c.Start(); err != nil {
		return 0, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	stop = func() error {
		_ = c.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = c.Process.Kill()
			<-ended
			return fmt.Errorf("%s did not end: %s", name, tail(said.Bytes()))
		}
		return nil
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err == nil {
			_ = conn.Close()
			return c.Process.Pid, stop, nil
		}
		select {
		case err := <-ended:
			ended <- err
			return 0, nil, fmt.Errorf("%s ended: %w: %s", name, err, tail(said.Bytes()))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return 0, nil, errors.Join(fmt.Errorf("%s does not listen: %s", name, tail(said.Bytes())), stop())
		}
	}
}

func startStorescp(ctx context.Context, p *pki, dir string, several, tls bool) (address, func() error, error) {
	port, err := freePort()
	if err != nil {
		return address{}, nil, err
	}
	images := filepath.Join(dir, "images")
	if err := os.Mkdir(images, 0o700); err != nil {
		return address{}, nil, err
	}
	args := []string{"-aet", "ARCHIVE", "-od", images, "+B"} // bit for bit: without reading the data set
	if several {
		args = append(args, "--fork")
	}
	if tls {
		args = append(args, "+tls", p.path("node.key"), p.path("node.pem"), "+cf", p.path("ca.pem"))
	}
	pid, stop, err := launch(ctx, dir, port, "storescp", append(args, port)...)
	return address{port: port, ae: "ARCHIVE", tls: tls, pid: pid, count: func() (int, error) { return filesIn(images) }}, stop, err
}

func filesIn(dir string) (int, error) {
	list, err := os.ReadDir(dir)
	return len(list), err
}

func startOrthanc(ctx context.Context, p *pki, dir string, more map[string]any) (address, func() error, error) {
	port, err := freePort()
	if err != nil {
		return address{}, nil, err
	}
	web, err := freePort()
	if err != nil {
		return address{}, nil, err
	}
	cfg := map[string]any{"Name": "bench", "StorageDirectory": filepath.Join(dir, "orthanc"), "IndexDirectory": filepath.Join(dir, "orthanc"), "DicomAet": "ARCHIVE", "DicomPort": json.Number(port),
		"HttpPort": json.Number(web), "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true, "Plugins": []string{}}
	for k, v := range more {
		cfg[k] = v
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		return address{}, nil, err
	}
	file := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return address{}, nil, err
	}
	pid, stop, err := launch(ctx, dir, port, "Orthanc", file)
	_, tls := more["DicomTlsEnabled"]
	return address{port: port, ae: "ARCHIVE", tls: tls, pid: pid, count: func() (int, error) { return orthancHas(ctx, web) }}, stop, err
}

// orthancHas asks how many instances are stored.
func orthancHas(ctx context.Context, port string) (int, error) {
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/statistics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(rq)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var s struct{ CountInstances int }
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&s)
	return s.CountInstances, err
}

// pki is an authority that asepsis made, with a certificate for each end.
type pki struct{ dir string }

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

// newPKI makes an authority, and certificates for the sender, the archives and the gateway.
func newPKI(ctx context.Context, o options) (*pki, error) {
	p := &pki{dir: filepath.Join(o.dir, "pki")}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path("pass"), []byte("a passphrase of a benchmark\n"), 0o600); err != nil {
		return nil, err
	}
	ca := []string{"--data", p.path("ca"), "--passphrase-file", p.path("pass")}
	if err := do(ctx, o.binary, append([]string{"ca", "init", "--trust-domain", "or.bench.internal", "--organisation", "Benchmark", "--base", "http://127.0.0.1:1"}, ca...)...); err != nil {
		return nil, err
	}
	for _, name := range []string{"ct1", "node", "gateway"} {
		if err := do(ctx, "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", p.path(name+".key"), "-out", p.path(name+".csr"), "-subj", "/CN="+name); err != nil {
			return nil, err
		}
		if err := do(ctx, o.binary, append([]string{"ca", "issue", "--profile", "dicom-node", "--device", name, "--csr", p.path(name + ".csr"), "-o", p.path(name + ".pem")}, ca...)...); err != nil {
			return nil, err
		}
	}
	for cmd, file := range map[string]string{"show": "ca.pem", "crl": "crl.pem"} {
		args := append([]string{"ca", cmd}, ca...)
		if cmd == "show" {
			args = append(args, "--pem")
		}
		out, err := exec.CommandContext(ctx, o.binary, args...).Output() //nolint:gosec // as above
		if err != nil {
			return nil, fmt.Errorf("asepsis ca %s: %w", cmd, err)
		}
		if err := os.WriteFile(p.path(file), out, 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func do(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args[:min(2, len(args))], " "), err, tail(out))
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
)

// largeSize is that of the instances whose memory is measured.
const largeSize = 2 << 30

// largeInstances sends instances of 2 GB on one association, and then on several at once, and
// prints what the gateway's resident memory was at most.
func largeInstances(ctx context.Context, o options, p *pki) error {
	fmt.Println("\n| associations, an instance of 2 GB on each | most resident memory, MB | MB/s |\n|---|---:|---:|")
	for _, n := range []int{1, 4} {
		if err := large(ctx, o, p, n); err != nil {
			return err
		}
	}
	return nil
}

func large(ctx context.Context, o options, p *pki, n int) (err error) {
	dir, err := os.MkdirTemp(o.dir, "large-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, stop, err := startAsepsis(ctx, o, p, dir, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	began := time.Now()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = sendLarge(ctx, p, at, i) })
	}
	all.Wait()
	took := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	most, err := peak(at.pid)
	if err != nil {
		return err
	}
	fmt.Printf("| %d | %.0f | %.0f |\n", n, float64(most)/1e6, float64(n)*largeSize/1e6/took.Seconds())
	return nil
}

// sendLarge sends one multi-frame image whose bytes are made on the way.
func sendLarge(ctx context.Context, p *pki, at address, i int) error {
	cert, err := tls.LoadX509KeyPair(p.path("ct1.pem"), p.path("ct1.key"))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(p.path("ca.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	d := dicomnet.Dialer{CallingAE: "CT1", CalledAE: at.ae, Contexts: []dicomnet.Proposal{{AbstractSyntax: ctStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}},
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error { //nolint:gosec // a DICOM node is known by its chain, which is verified here, not by a host's name
			leaf, err := x509.ParseCertificate(raw[0])
			if err != nil {
				return err
			}
			inter := x509.NewCertPool()
			for _, der := range raw[1:] {
				if c, err := x509.ParseCertificate(der); err == nil {
					inter.AddCert(c)
				}
			}
			_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: inter})
			return err
		}}}
	a, err := d.Dial(ctx, "127.0.0.1:"+at.port)
	if err != nil {
		return err
	}
	defer a.Abort()
	const side, frameBytes = 512, 512 * 512 * 2
	uid := fmt.Sprintf("%s.9.%d", uidRoot, i)
	var head bytes.Buffer
	dataSet(&head, uid, side)
	frames := largeSize / frameBytes
	b := head.Bytes()
	// The number of frames stands between photometric interpretation (0028,0004) and rows (0028,0010).
	at8 := bytes.Index(b, []byte{0x28, 0x00, 0x10, 0x00, 'U', 'S'})
	var nf bytes.Buffer
	element(&nf, 0x00280008, "IS", []byte(strconv.Itoa(frames)))
	b = append(b[:at8:at8], append(nf.Bytes(), b[at8:]...)...)
	b = append(b, 0xE0, 0x7F, 0x10, 0x00, 'O', 'W', 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(frames*frameBytes)) //nolint:gosec // 2 GiB fits
	status, err := a.Store(ctx, dicomnet.Instance{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian,
		Data: io.MultiReader(bytes.NewReader(b), io.LimitReader(ramp{}, int64(frames)*frameBytes))})
	if err == nil && status != 0 {
		err = fmt.Errorf("status %v", status)
	}
	return err
}

// ramp is pixels without end.
type ramp struct{}

func (ramp) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i>>4) & 0x0F
	}
	return len(p), nil
}

// peak is the most resident memory that a process had, in bytes.
func peak(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the system does not say what memory a process had")
}

// number is a port as JSON has it.
func number(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}

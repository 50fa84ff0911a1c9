// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
)

// EchoResult is what a verification tells about a peer.
type EchoResult struct {
	Address        string    `json:"address"`
	CalledAE       string    `json:"called_ae"`
	Implementation string    `json:"implementation"` // class UID
	Version        string    `json:"version"`        // implementation version name
	MaxPDU         uint32    `json:"max_pdu"`        // 0: no limit
	TLS            string    `json:"tls,omitempty"`  // version and cipher suite
	Connect        float64   `json:"connect_ms"`     // until the association was accepted
	Echoes         []float64 `json:"echo_ms"`        // each C-ECHO
}

// Echo verifies a peer with so many C-ECHOs.
func Echo(ctx context.Context, p Peer, repeat int) (*EchoResult, error) {
	d := p.dialer()
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	begin := time.Now()
	a, err := d.Dial(ctx, p.Address)
	if err != nil {
		return nil, err
	}
	i := a.Info()
	r := &EchoResult{Address: p.Address, CalledAE: i.CalledAE, Implementation: i.PeerImplUID, Version: i.PeerImplVersion, MaxPDU: i.PeerMaxPDU, Connect: milliseconds(time.Since(begin))}
	if i.TLS != nil {
		r.TLS = tls.VersionName(i.TLS.Version) + " " + tls.CipherSuiteName(i.TLS.CipherSuite)
	}
	for range max(repeat, 1) {
		begin = time.Now()
		if err := a.Echo(ctx); err != nil {
			a.Abort()
			return r, err
		}
		r.Echoes = append(r.Echoes, milliseconds(time.Since(begin)))
	}
	return r, a.Release(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// TestOrthancBehindTheGatewayOverTLS has an archive that speaks TLS both ways: asked by the gateway, and
// sending to it what a C-MOVE asked for.
func TestOrthancBehindTheGatewayOverTLS(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "findscu", "movescu")
	port := gatewaytest.FreePort(t)
	cfg := query.Default()
	cfg.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + port, CalledAE: "PACS", TLS: true, Device: "pacs", Operations: []string{"find", "move"}}}
	cfg.Destinations = []query.Destination{{AE: "XR1", Destination: "xr"}}
	cfg.MoveWait = 100 * time.Millisecond
	var handshake func(context.Context, net.Conn, string, string) (net.Conn, error)
	p, _ := informed(t, cfg, query.Deps{Handshake: func(ctx context.Context, c net.Conn, device, name string) (net.Conn, error) {
		return handshake(ctx, c, device, name)
	}}, []control.Binding{
		{Device: "ws-1", Plain: true, Addresses: []string{"127.0.0.1"}, CallingAE: []string{"WS1"}, Operations: []string{"find", "move"}, Destinations: []string{"XR1"}},
		{Device: "pacs", CallingAE: []string{"PACS"}, Operations: []string{"echo", "store"}}})
	handshake = func(ctx context.Context, c net.Conn, device, name string) (net.Conn, error) {
		client, err := p.g.d.Trust.Client(trust.ClientOptions{Device: device})
		if err != nil {
			return nil, err
		}
		return client.Handshake(ctx, c, name)
	}
	own, dir := p.enrol(identity.DICOMNode, "pacs"), t.TempDir()
	config := fmt.Sprintf(`{"Name": "Lindenhof PACS (fictional)", "StorageDirectory": %q, "IndexDirectory": %q, "DicomAet": "PACS", "DicomPort": %s, "HttpServerEnabled": false, "Plugins": [],
		"DicomCheckCalledAet": true, "DicomAlwaysAllowFind": true, "DicomAlwaysAllowMove": true, "SynchronousCMove": true,
		"DicomTlsEnabled": true, "DicomTlsCertificate": %q, "DicomTlsPrivateKey": %q, "DicomTlsTrustedCertificates": %q,
		"DicomModalities": {"gateway": {"AET": "ASEPSIS", "Host": "127.0.0.1", "Port": %s, "UseDicomTls": true}}}`, dir, dir, port, own.Cert, own.Key, own.CA, p.port(KindTLS))
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Start(t, dir, "Orthanc", path).Listening(port)

	data := dataset(t, gatewaytest.CTStorage, "1.2.3.1", "FICT-0001", 4096)
	client, err := p.trust(identity.DICOMNode, "ct-9").Client(trust.ClientOptions{Device: "pacs"})
	if err != nil {
		t.Fatal(err)
	}
	d := &dicomnet.Dialer{CallingAE: "ASEPSIS", CalledAE: "PACS", Handshake: client.Handshake, Contexts: []dicomnet.Proposal{{AbstractSyntax: gatewaytest.CTStorage, TransferSyntaxes: []string{dicom.ExplicitVRLittleEndian}}}}
	a, err := d.Dial(t.Context(), "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Store(t.Context(), dicomnet.Instance{SOPClass: gatewaytest.CTStorage, SOPInstance: "1.2.3.1", TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask := func(program string, args ...string) string {
		out, _ := gatewaytest.Run(t, program, slices.Concat([]string{"-v", "-S", "-aet", "WS1", "-aec", "ASEPSIS"}, args, []string{"-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.826.0.1.3680043.8.498.1", "127.0.0.1", p.port(KindPlain)})...)
		return out
	}
	if out := ask("findscu", "-k", "PatientID"); !strings.Contains(out, "FICT-0001") {
		t.Errorf("%s\n%s", out, sprint(p.ended()))
	}
	ask("movescu", "-aem", "XR1")
	r := p.vault.all()
	if len(r) != 1 || r[0].Sender.Device != "pacs" || r[0].Sender.TLS == "" || len(r[0].Deliveries) != 1 || r[0].Deliveries[0].Destination != "xr" {
		t.Fatalf("%+v\n%s", r, sprint(p.ended()))
	}
}

func TestEverySenderOfDCMTKIsTaken(t *testing.T) {
	gatewaytest.Need(t, "storescu", "dcmsend")
	p := newPlace(t, options{})
	d := p.enrol(identity.DICOMNode, "ct-1")
	for i, c := range []struct {
		program string
		args    []string
		nodelay string
		plain   bool
	}{
		{"storescu", nil, "0", false},
		{"storescu", nil, "1", false},
		{"storescu", []string{"-xi"}, "1", true},
		{"dcmsend", nil, "0", true},
		{"dcmsend", []string{"--decompress-never"}, "1", true},
	} {
		t.Setenv("TCP_NODELAY", c.nodelay)
		uid := fmt.Sprintf("1.2.3.%d", i)
		path, _ := image(t, uid, "FICT-0001")
		args := append([]string{"-v", "-aec", "ASEPSIS"}, c.args...)
		if c.plain {
			args = append(args, "-aet", "US1", "127.0.0.1", p.port(KindPlain), path)
		} else {
			args = append(append(args, d.TLS()...), "-aet", "CT1", "127.0.0.1", p.port(KindTLS), path)
		}
		if out, err := gatewaytest.Run(t, c.program, args...); err != nil || len(p.vault.all()) != i+1 {
			t.Errorf("%s %v: %v\n%s", c.program, c.args, err, out)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// after returns how the association ended that f caused.
func (p *place) after(t *testing.T, f func()) control.Association {
	t.Helper()
	before := len(p.ended())
	f()
	gatewaytest.Until(t, "the end of it to be shown", func() bool { return len(p.ended()) > before })
	return p.ended()[before]
}

// hears fails the test where a peer has not said something, in lower case and without blanks.
func hears(t *testing.T, said, want string) {
	t.Helper()
	if !strings.Contains(strings.ReplaceAll(strings.ToLower(said), " ", ""), strings.ReplaceAll(want, " ", "")) {
		t.Errorf("the peer was not told %q:\n%s", want, said)
	}
}

// handshake has openssl connect with a certificate.
func (p *place) handshake(t *testing.T, d gatewaytest.Credentials, options ...string) string {
	t.Helper()
	out, err := gatewaytest.Run(t, "openssl", slices.Concat([]string{"s_client", "-ign_eof", "-CAfile", d.CA, "-cert", d.Cert, "-key", d.Key}, options, []string{"-connect", "127.0.0.1:" + p.port(KindTLS)})...)
	if err == nil {
		t.Errorf("it was let in:\n%s", out)
	}
	return out
}

// echoing has echoscu go on and on, with the certificate of ct-1, and returns when the gateway has answered it.
func (p *place) echoing(t *testing.T, d gatewaytest.Credentials) *gatewaytest.Program {
	t.Helper()
	out := gatewaytest.Start(t, t.TempDir(), "echoscu", slices.Concat(d.TLS(), []string{"--repeat", "100000000", "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS)})...)
	gatewaytest.Until(t, "the first echo", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, a := range p.shown {
			if a.Operations > 0 {
				return true
			}
		}
		return false
	})
	return out
}

// elsewhere makes a place whose gateway is of another trust domain than the site's authority.
func elsewhere(t *testing.T, site *identitytest.Site) *place {
	t.Helper()
	return newPlace(t, options{site: site, deps: func(d *Deps) {
		_, pair := site.Issue(t, identity.DICOMNode, "gateway-2")
		cfg := trust.Default()
		cfg.TrustDomain = "another.st-example.internal"
		tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Announcer: site.Air, Now: site.Clock.Now, Material: func() (trust.Material, error) {
			return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: &pair}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		d.Trust = tr
	}})
}

// raw sends bytes to a listener and returns what comes back until it closes.
func (p *place) raw(t *testing.T, door string, b []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", p.g.Addr(door).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(gatewaytest.Patience))
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil && len(answer) == 0 {
		t.Fatalf("no answer: %v", err)
	}
	return answer
}

// panicking is a proxy with a fault.
type panicking struct{}

func (panicking) Serves(string) bool { return true }
func (panicking) Handle(context.Context, query.Caller, *dicomnet.Request) (dicomnet.Reply, error) {
	panic("a fault")
}
func (panicking) Moved(instance.Arrival) ([]instance.Delivery, bool) { return nil, false }
func (panicking) Open(instance.Arrival) bool                         { return false }
func (panicking) Kept(instance.Arrival, instance.Record)             {}

// rebound is an association of ct-1 whose binding becomes another one after it was opened.
func rebound(t *testing.T, change func(*control.Binding), class string) control.Association {
	t.Helper()
	p := newPlace(t, options{})
	a, err := p.dialer("ct-1").Dial(t.Context(), p.g.Addr(KindTLS).String())
	if err != nil {
		t.Fatal(err)
	}
	b := ct()
	change(&b)
	if problems, err := p.binds.Replace([]control.Binding{b}, p.binds.Revision()); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	return p.after(t, func() {
		pc, err := a.Info().Select(gatewaytest.CTStorage, false)
		if err != nil {
			t.Fatal(err)
		}
		rsp, err := a.Do(t.Context(), pc.ID, storeCommand(class, "1.2.3.1"), bytes.NewReader(dataset(t, class, "1.2.3.1", "FICT-0001", 64)), nil)
		if err != nil || rsp.Status.Category() != dimse.Failure {
			t.Errorf("it is told %v, %v", rsp.Status, err)
		}
		_ = a.Release(t.Context())
	})
}

// meetings are those codes that need more than a program at a door, each with how a client meets it.
func meetings() map[string]func(*testing.T) control.Association {
	const day = 24 * time.Hour
	find := func(t *testing.T, want string, change func(*query.Config), keys ...string) control.Association {
		a := newArchived(t, change)
		d := a.enrol(identity.DICOMNode, "ws-1")
		return a.after(t, func() {
			out, _ := a.ask(d, "findscu", append([]string{"-k", "QueryRetrieveLevel=STUDY"}, keys...)...)
			hears(t, out, want)
		})
	}
	return map[string]func(*testing.T) control.Association{
		NotDICOM: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			return p.after(t, func() {
				_, _ = gatewaytest.Run(t, "curl", "-s", "-o", "/dev/null", "--max-time", "5", "dict://127.0.0.1:"+p.port(KindPlain)+"/d:dicom") // a dictionary: "CLIENT libcurl"
			})
		},
		NotTLS: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			return p.after(t, func() {
				if out, err := gatewaytest.Run(t, "curl", "-s", "-S", "--max-time", "5", "dict://127.0.0.1:"+p.port(KindTLS)+"/d:dicom"); err == nil && out != "" {
					t.Errorf("it was answered %q", out)
				}
			})
		},
		Expired: func(t *testing.T) control.Association {
			site := identitytest.New(t, identitytest.Options{})
			d := gatewaytest.Enrol(t, site, identity.DICOMNode, "ct-1")
			site.Clock.Advance(8 * day)
			if err := site.Publish(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			p := newPlace(t, options{site: site})
			return p.after(t, func() { hears(t, p.handshake(t, d), "alert certificate expired") })
		},
		NotYetValid: func(t *testing.T) control.Association {
			site := identitytest.New(t, identitytest.Options{})
			site.Clock.Advance(2 * day)
			d := gatewaytest.Enrol(t, site, identity.DICOMNode, "ct-1")
			site.Clock.Advance(-2 * day)
			p := newPlace(t, options{site: site})
			return p.after(t, func() { hears(t, p.handshake(t, d), "alert") })
		},
		CannotJudge: func(t *testing.T) control.Association {
			site := identitytest.New(t, identitytest.Options{})
			d := gatewaytest.Enrol(t, site, identity.DICOMNode, "ct-1")
			p := newPlace(t, options{site: site})
			site.Clock.Advance(5 * day) // nobody has signed a list since
			return p.after(t, func() { hears(t, p.handshake(t, d), "alert bad certificate") })
		},
		NoIdentity: func(t *testing.T) control.Association {
			site := identitytest.New(t, identitytest.Options{})
			d := gatewaytest.Enrol(t, site, identity.DICOMNode, "ct-1")
			p := elsewhere(t, site) // it names a device, and none of there
			return p.after(t, func() { hears(t, p.handshake(t, d), "alert bad certificate") })
		},
		GatewayDistrust: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			d.CA = gatewaytest.Enrol(t, identitytest.New(t, identitytest.Options{}), identity.DICOMNode, "ct-1").CA
			return p.after(t, func() {
				out, _ := gatewaytest.Run(t, "echoscu", append(d.TLS(), "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS))...)
				hears(t, out, "certificate verify failed")
			})
		},
		TLSFailed: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			return p.after(t, func() { hears(t, p.handshake(t, d, "-tls1_2", "-cipher", "AES256-SHA256"), "alert handshake failure") })
		},
		UnknownPlain: func(t *testing.T) control.Association {
			p := newPlace(t, options{bindings: []control.Binding{ct()}})
			return p.after(t, func() {
				out, _ := gatewaytest.Run(t, "echoscu", "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindPlain))
				hears(t, out, "calling ae title not recognized")
			})
		},
		TooMany: func(t *testing.T) control.Association {
			p := newPlace(t, options{config: func(c *Config) { c.Associations = 1 }})
			d := p.enrol(identity.DICOMNode, "ct-1")
			_ = p.echoing(t, d)
			path, _ := image(t, "1.2.3.1", "FICT-0001")
			got := p.after(t, func() {
				out, err := p.send(d, path)
				if hears(t, out, "local limit exceeded"); err == nil {
					t.Error("storescu is content")
				}
			})
			if again := p.after(t, func() {
				out, _ := gatewaytest.Run(t, "echoscu", append(d.TLS(), "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS))...)
				hears(t, out, "rejected transient")
			}); again.Problem != TooMany {
				t.Errorf("echoscu: %+v", again)
			}
			return got
		},
		OperationRefused: func(t *testing.T) control.Association {
			if got := rebound(t, func(b *control.Binding) { b.Operations = []string{"echo"} }, gatewaytest.CTStorage); got.Problem != OperationRefused {
				t.Errorf("what its binding had before: %+v", got)
			}
			return find(t, "unable to process", func(c *query.Config) { c.Archives[0].For = []string{"ANOTHER"} }, "-k", "PatientID=FICT-0001")
		},
		ClassRefused: func(t *testing.T) control.Association {
			return rebound(t, func(b *control.Binding) { b.SOPClasses = []string{"mr"} }, gatewaytest.CTStorage)
		},
		ClassMismatch: func(t *testing.T) control.Association {
			return rebound(t, func(*control.Binding) {}, gatewaytest.MRStorage)
		},
		QueryRefused: func(t *testing.T) control.Association {
			return find(t, "unable to process", nil, "-k", "PatientName=*")
		},
		MoveRefused: func(t *testing.T) control.Association {
			a := newArchived(t, nil)
			d := a.enrol(identity.DICOMNode, "ws-1")
			return a.after(t, func() {
				out, _ := a.ask(d, "movescu", "-aem", "ELSEWHERE", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.3")
				hears(t, out, "move destination unknown")
			})
		},
		ArchiveAway: func(t *testing.T) control.Association {
			return find(t, "out of resources", func(c *query.Config) { c.Archives[0].Address = "127.0.0.1:1" }, "-k", "PatientID=FICT-0001")
		},
		ArchiveRefused: func(t *testing.T) control.Association {
			return find(t, "out of resources", func(c *query.Config) { c.Archives[0].CalledAE = "ANOTHER" }, "-k", "PatientID=FICT-0001")
		},
		CutOff: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			peer := p.echoing(t, d)
			return p.after(t, func() {
				if _, err := p.site.Revoke(t.Context(), identity.Revocation{Serials: []string{d.Serial}, Reason: identity.KeyCompromise}); err != nil {
					t.Fatal(err)
				}
				<-peer.Ended()
			})
		},
		Aborted: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			return p.after(t, func() {
				if out, err := gatewaytest.Run(t, "echoscu", append(d.TLS(), "--abort", "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS))...); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		},
		TimedOut: func(t *testing.T) control.Association {
			p := newPlace(t, options{config: func(c *Config) { c.Timeouts.Associate = 300 * time.Millisecond }})
			d := p.enrol(identity.DICOMNode, "ct-1")
			return p.after(t, func() { // TLS, and then nothing
				_, _ = gatewaytest.Run(t, "openssl", "s_client", "-quiet", "-ign_eof", "-CAfile", d.CA, "-cert", d.Cert, "-key", d.Key, "-connect", "127.0.0.1:"+p.port(KindTLS))
			})
		},
		BrokenProtocol: func(t *testing.T) control.Association { // no real client does that
			p := newPlace(t, options{})
			return p.after(t, func() {
				if got := p.raw(t, KindPlain, []byte{4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 3}); !bytes.Equal(got, []byte{7, 0, 0, 0, 0, 4, 0, 0, 0, 0}) {
					t.Errorf("data before an association: it is told % x", got)
				}
			})
		},
		ConnectionLost: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			peer := p.echoing(t, d)
			return p.after(t, peer.Stop)
		},
		Stopping: func(t *testing.T) control.Association {
			p := newPlace(t, options{})
			d := p.enrol(identity.DICOMNode, "ct-1")
			peer := p.echoing(t, d)
			return p.after(t, func() {
				p.stop()
				<-peer.Ended()
			})
		},
		Panicked: func(t *testing.T) control.Association {
			p := newPlace(t, options{bindings: asking(), deps: func(d *Deps) { d.Queries = panicking{} }})
			d := p.enrol(identity.DICOMNode, "ws-1")
			return p.after(t, func() {
				out, _ := gatewaytest.Run(t, "findscu", slices.Concat([]string{"-v", "-S"}, d.TLS(), []string{"-aet", "WS1", "-aec", "ASEPSIS", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=FICT-0001", "127.0.0.1", p.port(KindTLS)})...)
				hears(t, out, "abort")
			})
		},
	}
}

// TestTheAnswersToStrangersOnTheWire reads what those are answered who speak something else, or come too many.
func TestTheAnswersToStrangersOnTheWire(t *testing.T) {
	p := newPlace(t, options{config: func(c *Config) { c.Associations = 1 }})
	d := p.dialer("us-old")
	d.CallingAE, d.Handshake = "US1", nil
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: dicom.UIDVerification, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	held, err := d.Dial(t.Context(), p.g.Addr(KindPlain).String())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Abort()
	request := associateRequest("ASEPSIS", "US1")
	for name, c := range map[string]struct {
		door string
		say  []byte
		want []byte
	}{
		"other bytes on the plain port": {KindPlain, []byte("CLIENT libcurl\r\n"), []byte{7, 0, 0, 0, 0, 4, 0, 0, 2, 1}},
		"TLS on the plain port":         {KindPlain, []byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, []byte{21, 3, 1, 0, 2, 2, 10}},
		"plain DICOM on the TLS port":   {KindTLS, request, []byte{3, 0, 0, 0, 0, 4, 0, 1, 1, 1}},
		"one association too many":      {KindPlain, request, []byte{3, 0, 0, 0, 0, 4, 0, 2, 3, 2}},
		"another calling AE title":      {KindPlain, associateRequest("ASEPSIS", "US2"), []byte{3, 0, 0, 0, 0, 4, 0, 1, 1, 3}},
		"another called AE title":       {KindPlain, associateRequest("PACS", "US1"), []byte{3, 0, 0, 0, 0, 4, 0, 1, 1, 7}},
	} {
		if got := p.raw(t, c.door, c.say); !bytes.Equal(got, c.want) {
			t.Errorf("%s: it is told % x, want % x", name, got, c.want)
		}
	}
	for door, want := range map[string]string{KindPlain: "This is a DICOM (DIMSE) port.", KindTLS: "This is a port for DICOM over TLS."} {
		if got := string(p.raw(t, door, []byte("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"))); !strings.HasPrefix(got, "HTTP/1.0 400 ") || !strings.Contains(got, want) {
			t.Errorf("a browser at %s is told %q", door, got)
		}
	}
}

// associateRequest is an A-ASSOCIATE-RQ for verification, as PS3.8 §9.3.2 has it.
func associateRequest(called, calling string) []byte {
	pad := func(s string) string { return (s + strings.Repeat(" ", 16))[:16] }
	item := func(kind byte, body string) string {
		return string([]byte{kind, 0, byte(len(body) >> 8), byte(len(body))}) + body
	}
	body := "\x00\x01\x00\x00" + pad(called) + pad(calling) + strings.Repeat("\x00", 32) + item(0x10, "1.2.840.10008.3.1.1.1") +
		item(0x20, "\x01\x00\x00\x00"+item(0x30, dicom.UIDVerification)+item(0x40, dicom.ImplicitVRLittleEndian)) + item(0x50, item(0x51, "\x00\x00\x40\x00")+item(0x52, "1.2.3"))
	return append([]byte{1, 0, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

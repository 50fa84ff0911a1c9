// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// sender makes a Client for a root.
func sender(t *testing.T, root string, change func(*Destination)) *Client {
	t.Helper()
	d := DefaultDestination()
	d.URL = root
	if change != nil {
		change(&d)
	}
	rt := Transport(nil, d.Wait)
	t.Cleanup(rt.CloseIdleConnections)
	c, err := NewClient(d, rt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func outgoing(n, pixels int) Outgoing {
	data := ct(uid(n), pixels)
	return Outgoing{SOPClass: ctStorage, SOPInstance: uid(n), TransferSyntax: dicom.ExplicitVRLittleEndian, SourceAE: "GATEWAY", Data: bytes.NewReader(data), Size: int64(len(data))}
}

func credentials(t *testing.T) func(*Destination) {
	return func(d *Destination) {
		d.Username, d.PasswordFile = "gateway", config.SecretFile(secret(t, "fictional"))
	}
}

func TestOrthancTakesWhatIsSent(t *testing.T) {
	root := orthanc(t, nil, nil).Root()
	c := sender(t, root, credentials(t))
	one := outgoing(1, 500_000)
	one.Size = -1 // in chunks, after 100-continue
	got, err := c.Send(t.Context(), one)
	if err != nil || len(got) != 1 || !got[0].Stored {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err = c.Send(t.Context(), outgoing(2, 2_000_000), outgoing(3, 10), outgoing(4, 10))
	if err != nil || len(got) != 3 || !got[0].Stored || !got[1].Stored || !got[2].Stored || got[0].SOPInstance != uid(2) {
		t.Fatalf("%+v, %v", got, err)
	}
	// What Orthanc cannot read is refused, and is not called stored.
	bad := outgoing(5, 10)
	bad.Data, bad.Size = strings.NewReader(strings.Repeat("\xff", 500)), 500
	if got, err = c.Send(t.Context(), bad); err == nil && got[0].Stored {
		t.Errorf("what is no data set was stored: %+v", got)
	}
	if e := c.Echo(t.Context()); !e.OK || len(e.Steps) < 2 {
		t.Errorf("echo: %+v", e)
	}
	var refused *StatusError
	if _, err := sender(t, root, nil).Send(t.Context(), outgoing(6, 10)); !errors.As(err, &refused) || refused.Status != 401 || refused.Hint() == "" {
		t.Errorf("without a password: %v", err)
	}
	if e := sender(t, root, nil).Echo(t.Context()); e.OK || e.Hint == "" {
		t.Errorf("echo without a password: %+v", e)
	}
	if _, err := sender(t, strings.TrimSuffix(root, "/dicom-web")+"/nowhere", credentials(t)).Send(t.Context(), outgoing(6, 10)); !errors.As(err, &refused) || refused.Temporary {
		t.Errorf("at another path: %v", err)
	}
}

func TestOurOwnServerTakesWhatIsSentOverMutualTLS(t *testing.T) {
	g := open(t, nil)
	g.shelf.answers = map[string]uint16{uid(2): 0xA900, uid(3): 0xB007}
	cl, err := gatewaytest.Trust(t, g.site, &g.pair).Client(trust.ClientOptions{Profiles: []identity.Profile{identity.DICOMNode}})
	if err != nil {
		t.Fatal(err)
	}
	d := DefaultDestination()
	d.URL = g.url
	rt := Transport(cl, d.Wait)
	defer rt.CloseIdleConnections()
	c, err := NewClient(d, rt)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		got, err := c.Send(t.Context(), outgoing(1, 100_000), outgoing(2, 10), outgoing(3, 10))
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprintf("%v %04X, %v %04X, %v %04X", got[0].Stored, got[0].Reason, got[1].Stored, got[1].Reason, got[2].Stored, got[2].Reason); s != "true 0000, false A900, true B007" {
			t.Error(s)
		}
	}
	if !bytes.Equal(g.shelf.data(uid(1)), ct(uid(1), 100_000)) {
		t.Error("the data set was changed")
	}
	if l := g.Associations(); len(l) != 1 || l[0].Operations != 3 {
		t.Errorf("the connection is not used again: %+v", l)
	}
	if e := c.Echo(t.Context()); !e.OK || len(e.Steps) != 3 || e.Steps[1].Name != "tls" || !strings.Contains(e.Steps[1].Detail, "TLSv1.3") {
		t.Errorf("echo: %+v", e)
	}
	for name, by := range map[string]int64{"shorter": 10, "longer": -10} {
		other := outgoing(4, 10)
		other.Size += by
		if _, err := c.Send(t.Context(), other); !errors.Is(err, errLength) || g.shelf.data(uid(4)) != nil {
			t.Errorf("a data set that is %s than it should be: %v", name, err)
		}
	}
	broken := outgoing(5, 10)
	broken.Data, broken.Size = io.MultiReader(bytes.NewReader(ct(uid(5), 10)), readerFunc(func([]byte) (int, error) { return 0, errTest })), -1
	if _, err := c.Send(t.Context(), broken); err == nil || g.shelf.data(uid(5)) != nil {
		t.Errorf("a data set that breaks off: %v", err)
	}
	if _, err := c.Send(t.Context(), outgoing(6, 10), outgoing(6, 10)); err == nil {
		t.Error("the same instance twice in one request")
	}
}

func TestOnlyWhatIsListedIsStored(t *testing.T) {
	item := func(n int, more string) string {
		return fmt.Sprintf(`{"00081150":{"vr":"UI","Value":[%q]},"00081155":{"vr":"UI","Value":[%q]}%s}`, ctStorage, uid(n), more)
	}
	for name, c := range map[string]struct {
		status int
		media  string
		body   string
		want   string
	}{
		"stored":                            {200, jsonType, `{"00081199":{"vr":"SQ","Value":[` + item(1, "") + `]}}`, "stored"},
		"stored, in an array":               {200, jsonType, `[{"00081199":{"vr":"SQ","Value":[` + item(1, "") + `]}}]`, "stored"},
		"stored with a warning":             {202, jsonType, `{"00081199":{"vr":"SQ","Value":[` + item(1, `,"00081196":{"vr":"US","Value":[45063]}`) + `]}}`, "stored B007"},
		"200 but failed":                    {200, jsonType, `{"00081198":{"vr":"SQ","Value":[` + item(1, `,"00081197":{"vr":"US","Value":[42752]}`) + `]}}`, "failed A700"},
		"both stored and failed":            {202, jsonType, `{"00081198":{"vr":"SQ","Value":[` + item(1, `,"00081197":{"vr":"US","Value":[272]}`) + `]},"00081199":{"vr":"SQ","Value":[` + item(1, "") + `]}}`, "failed 0110"},
		"failed without a reason":           {409, jsonType, `{"00081198":{"vr":"SQ","Value":[` + item(1, "") + `]}}`, "failed 0110"},
		"failed without a name":             {409, jsonType, `{"0008119A":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[49152]}}]}}`, "failed C000"},
		"another instance is listed":        {200, jsonType, `{"00081199":{"vr":"SQ","Value":[` + item(2, "") + `]}}`, "failed 0110"},
		"200 and an empty list":             {200, jsonType, `{}`, "failed 0110"},
		"200 and nothing":                   {200, jsonType, ``, "error 200 temporary"},
		"200 and a page":                    {200, "text/html", `<html>welcome`, "error 200 temporary"},
		"200 and broken JSON":               {200, jsonType, `{"00081199":`, "error 200 temporary"},
		"a reason that is no number":        {200, jsonType, `{"00081198":{"vr":"SQ","Value":[` + item(1, `,"00081197":{"vr":"US","Value":[99999]}`) + `]}}`, "error 200 temporary"},
		"XML":                               {200, xmlType, `<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="00081199" vr="SQ"><Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">` + uid(1) + `</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>`, "stored"},
		"XML, failed":                       {409, xmlType, `<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"><DicomAttribute tag="00081198" vr="SQ"><Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">` + uid(1) + `</Value></DicomAttribute><DicomAttribute tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>`, "failed 0110"},
		"XML with a document type":          {200, xmlType, `<!DOCTYPE x [<!ENTITY a "b">]><NativeDicomModel/>`, "error 200 temporary"},
		"XML of something else":             {200, xmlType, `<html/>`, "error 200 temporary"},
		"busy":                              {503, "text/plain", `later`, "error 503 temporary"},
		"busy, with reasons":                {503, jsonType, `{"00081198":{"vr":"SQ","Value":[` + item(1, `,"00081197":{"vr":"US","Value":[42752]}`) + `]}}`, "failed A700"},
		"forbidden":                         {403, "text/plain", `Fictional^Petra`, "error 403"},
		"elsewhere":                         {302, "text/plain", ``, "error 302"},
		"too large":                         {413, "text/html", ``, "error 413"},
		"an error of the server":            {500, "text/plain", ``, "error 500 temporary"},
		"an answer that does not end":       {200, jsonType, strings.Repeat(" ", 70<<10), "longer"},
		"conflict without any reason in it": {409, "text/plain", ``, "error 409"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", c.media)
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer s.Close()
			results, err := sender(t, s.URL, nil).Send(t.Context(), outgoing(1, 10))
			var refused *StatusError
			got := ""
			switch {
			case errors.As(err, &refused):
				got = fmt.Sprint("error ", refused.Status)
				if refused.Temporary {
					got += " temporary"
				}
			case err != nil && strings.Contains(err.Error(), "longer"):
				got = "longer"
			case err != nil:
				got = err.Error()
			case results[0].Stored:
				got = "stored"
			default:
				got = "failed"
			}
			if err == nil && results[0].Reason != 0 {
				got += fmt.Sprintf(" %04X", results[0].Reason)
				if results[0].Why == "" {
					t.Error("it does not say why")
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s (%v)", got, c.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "Petra") {
				t.Errorf("the error repeats what the server said: %v", err)
			}
		})
	}
}

func TestAServerThatStopsDoesNotHoldASender(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close() // it reads nothing
		}
	}()
	short := func(d *Destination) { d.Stall, d.Wait = 50*time.Millisecond, 100*time.Millisecond }
	c := sender(t, "http://"+ln.Addr().String(), short)
	big := Outgoing{SOPClass: ctStorage, SOPInstance: uid(1), TransferSyntax: dicom.ExplicitVRLittleEndian, Data: io.LimitReader(zeros{}, 1<<30), Size: 1 << 30}
	if _, err := c.Send(t.Context(), big); !errors.Is(err, errStalled) && !errors.Is(err, errNoAnswer) && !isTimeout(err) {
		t.Errorf("a server that reads nothing: %v", err)
	}
	if _, err := c.Send(t.Context(), outgoing(1, 10)); !errors.Is(err, errNoAnswer) && !isTimeout(err) {
		t.Errorf("a server that does not answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Send(ctx, outgoing(1, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("a sender that gave up: %v", err)
	}
	if e := c.Echo(t.Context()); e.OK || e.What == "" {
		t.Errorf("echo: %+v", e)
	}
}

// TestNothingIsReadAfterTheAnswer has a server answer before it has read everything.
func TestNothingIsReadAfterTheAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1000)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	defer s.Close()
	var over, after atomic.Bool
	big := Outgoing{SOPClass: ctStorage, SOPInstance: uid(1), TransferSyntax: dicom.ExplicitVRLittleEndian, Size: 1 << 30,
		Data: readerFunc(func(p []byte) (int, error) {
			if over.Load() {
				after.Store(true)
			}
			return len(p), nil
		})}
	var refused *StatusError
	_, err := sender(t, s.URL, nil).Send(t.Context(), big)
	over.Store(true)
	if err == nil || errors.As(err, &refused) && refused.Status != 413 {
		t.Error(err)
	}
	s.Close() // returns when the connection is gone
	if after.Load() {
		t.Error("the source was read after Send had returned")
	}
}

func TestPlainHTTPStaysOnTheMachine(t *testing.T) {
	for root, ok := range map[string]bool{
		"http://127.0.0.1:8042/dicom-web": true, "http://[::1]:8042": true, "http://localhost/x": true, "https://pacs.st-example.internal/dicom-web/": true,
		"http://pacs.st-example.internal/": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "https://u:p@pacs/": false, "https://pacs/?x=y": false, "https://pacs/a%2fb": false, "https://pacs/../x": false, "": false, "pacs": false, "https:///x": false,
	} {
		d := DefaultDestination()
		d.URL = root
		if _, err := NewClient(d, nil); (err == nil) != ok {
			t.Errorf("%q: %v", root, err)
		}
	}
	rt := Transport(nil, time.Second)
	defer rt.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://localhost:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if rsp, err := rt.RoundTrip(r); err == nil {
		_ = rsp.Body.Close()
		t.Error("TLS without an identity")
	}
}

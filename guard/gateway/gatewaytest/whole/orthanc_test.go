// SPDX-License-Identifier: Apache-2.0

package whole

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/service"
)

// pacs is Orthanc in the place of an archive, bound over TLS.
func pacs() control.Binding {
	return control.Binding{Device: "pacs", CallingAE: []string{"PACS"}, Operations: []string{"echo", "store", "commitment"}}
}

// secured makes a destination of Orthanc over mutual TLS.
func secured(name, ae, port, device string) forward.Destination {
	d := To(name, ae, port)
	d.TLS, d.Device = forward.TLSSite, device
	return d
}

// TestFromDCMTKToOrthancOverTLSBothTimes is the way of most hospitals: a modality, the gateway, the archive.
func TestFromDCMTKToOrthancOverTLSBothTimes(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "storescu")
	port := gatewaytest.FreePort(t)
	h := New(t, []control.Binding{scanner(), pacs()}, all(secured("pacs", "PACS", port, "pacs")))
	own := h.Enrol("pacs")
	archive := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", DICOM: port, TLS: &own, Modalities: []gatewaytest.Modality{{Name: "gateway", AE: "ASEPSIS", Port: h.Port(gateway.KindTLS), TLS: true}}})
	want, files := map[string][]byte{}, []string{}
	for n := range 5 {
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 64+n)
		files = append(files, gatewaytest.File(t, gatewaytest.CTStorage, uid(n), want[uid(n)]))
	}
	if out, err := h.Send(h.Enrol("ct-1"), "CT1", files...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, r := range h.becomes(t, 5, instance.Delivered) {
		if d := r.Deliveries[0]; d.Forwarded != r.DataSet || d.TLS == "" || d.Certificate == "" {
			t.Errorf("%+v", d)
		}
		gatewaytest.Until(t, "the ledger to know", func() bool { return len(h.told(t, custody.Forwarded, want[r.SOPInstance])) == 1 })
	}
	same(t, "Orthanc", archive.Instances(), want)
}

// TestOrthancSendsToTheGatewayOverTLS has Orthanc as the sender; it writes data sets as it has them.
func TestOrthancSendsToTheGatewayOverTLS(t *testing.T) {
	gatewaytest.Need(t, "Orthanc")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	h := New(t, []control.Binding{pacs()}, all(To("xr", "XR1", xr.Port)))
	own := h.Enrol("pacs")
	sender := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", TLS: &own, Modalities: []gatewaytest.Modality{{Name: "gateway", AE: "ASEPSIS", Port: h.Port(gateway.KindTLS), TLS: true}}})
	want := map[string][]byte{}
	var ids []string
	for n := range 3 {
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 64+n)
		ids = append(ids, sender.Put(gatewaytest.Part10(t, gatewaytest.CTStorage, uid(n), want[uid(n)])))
	}
	if status, answer := sender.Call(http.MethodPost, "/modalities/gateway/echo", "{}"); status != http.StatusOK {
		t.Errorf("echo: %d %s", status, answer)
	}
	body, _ := json.Marshal(ids) // strings
	if status, answer := sender.Call(http.MethodPost, "/modalities/gateway/store", string(body)); status != http.StatusOK || !strings.Contains(answer, `"FailedInstancesCount" : 0`) {
		t.Fatalf("store: %d %s", status, answer)
	}
	for _, r := range h.becomes(t, 3, instance.Delivered) {
		if r.Sender.Device != "pacs" || r.Sender.TLS == "" || r.Sender.CallingAE != "PACS" {
			t.Errorf("%+v", r.Sender)
		}
	}
	same(t, "the processor", xr.Received(), want)
}

// committed waits for what Orthanc was told of a transaction.
func committed(t *testing.T, o *gatewaytest.Orthanc, path string) (status string, reasons map[string]int) {
	t.Helper()
	var report struct {
		Status   string
		Success  []struct{ SOPInstanceUID string }
		Failures []struct {
			SOPInstanceUID string
			FailureReason  int
		}
	}
	gatewaytest.Until(t, "the report of storage commitment", func() bool {
		o.Get(path, &report)
		return report.Status != "Pending"
	})
	reasons = map[string]int{}
	for _, s := range report.Success {
		reasons[s.SOPInstanceUID] = 0
	}
	for _, f := range report.Failures {
		reasons[f.SOPInstanceUID] = f.FailureReason
	}
	return report.Status, reasons
}

// TestOrthancAsksTheGatewayForStorageCommitment asks for what is safe, what was given up, and what never came. Orthanc
// ends its association when it has asked, so that the report comes on another one.
func TestOrthancAsksTheGatewayForStorageCommitment(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "storescp")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	port := gatewaytest.FreePort(t)
	h := New(t, []control.Binding{pacs()}, func(c *service.Config) {
		all(To("xr", "XR1", xr.Port))(c)
		c.Query.Callbacks = []query.Callback{{Device: "pacs", Address: "127.0.0.1:" + port, AE: "PACS", TLS: true}}
	})
	own := h.Enrol("pacs")
	o := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", DICOM: port, TLS: &own, Modalities: []gatewaytest.Modality{{Name: "gateway", AE: "ASEPSIS", Port: h.Port(gateway.KindTLS), TLS: true}}})
	id := o.Put(gatewaytest.Part10(t, gatewaytest.CTStorage, uid(1), gatewaytest.Image(t, uid(1), "FICT-0001", 32)))
	if status, answer := o.Call(http.MethodPost, "/modalities/gateway/store", `{"Resources": ["`+id+`"], "StorageCommitment": true}`); status != http.StatusOK {
		t.Fatalf("store: %d %s", status, answer)
	} else {
		var made struct {
			Transaction string `json:"StorageCommitmentTransactionUID"`
		}
		if err := json.Unmarshal([]byte(answer), &made); err != nil || made.Transaction == "" {
			t.Fatalf("%v: %s", err, answer)
		}
		if s, r := committed(t, o, "/storage-commitment/"+made.Transaction); s != "Success" || len(r) != 1 {
			t.Errorf("of what is safe Orthanc was told %s: %v", s, r)
		}
	}
	ask := func(list ...string) (string, map[string]int) {
		t.Helper()
		var refs []string
		for _, one := range list {
			class, instance, _ := strings.Cut(one, " ")
			refs = append(refs, fmt.Sprintf(`{"SOPClassUID": %q, "SOPInstanceUID": %q}`, class, instance))
		}
		status, answer := o.Call(http.MethodPost, "/modalities/gateway/storage-commitment", `{"DicomInstances": [`+strings.Join(refs, ",")+`]}`)
		var made struct{ ID, Path string }
		if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusOK {
			t.Fatalf("storage commitment: %d %s: %v", status, answer, err)
		}
		return committed(t, o, made.Path)
	}
	doc := o.Put(gatewaytest.Part10(t, gatewaytest.PDFStorage, uid(9), gatewaytest.Document(t, uid(9))))
	if status, answer := o.Call(http.MethodPost, "/modalities/gateway/store", `{"Resources": ["`+doc+`"]}`); status == http.StatusOK && strings.Contains(answer, `"FailedInstancesCount" : 0`) {
		t.Errorf("what is held is said to be stored: %s", answer)
	}
	h.decide(t, "destroy")
	// PS3.3 §C.14.1.1: processing failure, no such object instance, class / instance conflict.
	if s, r := ask(gatewaytest.CTStorage+" "+uid(1), gatewaytest.CTStorage+" "+uid(404), gatewaytest.PDFStorage+" "+uid(9)); s != "Failure" || len(r) != 3 || r[uid(1)] != 0 || r[uid(404)] != 0x0112 || r[uid(9)] != 0x0110 {
		t.Errorf("Orthanc was told %s: %v", s, r)
	}
	if s, r := ask(gatewaytest.MRStorage + " " + uid(1)); s != "Failure" || r[uid(1)] != 0x0119 {
		t.Errorf("of another class Orthanc was told %s: %v", s, r)
	}
}

// workstation asks, in clear where DCMTK's programs have no TLS.
func workstation() control.Binding {
	return control.Binding{Device: "ws-1", Plain: true, Addresses: []string{"127.0.0.1"}, CallingAE: []string{"WS1"}, Operations: []string{"echo", "find", "move", "get"}, Destinations: []string{"XR1"}, Theatre: "or-3"}
}

// TestDCMTKAsksOrthancThroughTheGateway finds, moves and gets what an archive with TLS has.
func TestDCMTKAsksOrthancThroughTheGateway(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "findscu", "movescu", "getscu", "storescp")
	xr := gatewaytest.NewStoreSCP(t, "XR1")
	xr.Up()
	other := gatewaytest.NewStoreSCP(t, "OTHER")
	other.Up()
	port := gatewaytest.FreePort(t)
	h := New(t, []control.Binding{workstation(), pacs()}, func(c *service.Config) {
		c.Forward.Destinations = []forward.Destination{To("xr", "XR1", xr.Port), To("other", "OTHER", other.Port)}
		c.Forward.Routes = []forward.Route{{Name: "elsewhere", To: []string{"other"}, Fail: forward.FailClosed}}
		c.Query.Archives = []query.Archive{{Name: "pacs", Address: "127.0.0.1:" + port, CalledAE: "PACS", TLS: true, Device: "pacs", Operations: []string{"find", "move", "get"}}}
		c.Query.Destinations = []query.Destination{{AE: "XR1", Destination: "xr"}}
		c.Query.MoveWait = 20 * time.Second
	})
	own := h.Enrol("pacs")
	o := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{AE: "PACS", DICOM: port, TLS: &own, Modalities: []gatewaytest.Modality{{Name: "gateway", AE: "ASEPSIS", Port: h.Port(gateway.KindTLS), TLS: true}}})
	want := map[string][]byte{}
	for n := range 3 {
		want[uid(n)] = gatewaytest.Image(t, uid(n), "FICT-0001", 64+n)
		o.Put(gatewaytest.Part10(t, gatewaytest.CTStorage, uid(n), want[uid(n)]))
	}
	o.Put(gatewaytest.Part10(t, gatewaytest.PDFStorage, uid(9), gatewaytest.Document(t, uid(9)))) // it is held
	ask := func(program string, args ...string) string {
		out, _ := gatewaytest.Run(t, program, slices.Concat([]string{"-v", "-S", "-aet", "WS1", "-aec", "ASEPSIS"}, args, []string{"-k", "StudyInstanceUID=" + gatewaytest.Study, "127.0.0.1", h.Port(gateway.KindPlain)})...)
		return out
	}
	if out := ask("findscu", "-k", "QueryRetrieveLevel=SERIES", "-k", "SeriesInstanceUID", "-k", "PatientID"); strings.Count(out, "FICT-0001") != 2 || !strings.Contains(out, gatewaytest.Series) {
		t.Errorf("findscu:\n%s", out)
	}

	out := ask("movescu", "-aem", "XR1", "-k", "QueryRetrieveLevel=STUDY")
	if !strings.Contains(out, "Warning") { // the document did not get there
		t.Errorf("movescu:\n%s", out)
	}
	same(t, "the processor", xr.Received(), want)
	held := slices.DeleteFunc(h.Records(), func(r instance.Record) bool { return r.State != instance.Quarantined })
	if len(held) != 1 || held[0].MovedTo != "xr" || len(held[0].Deliveries) != 0 {
		t.Fatalf("held: %s", sprint(held))
	}
	// What was held goes to where the C-MOVE wanted it, after a restart too, and not by the routes.
	h.Stop()
	h.Start()
	h.decide(t, "release")
	want[uid(9)] = gatewaytest.Document(t, uid(9))
	gatewaytest.Until(t, "what was released to be there", func() bool { return len(xr.Received()[uid(9)]) > 0 })
	same(t, "the processor", xr.Received(), want)
	if n := len(other.Received()); n != 0 {
		t.Errorf("%d instances went by today's routes", n)
	}

	dir := t.TempDir()
	out = ask("getscu", "-od", dir, "+B", "-k", "QueryRetrieveLevel=SERIES", "-k", "SeriesInstanceUID="+gatewaytest.Series)
	delete(want, uid(9))
	same(t, "the workstation", gatewaytest.Stored(t, dir), want)
	for _, data := range want {
		found := slices.ContainsFunc(h.told(t, custody.Forwarded, data), func(s custody.Statement) bool {
			d := s.Predicate.Detail
			return s.Predicate.Device == "ws-1" && d["to"] == "WS1" && d["route"] == query.RouteGet
		})
		if !found {
			t.Errorf("the ledger does not know what the workstation got\n%s", out)
		}
	}
}

// TestOrthancServesDICOMwebThroughTheGateway retrieves with curl: each instance that is given out has its statement.
func TestOrthancServesDICOMwebThroughTheGateway(t *testing.T) {
	gatewaytest.Need(t, "Orthanc", "curl")
	o := gatewaytest.NewOrthanc(t, gatewaytest.OrthancConfig{DICOM: "none", Web: true})
	h := New(t, []control.Binding{{Device: "ws-1", CallingAE: []string{"WS1"}, Operations: []string{"qido", "wado"}, Theatre: "or-3"}}, func(c *service.Config) {
		all(To("xr", "XR1", "1"))(c)
		c.Listeners = append(c.Listeners, gateway.Listener{Kind: gateway.KindWeb, Listen: "127.0.0.1:0"})
		c.Web.Upstream.URL = o.Root()
	})
	data := gatewaytest.Image(t, uid(1), "FICT-0001", 64)
	o.Put(gatewaytest.Part10(t, gatewaytest.CTStorage, uid(1), data))
	o.Put(gatewaytest.Part10(t, gatewaytest.PDFStorage, uid(9), gatewaytest.Document(t, uid(9))))
	c := h.Enrol("ws-1")
	file := filepath.Join(t.TempDir(), "answer")
	get := func(path, accept string) string {
		t.Helper()
		out, err := gatewaytest.Run(t, "curl", "-s", "-S", "-o", file, "-w", "%{http_code}", "--cert", c.Cert, "--key", c.Key, "--cacert", c.CA, "-H", "Accept: "+accept, "https://localhost:"+h.Port(gateway.KindWeb)+"/dicom-web/studies/"+gatewaytest.Study+path)
		if err != nil {
			t.Errorf("%s: %v: %s", path, err, out)
		}
		return out
	}
	at := "/series/" + gatewaytest.Series + "/instances/" + uid(1)
	routes := func() (out []string) {
		for _, s := range h.told(t, custody.Forwarded, data) {
			d := s.Predicate.Detail
			if s.Predicate.Device != "ws-1" || d["to"] != "WS1" || d["protocol"] != "https" || d["peer_certificate"] == nil || d["sop_class"] != gatewaytest.CTStorage || s.Predicate.Theatre != "or-3" {
				t.Errorf("%+v", s.Predicate)
			}
			out = append(out, fmt.Sprint(d["route"]))
		}
		slices.Sort(out)
		return out
	}
	if status := get(at, "application/dicom"); status != "200" {
		t.Fatalf("the instance: %s", status)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := gatewaytest.DataSet(t, b); string(got) != string(data) {
		t.Error("it is not what the archive has")
	}
	if got := routes(); !slices.Equal(got, []string{"wado-rs"}) {
		t.Errorf("the ledger was told %v", got)
	}
	// Of many requests for parts of an instance one is recorded for each sort of part.
	for range 3 {
		for _, part := range []string{"/frames/1", "/rendered"} {
			if status := get(at+part, "*/*"); status != "200" {
				t.Errorf("%s: %s", part, status)
			}
		}
	}
	if got := routes(); !slices.Equal(got, []string{"wado-rs", "wado-rs/frames", "wado-rs/rendered"}) {
		t.Errorf("the ledger was told %v", got)
	}
	// Of an answer of which something is withheld nothing goes out, and nothing is said to.
	if status := get("", `multipart/related; type="application/dicom"`); status != "451" {
		t.Errorf("the study with the document: %s", status)
	}
	if got := routes(); len(got) != 3 {
		t.Errorf("the ledger was told %v", got)
	}
	var messages []string
	for _, e := range h.Events() {
		messages = append(messages, e.Message)
	}
	if strings.Contains(strings.Join(messages, "\n"), "FICT") {
		t.Error("an event names the patient")
	}
}

// SPDX-License-Identifier: Apache-2.0

package gatewaytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// StoreSCP is storescp of DCMTK, which keeps what it gets bit for bit.
type StoreSCP struct {
	AE, Port, Dir string

	t   testing.TB
	run *Program
}

// NewStoreSCP makes one that is not started yet.
func NewStoreSCP(t testing.TB, ae string) *StoreSCP {
	t.Helper()
	Need(t, "storescp")
	return &StoreSCP{AE: ae, Port: FreePort(t), Dir: t.TempDir(), t: t}
}

// Up starts it, again and again at the same port, with options of storescp.
func (s *StoreSCP) Up(options ...string) *Program {
	s.t.Helper()
	s.run = Start(s.t, s.Dir, "storescp", slices.Concat([]string{"-v", "-aet", s.AE, "-od", s.Dir, "+B"}, options, []string{s.Port})...).Listening(s.Port)
	return s.run
}

// Down stops it.
func (s *StoreSCP) Down() {
	if s.run != nil {
		s.run.Stop()
	}
}

// Received are the data sets that it got, by SOP instance.
func (s *StoreSCP) Received() map[string][]byte {
	s.t.Helper()
	return Stored(s.t, s.Dir)
}

// QRSCP is dcmqrscp of DCMTK, a small archive.
type QRSCP struct {
	*Program
	AE, Port string
	Dir      string // of its files
}

// NewQRSCP starts one that sends what C-MOVE asks for to AE titles at ports of the loopback.
func NewQRSCP(t testing.TB, ae string, hosts map[string]string) *QRSCP {
	t.Helper()
	Need(t, "dcmqrscp")
	dir := t.TempDir()
	q := &QRSCP{AE: ae, Port: FreePort(t), Dir: filepath.Join(dir, "db")}
	if err := os.Mkdir(q.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for title, port := range hosts {
		fmt.Fprintf(&table, "%s = (%s, 127.0.0.1, %s)\n", strings.ToLower(title), title, port)
	}
	text := fmt.Sprintf("NetworkTCPPort = %s\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\n%sHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\n%s %s RW (500, 1024mb) ANY\nAETable END\n", q.Port, &table, ae, q.Dir)
	conf := filepath.Join(dir, "dcmqrscp.cfg")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q.Program = Start(t, dir, "dcmqrscp", "-v", "+B", "-c", conf).Listening(q.Port)
	return q
}

// Modality is somebody whom an Orthanc knows.
type Modality struct {
	Name, AE, Port string
	TLS            bool
}

// OrthancConfig is how an Orthanc is to be. What is not said is as Orthanc has it.
type OrthancConfig struct {
	AE         string
	DICOM      string       // its DICOM port; "" picks one, "none" is none
	TLS        *Credentials // DICOM over TLS, mutual; nil: in clear
	Modalities []Modality
	Web        bool              // DICOMweb at /dicom-web
	Users      map[string]string // of its REST and DICOMweb; nil: anybody
	More       map[string]any    // of its configuration
	WebMore    map[string]any    // of the configuration of its plugin for DICOMweb
}

// Orthanc is one that runs, with its REST.
type Orthanc struct {
	*Program
	DICOM string // port
	URL   string // of its REST
	AE    string

	users map[string]string
}

const orthancWeb = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

// NewOrthanc starts an Orthanc with an empty store.
func NewOrthanc(t testing.TB, c OrthancConfig) *Orthanc {
	t.Helper()
	Need(t, "Orthanc")
	dir, web := t.TempDir(), FreePort(t)
	o := &Orthanc{DICOM: c.DICOM, AE: c.AE, URL: "http://127.0.0.1:" + web, users: c.Users}
	conf := map[string]any{"Name": "Lindenhof PACS (fictional)", "StorageDirectory": dir, "IndexDirectory": dir, "HttpPort": json.Number(web), "HttpServerEnabled": true, "RemoteAccessAllowed": false,
		"AuthenticationEnabled": len(c.Users) > 0, "Plugins": []string{}, "DefaultEncoding": "Utf8", "OverwriteInstances": true}
	if len(c.Users) > 0 {
		conf["RegisteredUsers"] = c.Users
	}
	if o.DICOM == "none" {
		conf["DicomServerEnabled"] = false
	} else {
		if o.DICOM == "" {
			o.DICOM = FreePort(t)
		}
		conf["DicomAet"], conf["DicomPort"], conf["DicomCheckCalledAet"] = c.AE, json.Number(o.DICOM), true
		conf["DicomAlwaysAllowFind"], conf["DicomAlwaysAllowGet"], conf["DicomAlwaysAllowMove"], conf["SynchronousCMove"] = true, true, true, true
	}
	if c.TLS != nil {
		conf["DicomTlsEnabled"], conf["DicomTlsCertificate"], conf["DicomTlsPrivateKey"], conf["DicomTlsTrustedCertificates"] = true, c.TLS.Cert, c.TLS.Key, c.TLS.CA
	}
	modalities := map[string]any{}
	for _, m := range c.Modalities {
		modalities[m.Name] = map[string]any{"AET": m.AE, "Host": "127.0.0.1", "Port": json.Number(m.Port), "UseDicomTls": m.TLS, "AllowStorageCommitment": true}
	}
	conf["DicomModalities"] = modalities
	if c.Web {
		if _, err := os.Stat(orthancWeb); err != nil {
			t.Skip("peer missing: orthanc-dicomweb")
		}
		plugin := map[string]any{"Enable": true, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"}
		for k, v := range c.WebMore {
			plugin[k] = v
		}
		conf["Plugins"], conf["DicomWeb"] = []string{orthancWeb}, plugin
	}
	for k, v := range c.More {
		conf[k] = v
	}
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "orthanc.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Program = Start(t, dir, "Orthanc", path)
	o.until("to start", func() bool { return strings.Contains(o.Said(), "Orthanc has started") })
	return o
}

// Root is the root of its DICOMweb.
func (o *Orthanc) Root() string { return o.URL + "/dicom-web" }

// Call makes a request of Orthanc's own REST.
func (o *Orthanc) Call(method, path, body string) (int, string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.URL+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	for name, password := range o.users {
		r.SetBasicAuth(name, password)
		break
	}
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = rsp.Body.Close() }()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return rsp.StatusCode, string(b)
}

// Get decodes what Orthanc answers to GET.
func (o *Orthanc) Get(path string, to any) {
	o.t.Helper()
	status, answer := o.Call(http.MethodGet, path, "")
	if err := json.Unmarshal([]byte(answer), to); err != nil || status != http.StatusOK {
		o.t.Fatalf("GET %s: %d %s: %v", path, status, answer, err)
	}
}

// Put stores a file over REST and returns the ID that Orthanc gave it.
func (o *Orthanc) Put(part10 []byte) string {
	o.t.Helper()
	status, answer := o.Call(http.MethodPost, "/instances", string(part10))
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusOK {
		o.t.Fatalf("POST /instances: %d %s: %v", status, answer, err)
	}
	return made.ID
}

// Instances are the data sets that it has, by SOP instance.
func (o *Orthanc) Instances() map[string][]byte {
	o.t.Helper()
	var ids []string
	o.Get("/instances", &ids)
	out := map[string][]byte{}
	for _, id := range ids {
		status, file := o.Call(http.MethodGet, "/instances/"+id+"/file", "")
		if status != http.StatusOK {
			continue
		}
		data, meta := DataSet(o.t, []byte(file))
		out[meta.SOPInstance] = data
	}
	return out
}

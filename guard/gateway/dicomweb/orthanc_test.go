// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/wire/dicom"
)

// TestOrthancAsAClient has one Orthanc store to the gateway, and ask and retrieve from another through it, with
// a client certificate.
func TestOrthancAsAClient(t *testing.T) {
	archive := orthanc(t, nil, nil).Root()
	g, _ := proxied(t, archive, withPassword(t))
	ca, cert, key := g.files()
	workstation := orthanc(t, map[string]any{"Servers": map[string]any{"gateway": map[string]any{"Url": g.url + "/", "CertificateFile": cert, "CertificateKeyFile": key, "ChunkedTransfers": "1"}}},
		map[string]any{"HttpsVerifyPeers": true, "HttpsCACertificates": ca})

	status, answer := workstation.Call("POST", "/instances", string(file(uid(1), ct(uid(1), 200_000))))
	var made struct{ ID, ParentStudy string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 200 {
		t.Fatal(status, answer, err)
	}
	if status, answer = workstation.Call("POST", "/dicom-web/servers/gateway/stow", `{"Resources": ["`+made.ParentStudy+`"], "Synchronous": true}`); status != 200 {
		t.Fatalf("STOW-RS from Orthanc: %d %s", status, answer)
	}
	got := g.shelf.data(uid(1))
	if !bytes.Equal(got, ct(uid(1), 200_000)) {
		t.Errorf("it arrived as %s, %d bytes", sum(got), len(got))
	}

	data := ct(uid(2), 200_000)
	if r, err := sender(t, archive, credentials(t)).Send(t.Context(), Outgoing{SOPClass: ctStorage, SOPInstance: uid(2), TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data), Size: int64(len(data))}); err != nil || !r[0].Stored {
		t.Fatal(r, err)
	}
	if status, answer = workstation.Call("POST", "/dicom-web/servers/gateway/qido", `{"Uri": "/studies", "Arguments": {"PatientID": "FICT-0001"}}`); status != 200 || !strings.Contains(answer, study1) {
		t.Errorf("QIDO-RS from Orthanc: %d %s", status, answer)
	}
	if status, answer = workstation.Call("POST", "/dicom-web/servers/gateway/retrieve", fmt.Sprintf(`{"Resources": [{"Study": %q, "Series": %q, "Instance": %q}], "Synchronous": true}`, study1, series1, uid(2))); status != 200 || strings.Contains(answer, `"ReceivedInstancesCount" : 0`) {
		t.Errorf("WADO-RS from Orthanc: %d %s", status, answer)
	}
	if _, answer = workstation.Call("GET", "/instances", ""); strings.Count(answer, "-") < 8 {
		t.Errorf("the workstation has %s", answer)
	}
}

// TestPythonStores sends as a script of a hospital would, with requests.
func TestPythonStores(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has Debian's packages
	if err := exec.CommandContext(t.Context(), python, "-c", "import requests, pydicom").Run(); err != nil {
		t.Skip("peer missing: python3-requests, python3-pydicom")
	}
	g := open(t, nil)
	ca, cert, key := g.files()
	out, err := gatewaytest.Run(t, python, "-W", "ignore", "-c", `
import sys, requests, pydicom
from pydicom.data import get_testdata_file
url, ca, cert, key = sys.argv[1:]
body = b''
for name in ('CT_small.dcm', 'MR_small.dcm', 'JPEG2000.dcm'):
    body += b'--xyz\r\nContent-Type: application/dicom\r\n\r\n' + open(get_testdata_file(name), 'rb').read() + b'\r\n'
r = requests.post(url + '/studies', data=body + b'--xyz--', cert=(cert, key), verify=ca, headers={'Content-Type': 'multipart/related; type=application/dicom; boundary=xyz', 'Accept': 'application/dicom+json'})
d = pydicom.Dataset.from_json(r.text)
print(r.status_code, len(d.ReferencedSOPSequence), 'FailedSOPSequence' in d)
r = requests.post(url + '/studies', data=body, cert=(cert, key), verify=ca, headers={'Content-Type': 'multipart/related; type="application/dicom"; boundary=xyz', 'Content-Encoding': 'gzip'})
print(r.status_code, r.json()['code'])
`, g.url, ca, cert, key)
	if err != nil || out != "200 3 False\n415 content-encoding\n" {
		t.Errorf("%v: %s", err, out)
	}
}

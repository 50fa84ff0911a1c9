// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/service"
)

func TestWhatIsStoredOverDICOMwebGoesTheSameWay(t *testing.T) {
	gatewaytest.Need(t, "curl")
	h, x := house(t, func(c *service.Config) {
		c.Listeners = append(c.Listeners, gateway.Listener{Kind: gateway.KindWeb, Listen: "127.0.0.1:0"})
	})
	x.Up()
	data := gatewaytest.Image(t, "1.2.3.1", "FICT-0001", 64)
	part, err := os.ReadFile(gatewaytest.File(t, gatewaytest.CTStorage, "1.2.3.1", data))
	if err != nil {
		t.Fatal(err)
	}
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, append(append([]byte("--B\r\nContent-Type: application/dicom\r\n\r\n"), part...), "\r\n--B--\r\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	store := func(d gatewaytest.Credentials) string {
		out, _ := gatewaytest.Run(t, "curl", "-s", "-S", "-i", "--cert", d.Cert, "--key", d.Key, "--cacert", d.CA, "-H", `Content-Type: multipart/related; type="application/dicom"; boundary=B`, "-H", "Accept: application/dicom+json",
			"--data-binary", "@"+body, "https://localhost:"+h.Port(gateway.KindWeb)+"/dicom-web/studies")
		return out
	}
	if out := store(h.Enrol("ct-1")); !strings.Contains(out, "403") {
		t.Errorf("a device that may not store over DICOMweb is told\n%s", out)
	}
	list, revision, err := h.Service.Control().Bindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list[0].Operations = append(list[0].Operations, "stow")
	list[0].LastSeen, list[0].LastProblem, list[0].Identification = "", "", ""
	if problems, err := h.Service.Control().SetBindings(t.Context(), []control.Binding{list[0]}, revision, "anna"); err != nil || len(problems) > 0 {
		t.Fatalf("%v %v", problems, err)
	}
	if out := store(h.Enrol("ct-1")); !strings.Contains(out, "200 OK") || len(h.Records()) != 1 {
		t.Fatalf("%s\n%+v", out, h.Records())
	}
	gatewaytest.Until(t, "the processor to have it", func() bool { return bytes.Equal(x.Received()["1.2.3.1"], data) })
	if r := h.Records()[0]; r.Sender.Way != "stow" || r.Sender.Device != "ct-1" || r.Sender.TLS == "" {
		t.Errorf("%+v", r.Sender)
	}
	gatewaytest.Until(t, "it to be shown", func() bool {
		list, err := h.Service.Control().Associations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Way == "dicomweb" {
				return true
			}
		}
		return false
	})
}

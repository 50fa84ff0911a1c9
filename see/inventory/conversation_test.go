// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// conn is a flow's summary. Activities are those of event.Connection.
func conn(after int64, id uint64, activity uint8, srcMAC, src, dstMAC, dst string, port uint16, app string, out, in uint64) *event.Event {
	d := &event.Connection{Start: t0 + after, End: t0 + after + 1e9, BytesOut: out, BytesIn: in, PacketsOut: 1, App: app}
	if in > 0 {
		d.PacketsIn = 1
	}
	return &event.Event{Time: t0 + after + 1e9, Activity: activity, Flow: &event.Flow{ID: id, Proto: 6, Src: endpoint(srcMAC, src, 40000), Dst: endpoint(dstMAC, dst, port)}, Detail: d}
}

func TestConversationsJoinFlowsOfTheSameDevices(t *testing.T) {
	i := inv(t, []seen{lease(0, macCT, "10.0.0.11")})
	i.Observe(conn(0, 1, 2, macCT, "10.0.0.11", macPACS, "10.0.0.20", 104, "dicom", 1000, 100))
	fill(t, i, []seen{lease(48*hour, macCT, "10.0.0.12")})
	i.Observe(conn(int64(48*hour), 2, 2, macCT, "10.0.0.12", macPACS, "10.0.0.20", 104, "dicom", 500, 50))
	i.Observe(&event.Event{Time: t0, Protocol: "dicom", Flow: &event.Flow{Proto: 6, Src: endpoint(macCT, "10.0.0.11", 40000), Dst: endpoint(macPACS, "10.0.0.20", 104)}, Detail: &event.DICOMOperation{}})
	cs := i.Conversations()
	if len(cs) != 1 {
		t.Fatalf("%+v", cs)
	}
	c := cs[0]
	if c.From != mustDevice(t, i, macCT).ID || c.To != mustDevice(t, i, macPACS).ID || c.Flows != 2 || c.BytesOut != 1500 || c.BytesIn != 150 || c.Operations != 1 || c.Protocol != "dicom" || c.Transport != "tcp" || c.Port != 104 {
		t.Errorf("%+v", c)
	}
}

func TestAFlowThatReportsWhileItLastsIsCountedOnce(t *testing.T) {
	i := inv(t, nil)
	i.Observe(conn(0, 9, 1, macCT, "10.0.0.11", macPACS, "10.0.0.20", 104, "dicom", 0, 0))
	i.Observe(conn(1, 9, 6, macCT, "10.0.0.11", macPACS, "10.0.0.20", 104, "dicom", 600, 60))
	i.Observe(conn(2, 9, 2, macCT, "10.0.0.11", macPACS, "10.0.0.20", 104, "dicom", 1000, 100))
	if c := i.Conversations()[0]; c.Flows != 1 || c.BytesOut != 1000 || c.BytesIn != 100 {
		t.Errorf("%+v", c)
	}
}

func TestAnAddressThatNeverAnsweredIsNoDevice(t *testing.T) {
	i := inv(t, nil)
	i.Observe(conn(0, 1, 4, macCT, "10.0.0.11", macGW, "10.0.0.99", 104, "", 60, 0))
	if ds := i.Devices(); len(ds) != 1 {
		t.Errorf("%q", outline(ds))
	}
	if c := i.Conversations(); len(c) != 1 || c[0].To != "" || c[0].ToAddress.String() != "10.0.0.99" || c[0].Failed != 1 {
		t.Errorf("%+v", c)
	}
}

func TestWhoTriesManyThatDoNotAnswerIsAScanner(t *testing.T) {
	i := inv(t, nil)
	for k := range 200 {
		i.Observe(conn(int64(k), uint64(k+1), 4, macCT, "10.0.0.11", macGW, fmt.Sprintf("10.0.%d.%d", k/100+1, k%100+1), 104, "", 60, 0))
	}
	if d := mustDevice(t, i, macCT); d.Class != device.ClassScanner {
		t.Errorf("%s: %s", d.Class, d.ClassWhy)
	}
}

func TestAnInterfaceEngineByItsPartners(t *testing.T) {
	i := inv(t, nil)
	for k := range 3 {
		i.Observe(conn(int64(k), uint64(k+1), 2, fmt.Sprintf("00:22:72:00:01:%02x", k), fmt.Sprintf("10.0.1.%d", k+1), macPACS, "10.0.0.20", 6661, "hl7", 100, 100))
		i.Observe(conn(int64(k), uint64(k+11), 2, macPACS, "10.0.0.20", fmt.Sprintf("00:22:72:00:02:%02x", k), fmt.Sprintf("10.0.2.%d", k+1), 6662, "hl7", 100, 100))
	}
	if d := mustDevice(t, i, macPACS); d.Class != device.ClassInterfaceEngine || d.Confidence < 60 {
		t.Errorf("%s %d: %s", d.Class, d.Confidence, d.ClassWhy)
	}
}

func TestConversationsAreBounded(t *testing.T) {
	cfg := Default()
	cfg.MaxConversations = 16
	i, err := New(cfg)
	must(t, err)
	for k := range 17 {
		i.Observe(conn(int64(k)*2e9, uint64(k+1), 2, macCT, "10.0.0.11", macPACS, "10.0.0.20", uint16(k+1), "", 1, 1))
	}
	if s := i.Stats(); s.Conversations != 16 || s.ConversationsEvicted != 1 {
		t.Errorf("%+v", s)
	}
}

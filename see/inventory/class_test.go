// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// of makes evidence about one device from "attribute=value" lines. A line may
// end in " @source" and " !confidence".
func of(mac, ip string, lines ...string) []seen {
	var out []seen
	for _, l := range lines {
		s := seen{after: hour, mac: mac, ip: ip, source: "test"}
		if rest, conf, ok := strings.Cut(l, " !"); ok {
			l = rest
			switch conf {
			case "hint":
				s.conf = device.Hint
			case "structured":
				s.conf = device.Structured
			}
		}
		if rest, src, ok := strings.Cut(l, " @"); ok {
			l, s.source = rest, src
		}
		a, v, ok := strings.Cut(l, "=")
		if !ok {
			panic(l)
		}
		s.attr, s.value = device.Attribute(a), v
		out = append(out, s)
	}
	return out
}

func TestWhatADeviceIsFor(t *testing.T) {
	const neutral = "00:22:72:00:00:01" // an address block of no known maker
	for _, c := range []struct {
		name     string
		mac      string
		evidence []string
		class    device.Class
		atLeast  device.Confidence
		why      string // part of the reason
	}{
		{"a CT stores its images and asks a worklist", neutral, []string{
			"ae_title=CT_OR3 @dicom", "modality=CT @dicom.store.modality !hint", "dicom_role=scu:CT Image Storage", "dicom_role=scu:Modality Worklist Information Model - FIND",
			"vendor=SIEMENS @dicom.store.manufacturer !hint", "model=SOMATOM Definition Edge @dicom.store.model !hint"}, device.ClassCT, 85, "modality CT"},
		{"an MR by what it offers to store", neutral, []string{"dicom_role=scu:MR Image Storage", "dicom_role=scu:Modality Worklist Information Model - FIND"}, device.ClassMR, 50, "MR Image Storage"},
		{"an ultrasound that also writes reports", neutral, []string{"modality=US @dicom.store.modality !hint", "modality=SR @dicom.store.modality !hint", "dicom_role=scu:Ultrasound Image Storage"}, device.ClassUltrasound, 75, "modality US"},
		{"an endoscopy tower", "00:16:86:00:00:01", []string{"modality=ES @dicom.store.modality !hint", "dicom_role=scu:VL Endoscopic Image Storage"}, device.ClassEndoscopy, 80, "Karl Storz"},
		{"a C-arm by its model", neutral, []string{"model=OEC Elite @dicom.store.model !hint", "vendor=GE OEC Medical Systems GmbH @dicom.store.manufacturer !hint", "ae_title=OEC_OR2"}, device.ClassCArm, 50, "OEC"},
		{"something that images, we do not know what", neutral, []string{"dicom_role=scu:Secondary Capture Image Storage", "dicom_role=scu:Modality Worklist Information Model - FIND"}, device.ClassModality, 50, "worklist"},
		{"an archive keeps being one when it forwards one scanner's images", neutral, []string{
			"dicom_role=scp:CT Image Storage", "dicom_role=scp:Study Root Query/Retrieve Information Model - FIND", "dicom_role=scu:CT Image Storage",
			"modality=CT @dicom.store.modality !hint", "model=SOMATOM @dicom.store.model !hint", "ae_title=ARCHIVE"}, device.ClassPACS, 80, "archive"},
		{"Orthanc by its banner", neutral, []string{"banner=Orthanc 1.10 @http.server", "service=dicomweb/tcp:8042", "service=dicom/tcp:4242"}, device.ClassPACS, 75, "Orthanc"},
		{"an AI node that receives and sends on", neutral, []string{"dicom_role=scp:CT Image Storage", "dicom_role=scu:Segmentation Storage", "dicom_role=scu:Secondary Capture Image Storage", "hostname=ai-inference-1"}, device.ClassImageProcessor, 50, "sends images on"},
		{"a hologram renderer", neutral, []string{"dicom_role=scp:CT Image Storage", "service=webrtc/udp:50000", "hostname=xr-render-1"}, device.ClassXRProcessor, 70, "live media"},
		{"a Quest by its address block and browser", "2c:26:17:00:00:01", []string{"user_agent=Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 (KHTML, like Gecko) OculusBrowser/31.0 Chrome/120 VR Safari/537.36"}, device.ClassXRHeadset, 85, "browser"},
		{"a HoloLens by its name and browser", "d2:00:00:00:00:01", []string{"hostname=HOLOLENS-7A11", "user_agent=Mozilla/5.0 (Windows NT 10.0; Win64; x64; HoloLens) Edge/18"}, device.ClassXRHeadset, 80, "HoloLens"},
		{"a headset over its debug bridge", neutral, []string{"model=Quest 3 @adb", "vendor=Oculus @adb"}, device.ClassXRHeadset, 75, "Quest 3"},
		{"a pump by its model in a PRT segment", "00:03:b1:00:00:01", []string{"model=Hospira Plum A+ @hl7.prt-16 !structured", "hl7_app=SENDING_APPLICATION @hl7.msh-3"}, device.ClassInfusionPump, 85, "Plum A+"},
		{"a pump by an SDC type", neutral, []string{"device_type=MDC_DEV_PUMP_INFUS_VMD @sdc"}, device.ClassInfusionPump, 80, "device type"},
		{"a monitor by its class in a protocol", neutral, []string{"class=patient-monitor @sdc.mds !structured", "model=IntelliVue MX750"}, device.ClassPatientMonitor, 85, "IntelliVue"},
		{"a ventilator by an MDC code", neutral, []string{"device_type=MDC_DEV_SYS_VENT_MDS @sdc"}, device.ClassVentilator, 80, "MDC_DEV_SYS_VENT_MDS"},
		{"an anaesthesia workstation whose everyday name counts with its maker", "00:10:5d:00:00:01", []string{"model=Primus @sdc !structured", "vendor=Dräger @sdc !structured"}, device.ClassAnaesthesia, 80, "Primus"},
		{"an operating table", neutral, []string{"device_type=operating table @sdc", "vendor=TRUMPF Medical @sdc"}, device.ClassSurgicalTable, 70, "operating table"},
		{"a surgical robot by its maker and name", neutral, []string{"vendor=Intuitive Surgical @lldp.med !structured", "hostname=davinci-or4"}, device.ClassSurgicalRobot, 70, "surgical robots"},
		{"a navigation system", neutral, []string{"dicom_impl=1.2.276.0.20.1.1|BRAINLAB", "ae_title=BRAINLAB_NAV1"}, device.ClassNavigation, 65, "navigation"},
		{"a lab analyser", neutral, []string{"uses=poct1-a", "model=ABL90 FLEX"}, device.ClassLabAnalyser, 85, "POCT1-A"},
		{"an interface engine by its banner", neutral, []string{"banner=Mirth Connect @http.server", "service=hl7/tcp:6661"}, device.ClassInterfaceEngine, 60, "Mirth"},
		{"an EHR by FHIR", neutral, []string{"service=fhir/tcp:443", "hostname=ehr-prod"}, device.ClassEHR, 65, "FHIR"},
		{"a location system", "00:0c:cc:00:00:01", []string{"hostname=aeroscout-7"}, device.ClassRTLS, 45, "location"},
		{"a switch", "00:00:0c:00:00:01", []string{"capability=bridge @lldp !structured", "firmware=Cisco IOS Software, C2960X"}, device.ClassNetwork, 85, "bridge"},
		{"a telephone is no switch though it bridges", neutral, []string{"capability=bridge @lldp", "capability=phone @lldp", "uses=sip"}, device.ClassPhone, 80, "phone"},
		{"a printer", neutral, []string{"service=ipp/tcp:631", "hostname=NPI8A22F1"}, device.ClassPrinter, 80, "printing"},
		{"a camera", "00:40:8c:00:00:01", []string{"service=rtsp/tcp:554"}, device.ClassCamera, 70, "RTSP"},
		{"building controls", neutral, []string{"service=bacnet/udp:47808"}, device.ClassBuilding, 70, "BACnet"},
		{"a domain controller", neutral, []string{"service=ldap/tcp:389", "service=kerberos/tcp:88", "os=Windows Server 2019"}, device.ClassServer, 80, "Windows Server"},
		{"a desktop", neutral, []string{"hostname=DESKTOP-7H2K9Q", "dhcp_vendor=MSFT 5.0", "os=Windows 10"}, device.ClassWorkstation, 60, "DESKTOP"},
		{"a phone in someone's pocket", "d2:00:00:00:00:01", []string{"user_agent=Mozilla/5.0 (Linux; Android 13; Pixel 7) Chrome/120 Mobile", "dhcp_vendor=android-dhcp-13"}, device.ClassMobile, 75, "phone"},
		{"a scanner by its browser", neutral, []string{"user_agent=Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)"}, device.ClassScanner, 70, "scanner"},
		{"an address block alone is too weak to name a class", "00:22:72:00:00:01", []string{"ip=10.0.0.9 @arp"}, device.ClassUnknown, 0, "Nothing"},
		{"a randomised MAC alone is too weak", "d2:00:00:00:00:01", []string{"ip=10.0.0.9 @arp"}, device.ClassUnknown, 0, "Too weak"},
		{"a name alone is a weak sign and says so by its confidence", neutral, []string{"hostname=ct-or3"}, device.ClassCT, 30, "called ct-or3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ds := inv(t, of(c.mac, "10.0.0.9", c.evidence...)).Devices()
			if len(ds) != 1 {
				t.Fatalf("%d devices", len(ds))
			}
			d := ds[0]
			if d.Class != c.class || d.Confidence < c.atLeast || !strings.Contains(d.ClassWhy, c.why) {
				t.Errorf("got %s, %d %%, %q; want %s, at least %d %%, because of %q", d.Class, d.Confidence, d.ClassWhy, c.class, c.atLeast, c.why)
			}
			if d.Confidence > 95 {
				t.Errorf("confidence %d: what is only seen is never certain", d.Confidence)
			}
		})
	}
}

func endpoint(mac, ip string, port uint16) event.Endpoint {
	e := event.Endpoint{IP: netip.MustParseAddr(ip), Port: port}
	if mac != "" {
		m, err := device.ParseMAC(mac)
		if err != nil {
			panic(err)
		}
		e.MAC = m
	}
	return e
}

func hl7(after int64, srcMAC, src, dst string, ds ...event.HL7Device) *event.Event {
	return &event.Event{Time: t0 + after, Protocol: "hl7", Flow: &event.Flow{Proto: 6, Src: endpoint(srcMAC, src, 40000), Dst: endpoint("08:00:27:1d:a6:c2", dst, 6661)},
		Detail: &event.HL7Message{Type: "ORU", Trigger: "R01", Devices: ds}}
}

// The evidence that the HL7 analyser gives for the message in
// tapirx/HL7-ADT-UDI-PRT.pcap: a PRT segment with "Hospira Plum A+" in field 16.
func TestThePumpOfOnePRTSegmentIsTheSender(t *testing.T) {
	const pump = "00:03:b1:b5:b6:48"
	i := inv(t, []seen{
		{mac: pump, ip: "10.0.0.155", attr: device.AttrHL7App, value: "SENDING_APPLICATION", source: "hl7.msh-3"},
		{mac: pump, ip: "10.0.0.155", attr: device.AttrHL7Role, value: "sends:ADT^A01", source: "hl7.msh-9"},
		{mac: pump, ip: "10.0.0.155", attr: device.AttrUDI, value: "Hospira Plum A+", source: "hl7.prt-16", conf: device.Structured},
		{mac: "08:00:27:1d:a6:c2", ip: "10.0.0.126", attr: device.AttrService, value: "hl7/tcp:6661", source: "hl7"},
	})
	i.Observe(hl7(1, pump, "10.0.0.155", "10.0.0.126", event.HL7Device{UDI: "Hospira Plum A+", Source: "PRT-16"}))
	d, ok := i.Device("10.0.0.155")
	if !ok {
		t.Fatal("not there")
	}
	if d.Class != device.ClassInfusionPump || d.Vendor != "ICU Medical" || d.Facts[device.AttrVendor].Stated != "Hospira" || d.Model != "Plum A+" || d.UDI != "Hospira Plum A+" || d.Via != "" {
		t.Errorf("got %s %q (stated %q) %q UDI %q via %q: %s", d.Class, d.Vendor, d.Facts[device.AttrVendor].Stated, d.Model, d.UDI, d.Via, d.ClassWhy)
	}
	for _, a := range []device.Attribute{device.AttrVendor, device.AttrUDI} {
		if !slices.ContainsFunc(d.Evidence, func(e device.Evidence) bool { return e.Attribute == a }) {
			t.Errorf("no evidence for %s", a)
		}
	}
	if src := d.Facts[device.AttrVendor].Sources; !slices.Contains(src, "oui") || !slices.Contains(src, "hl7.prt-16") {
		t.Errorf("vendor by %q, want the message and the address block", src)
	}
	if src := d.Facts[device.AttrModel].Sources; !slices.Contains(src, "hl7.prt-16") {
		t.Errorf("model by %q", src)
	}
	if n := len(i.Devices()); n != 2 {
		t.Errorf("%d devices, want pump and receiver", n)
	}
}

func TestSeveralDevicesInMessagesStandBehindTheSender(t *testing.T) {
	const gw = "00:22:72:00:00:01"
	i := inv(t, []seen{
		{mac: gw, ip: "10.0.0.50", attr: device.AttrHL7App, value: "PUMPGW", source: "hl7.msh-3"},
		{mac: gw, ip: "10.0.0.50", attr: device.AttrModel, value: "Plum 360", source: "hl7.prt-10", conf: device.Structured},
		{mac: gw, ip: "10.0.0.50", attr: device.AttrSerial, value: "18001", source: "hl7.prt-20", conf: device.Structured},
		{mac: gw, ip: "10.0.0.50", attr: device.AttrSerial, value: "18002", source: "hl7.prt-20", conf: device.Structured},
	})
	for k, serial := range []string{"18001", "18002", "18001"} {
		i.Observe(hl7(int64(k), gw, "10.0.0.50", "10.0.0.60", event.HL7Device{Model: "Plum 360", Vendor: "ICU Medical", Serial: serial, Source: "PRT-10"}))
	}
	gate, ok := i.Device("10.0.0.50")
	if !ok || gate.Serial != "" || gate.Model != "" || gate.Class == device.ClassInfusionPump {
		t.Errorf("gateway took a pump's identity: %s %q %q", gate.Class, gate.Model, gate.Serial)
	}
	var pumps []device.Device
	for _, d := range i.Devices() {
		if d.Class == device.ClassInfusionPump {
			pumps = append(pumps, d)
		}
	}
	if len(pumps) != 2 {
		t.Fatalf("%d pumps, want 2", len(pumps))
	}
	for _, p := range pumps {
		if p.Via != gate.ID || p.Vendor != "ICU Medical" || p.Model != "Plum 360" || p.Serial == "" || len(p.Evidence) == 0 {
			t.Errorf("pump %+v", p)
		}
	}
}

func TestAPumpBehindAGatewayThatIsAlsoSeenIsOneDevice(t *testing.T) {
	const gw, pump = "00:22:72:00:00:01", "00:03:b1:00:00:07"
	i := inv(t, []seen{
		{mac: gw, ip: "10.0.0.50", attr: device.AttrHL7App, value: "PUMPGW", source: "hl7.msh-3"},
		{mac: pump, ip: "10.0.0.61", attr: device.AttrSerial, value: "18001", source: "http", conf: device.Structured},
		{mac: pump, ip: "10.0.0.61", attr: device.AttrVendor, value: "ICU Medical", source: "http", conf: device.Structured},
	})
	for k, serial := range []string{"18001", "18002"} {
		i.Observe(hl7(int64(k), gw, "10.0.0.50", "10.0.0.60", event.HL7Device{Model: "Plum 360", Vendor: "ICU Medical", Serial: serial, Source: "PRT-10"}))
	}
	d, ok := i.Device(pump)
	g, _ := i.Device(gw)
	if !ok || d.Model != "Plum 360" || d.Via != g.ID || len(d.Joined) != 1 {
		t.Errorf("got %q via %q joined %v", d.Model, d.Via, d.Joined)
	}
	if n := len(i.Devices()); n != 4 { // gateway, receiver, this pump, the other pump
		t.Errorf("%d devices, want 4", n)
	}
}

func TestRecordsOfAFHIRServerAreNotTheServer(t *testing.T) {
	i := inv(t, []seen{
		{mac: macPACS, ip: "10.0.0.20", attr: device.AttrService, value: "fhir/tcp:443", source: "fhir"},
	})
	i.Observe(&event.Event{Time: t0, Protocol: "fhir", Flow: &event.Flow{Proto: 6, Src: endpoint(macWS, "10.0.0.30", 4000), Dst: endpoint(macPACS, "10.0.0.20", 443)},
		Detail: &event.Rest{API: "fhir", Device: &event.HL7Device{Vendor: "Dräger", Model: "Evita V500", Serial: "V500-9", Source: "Device"}}})
	srv, _ := i.Device("10.0.0.20")
	if srv.Class != device.ClassEHR || srv.Serial != "" {
		t.Errorf("server is %s with serial %q", srv.Class, srv.Serial)
	}
	ds := i.Devices()
	k := slices.IndexFunc(ds, func(d device.Device) bool { return d.Class == device.ClassVentilator })
	if k < 0 || ds[k].Via != srv.ID || ds[k].Serial != "V500-9" {
		t.Errorf("no ventilator behind the server: %+v", ds)
	}
}

func TestConflictsAreShown(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []seen
		attr  device.Attribute
		why   string
	}{
		{"two manufacturers of equal strength", of(macCT, "10.0.0.11", "vendor=Philips @lldp.med !structured", "vendor=Mindray @sdc !structured"), device.AttrVendor, "manufacturers"},
		{"two MACs that claim one address by turns", []seen{arp(0, macCT, "10.0.0.11"), arp(1e9, macOther, "10.0.0.11"), arp(2e9, macCT, "10.0.0.11"), arp(3e9, macOther, "10.0.0.11")}, device.AttrIP, "by turns"},
		{"two MACs that send as one address at once", []seen{says(0, macCT, "10.0.0.11", device.AttrOS, "a"), says(1e9, macOther, "10.0.0.11", device.AttrOS, "b"), says(2e9, macCT, "10.0.0.11", device.AttrOS, "a")}, device.AttrIP, "at the same time"},
		{"frames that come from a MAC that does not hold the address", []seen{arp(0, macCT, "10.0.0.11"), says(1e9, macOther, "10.0.0.11", device.AttrOS, "b")}, device.AttrMAC, "not known to be a router"},
		{"one AE title on two devices", []seen{says(0, macCT, "10.0.0.11", device.AttrAETitle, "CT1"), says(0, macOther, "10.0.0.12", device.AttrAETitle, "CT1")}, device.AttrAETitle, "several devices use this AE title"},
		{"one HL7 application on two devices", []seen{says(0, macCT, "10.0.0.11", device.AttrHL7App, "LAB"), says(0, macOther, "10.0.0.12", device.AttrHL7App, "LAB")}, device.AttrHL7App, "HL7 application"},
		{"a host name that keeps changing", of(macCT, "10.0.0.11", "hostname=alpha", "hostname=beta", "hostname=gamma"), device.AttrHostname, "several names"},
		{"two serial numbers", of(macCT, "10.0.0.11", "serial=A-100 @lldp", "serial=B-200 @sdc"), device.AttrSerial, "names several"},
		{"many operating systems behind one address", of(macCT, "10.0.0.11", "user_agent=Mozilla (Windows NT 10.0)", "user_agent=Mozilla (Macintosh; Intel Mac OS X)", "user_agent=Mozilla (iPhone; CPU iPhone OS 17 like Mac OS X)"), device.AttrOS, "proxy"},
		{"evidence for two classes", of(macCT, "10.0.0.11", "class=ventilator @sdc !structured", "class=infusion-pump @hl7 !structured"), device.AttrClass, "both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range inv(t, c.steps).Devices() {
				for _, x := range d.Conflicts {
					if x.Attribute == c.attr && strings.Contains(x.Why, c.why) && len(x.Values) > 0 {
						return
					}
				}
			}
			t.Errorf("not shown: %+v", inv(t, c.steps).Devices())
		})
	}
}

func TestWhatIsNoConflict(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []seen
	}{
		{"a maker and its former name", of("00:03:b1:00:00:01", "10.0.0.11", "vendor=Hospira @hl7 !structured", "vendor=ICU Medical Inc. @http !structured")},
		{"a short and a full host name", of(macCT, "10.0.0.11", "hostname=ct-1 @dhcp", "hostname=CT-1.hospital.example @mdns")},
		{"an address handed from one device to the next by DHCP, and back", []seen{lease(0, macCT, "10.0.0.11"), lease(day, macOther, "10.0.0.11"), lease(2*day, macCT, "10.0.0.11")}},
		{"two devices with a tool's default AE title", []seen{says(0, macCT, "10.0.0.11", device.AttrAETitle, "ANY-SCP"), says(0, macOther, "10.0.0.12", device.AttrAETitle, "ANY-SCP")}},
		{"the address block's owner against a stated maker", of("00:22:72:00:00:01", "10.0.0.11", "vendor=Philips @sdc !structured")},
		{"a model told with more detail", of(macCT, "10.0.0.11", "model=IntelliVue MX750 @sdc !structured", "model=IntelliVue @http !structured")},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range inv(t, c.steps).Devices() {
				if len(d.Conflicts) > 0 {
					t.Errorf("%+v", d.Conflicts)
				}
			}
		})
	}
}

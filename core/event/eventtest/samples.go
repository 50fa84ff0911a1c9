// SPDX-License-Identifier: Apache-2.0

// Package eventtest holds sample events, one or more for each class, for the
// tests of whatever encodes, stores or shows events. The events are made up;
// the values in them have the form that the analysers give them.
package eventtest

import (
	"net/netip"
	"reflect"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Sample is an event with a name that serves as file name.
type Sample struct {
	Name  string
	Event *event.Event
}

// Start is the time of the first sample, 2026-03-16 08:15:30.123456789 UTC, in
// ns since the Unix epoch.
const Start int64 = 1773648930123456789

// Producer is who the samples pretend to come from.
func Producer() event.Producer {
	return event.Producer{Version: "0.1.0", Sensor: "or-3-span"}
}

func flow(proto uint8, src string, sport uint16, dst string, dport uint16) *event.Flow {
	return &event.Flow{
		ID: 4711, Proto: proto, VLANs: []uint16{310}, CommunityID: "1:wCb3OG7yAFWelaUydu0D+125CLM=",
		Src: event.Endpoint{MAC: device.MAC{0x00, 0x80, 0x25, 0x10, 0x22, 0x3a}, IP: netip.MustParseAddr(src), Port: sport},
		Dst: event.Endpoint{MAC: device.MAC{0x00, 0x1b, 0x21, 0xaa, 0x01, 0x02}, IP: netip.MustParseAddr(dst), Port: dport},
	}
}

func pointer[T any](v T) *T { return &v }

// Samples returns fresh events: one for each class at least, each filled as
// a real exchange would.
func Samples() []Sample {
	const tcp, udp = 6, 17
	p := "p:0123456789abcdef0123456789abcdef"
	list := []Sample{
		{"connection", &event.Event{
			Activity: 2, Status: event.StatusSuccess, Protocol: "dicom", Message: "10.10.3.21 talked dicom to 10.10.1.5:104 for 1.4 s",
			Flow: flow(tcp, "10.10.3.21", 49152, "10.10.1.5", 104),
			Detail: &event.Connection{Start: Start - 1_400_000_000, End: Start, PacketsOut: 412, PacketsIn: 208, BytesOut: 530112, BytesIn: 13204,
				PayloadOut: 508000, PayloadIn: 2300, Missed: 1460, TCPFlagsOut: 0x1b, TCPFlagsIn: 0x1b, History: "ShADadfF", State: "SF", App: "dicom"},
		}},
		{"tls", &event.Event{
			Activity: 1, Status: event.StatusSuccess, Protocol: "tls", Encrypted: true, Message: "10.10.3.40 opened TLSv1.2 to xr.theatre.example",
			Flow: flow(tcp, "10.10.3.40", 51000, "10.10.1.9", 443),
			Detail: &event.TLS{Version: "TLSv1.2", ClientVersions: []string{"TLSv1.3", "TLSv1.2"}, Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
				ClientCiphers: []string{"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, SNI: "xr.theatre.example", ALPN: "h2", ClientALPN: []string{"h2", "http/1.1"},
				JA4: "t13d1516h2_8daaf6152771_02713d6af862", ClientCertAsked: true, Complete: true,
				ServerChain: []event.Certificate{
					{Subject: "CN=xr.theatre.example", Issuer: "CN=Hospital Issuing CA", SerialNumber: "0a1b2c", SANs: []string{"xr.theatre.example", "10.10.1.9"}, NotBefore: 1767225600000, NotAfter: 1798761600000,
						SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", KeyType: "RSA 2048", Signature: "SHA256-RSA"},
					{Subject: "CN=Hospital Issuing CA", Issuer: "CN=Hospital Root", SerialNumber: "01", IsCA: true, KeyType: "ECDSA P-256"},
				}},
		}},
		{"tls-failed", &event.Event{
			Activity: 4, Status: event.StatusFailure, StatusCode: "40", StatusDetail: "fatal handshake_failure", Protocol: "tls", Encrypted: true,
			Message: "10.10.3.40 failed to open TLS to 10.10.1.9", Flow: flow(tcp, "10.10.3.40", 51001, "10.10.1.9", 443),
			Detail: &event.TLS{ClientVersions: []string{"SSLv3"}, Alert: "fatal handshake_failure"},
		}},
		{"http", &event.Event{
			Activity: 3, Status: event.StatusFailure, StatusCode: "401", Protocol: "http", Message: "10.10.3.21 asked 10.10.1.7 for /cgi-bin/status",
			Flow: flow(tcp, "10.10.3.21", 49200, "10.10.1.7", 8080),
			Detail: &event.HTTP{Method: "GET", Host: "pump-gw.example:8080", Path: "/cgi-bin/status?token=&unit=", Version: "1.1", UserAgent: "curl/7.88.1", Referrer: "http://pump-gw.example/",
				RequestLength: 0, Status: 401, ResponseType: "text/html", ResponseLength: 312, Server: "lighttpd/1.4.35", AuthScheme: "Basic", WWWAuthenticate: `Basic realm="pump"`, TokenInURL: true, ResponseSeen: true},
		}},
		{"http-other-method", &event.Event{
			Activity: 99, Protocol: "http", Message: "10.10.3.21 sent PROPFIND to 10.10.1.7", Flow: flow(tcp, "10.10.3.21", 49201, "10.10.1.7", 80),
			Detail: &event.HTTP{Method: "PROPFIND", Host: "10.10.1.7", Path: "/", Version: "1.1", RequestLength: -1, ResponseLength: -1},
		}},
		{"dns", &event.Event{
			Activity: 6, Status: event.StatusSuccess, StatusCode: "NOERROR", Protocol: "dns", Message: "10.10.3.21 resolved pacs.example", Flow: flow(udp, "10.10.3.21", 53124, "10.10.0.53", 53),
			Detail: &event.DNS{ID: 4660, Query: "pacs.example", Type: "A", QClass: "IN", RCodeName: "NOERROR", Flags: []string{"RD", "RA"}, Questions: 1,
				Answers: []event.DNSAnswer{{Name: "pacs.example", Type: "A", Class: "IN", TTL: 300, RData: "10.10.1.5"}}},
		}},
		{"mdns", &event.Event{
			Activity: 2, Protocol: "mdns", Message: "10.10.3.77 announced _ipp._tcp.local", Flow: flow(udp, "10.10.3.77", 5353, "224.0.0.251", 5353),
			Detail: &event.DNS{Flags: []string{"AA"}, Truncated: true, Answers: []event.DNSAnswer{{Name: "_ipp._tcp.local", Type: "PTR", Class: "IN", TTL: 4500, RData: "OR-3 printer._ipp._tcp.local"}}},
		}},
		{"dhcp", &event.Event{
			Activity: 3, Protocol: "dhcp", Message: "00:80:25:10:22:3a asked for 10.10.3.21", Flow: flow(udp, "0.0.0.0", 68, "255.255.255.255", 67),
			Detail: &event.DHCP{Version: 4, Type: "DHCPREQUEST", Transaction: "3903f326", ClientMAC: "00:80:25:10:22:3a", ClientID: "01008025", ClientIP: "10.10.3.21", ServerID: "10.10.0.1", Relay: "10.10.3.1",
				LeaseSeconds: 3600, Renewal: true, Hostname: "CARM-OR3", VendorClass: "MSFT 5.0", ParameterList: "1,3,6,15,31,33", Routers: []string{"10.10.3.1"}, DNSServers: []string{"10.10.0.53"}, Domain: "or.example"},
		}},
		{"ssh", &event.Event{
			Activity: 1, Protocol: "ssh", Message: "10.10.3.99 opened ssh to 10.10.1.7", Flow: flow(tcp, "10.10.3.99", 40022, "10.10.1.7", 22),
			Detail: &event.SSH{ClientVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2", ServerVersion: "SSH-2.0-dropbear_2012.55", KexAlgorithm: "diffie-hellman-group1-sha1", HostKeyAlg: "ssh-rsa", Cipher: "aes128-cbc",
				MAC: "hmac-md5", HASSH: "ec7378c1a92f5a8dde7e8b7a1ddf33d1", HASSHServer: "b12d2871a1189eff20364cf5333619ee"},
		}},
		{"smb", &event.Event{
			Activity: 2, Status: event.StatusSuccess, StatusCode: "STATUS_SUCCESS", Protocol: "smb", Message: "10.10.3.21 opened a file on \\\\NAS\\scans", Flow: flow(tcp, "10.10.3.21", 49300, "10.10.1.8", 445),
			Detail: &event.SMB{Command: "CREATE", ClientDialects: []string{"2.1", "3.1.1"}, Dialect: "2.1", Share: `\\NAS\scans`, ShareType: "disk", File: `export\p:00112233445566778899aabbccddeeff.pdf`, NTStatus: "STATUS_SUCCESS",
				Domain: "HOSPITAL", Workstation: "CARM-OR3", OSVersion: "6.1.7601", Signing: "none", NTLMv1: true, Guest: true, ServerGUID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
				RenamedTo: `export\p:00112233445566778899aabbccddeeff.pdf.locked`, RansomNote: true},
		}},
		{"rdp", &event.Event{
			Activity: 2, Protocol: "rdp", Message: "10.10.3.99 opened a remote desktop on 10.10.3.21", Flow: flow(tcp, "10.10.3.99", 40100, "10.10.3.21", 3389),
			Detail: &event.RDP{Cookie: p, RequestedSecurity: []string{"tls", "credssp"}, SelectedSecurity: "rdp", ClientName: "LAPTOP-7", ClientBuild: "10.0.19041"},
		}},
		{"ftp", &event.Event{
			Activity: 1, Status: event.StatusSuccess, StatusCode: "226", Protocol: "ftp", Message: "10.10.3.21 stored a file on 10.10.1.8", Flow: flow(tcp, "10.10.3.21", 49400, "10.10.1.8", 21),
			Detail: &event.FTP{Command: "STOR", Arg: "report.txt", Code: 226, Reply: "Transfer complete.", DataPort: 50010, Cleartext: true},
		}},
		{"ntp", &event.Event{
			Activity: 4, Protocol: "ntp", Message: "10.10.0.123 gave the time to 10.10.3.21", Flow: flow(udp, "10.10.3.21", 123, "10.10.0.123", 123),
			Detail: &event.NTP{Version: 4, Stratum: 3, Precision: -23, Delay: 0.0123, Dispersion: 0.0311, ReferenceID: "192.0.2.1", OffsetMS: -42},
		}},
		{"dicom-association", &event.Event{
			Activity: 4, Status: event.StatusSuccess, Protocol: "dicom", Message: "CT-1 ended its association with ARCHIVE after 12 objects", Flow: flow(tcp, "10.10.3.21", 49152, "10.10.1.5", 104),
			Detail: &event.DICOMAssociation{CallingAE: "CT-1", CalledAE: "ARCHIVE", ProtocolVersion: 1, ApplicationContext: "1.2.840.10008.3.1.1.1", ImplUID: "1.2.276.0.7230010.3.0.3.6.7", ImplVersion: "OFFIS_DCMTK_367",
				AcceptorImplUID: "1.2.276.0.7230010.3.0.3.6.7", AcceptorImplVersion: "OFFIS_DCMTK_367", MaxPDU: 16384, AcceptorMaxPDU: 16384,
				Contexts: []event.PresentationContext{{ID: 1, AbstractSyntax: "1.2.840.10008.5.1.4.1.1.2", AbstractName: "CT Image Storage", TransferSyntaxes: []string{"1.2.840.10008.1.2.1", "1.2.840.10008.1.2"},
					Result: "acceptance", Accepted: "1.2.840.10008.1.2.1", SCURole: pointer(true), SCPRole: pointer(false)}},
				ContextsProposed: 1, ContextsAccepted: 1, Operations: map[string]uint32{"C-STORE": 12, "C-ECHO": 1}, Objects: 12, ObjectBytes: 6291456, LargestPDU: 16378},
		}},
		{"dicom-reject", &event.Event{
			Activity: 3, Severity: finding.Low, Status: event.StatusFailure, StatusCode: "1/1/7", StatusDetail: "called-AE-title-not-recognized", Protocol: "dicom", Message: "PACS rejected the association of ECHOSCU",
			Flow: flow(tcp, "10.10.3.99", 40200, "10.10.1.5", 104),
			Detail: &event.DICOMAssociation{CallingAE: "ECHOSCU", CalledAE: "ANY-SCP", RejectResult: "rejected-permanent", RejectSource: "service-user", RejectReason: "called-AE-title-not-recognized",
				UserIdentityType: "username-passcode"},
		}},
		{"dicom-operation", &event.Event{
			Activity: 3, Status: event.StatusSuccess, StatusCode: "0x0000", StatusDetail: "Success", Protocol: "dicom", Message: "CT-1 searched ARCHIVE by PatientID and got 3 results", Flow: flow(tcp, "10.10.3.21", 49152, "10.10.1.5", 104),
			Detail: &event.DICOMOperation{Command: "C-FIND", MessageID: 7, CallingAE: "CT-1", CalledAE: "ARCHIVE", SOPClass: "1.2.840.10008.5.1.4.1.2.2.1", SOPClassName: "Study Root Query/Retrieve Information Model - FIND",
				PatientRef: p, QueryLevel: "STUDY", QueryKeys: []string{"PatientID", "PatientName", "StudyDate"}, MatchingKeys: []string{"PatientID"}, Results: 3, Remaining: pointer(uint16(0)), StatusName: "Success",
				DurationMS: 41, Answered: true},
		}},
		{"hl7-message", &event.Event{
			Activity: 1, Status: event.StatusSuccess, StatusCode: "AA", Protocol: "hl7", Message: "PUMPGW sent ORU^R01 to EHR", Flow: flow(tcp, "10.10.3.50", 40300, "10.10.1.20", 6661),
			Detail: &event.HL7Message{Type: "ORU", Trigger: "R01", Structure: "ORU_R01", ControlID: "MSG00001", Version: "2.6", ProcessingID: "P", SendingApp: "PUMPGW", SendingFacility: "OR3", ReceivingApp: "EHR", ReceivingFacility: "HOSP",
				CharacterSet: "UNICODE UTF-8", Segments: []string{"MSH", "PID", "OBR", "OBX*12"}, PatientRef: p, PatientClass: "I", Location: "OR^3", Observations: []string{"68063^MDC_INFUS_PUMP_STATUS^MDC"}, ObservationCount: 12,
				Schedule: &event.HL7Schedule{Appointment: p, Status: "Booked", Start: "20260316090000", End: "20260316113000", Room: "OR-3", Service: "44950"},
				Devices:  []event.HL7Device{{UDI: "(01)00643169001763(21)21A11F4855", EUI64: "0003B1FFFE0E1D4C", Vendor: "Hospira", Model: "Plum A+", Serial: "21A11F4855", Source: "PRT-10"}},
				Bytes:    1432, AckCode: "AA", AckControlID: "MSG00001", AckMatches: true, LatencyMS: 12, Answered: true},
		}},
		{"sdc", &event.Event{
			Activity: 1, Protocol: "sdc", Message: "a patient monitor announced itself", Flow: flow(udp, "10.10.3.60", 50001, "239.255.255.250", 3702),
			Detail: &event.MedicalDevice{Standard: "sdc", Message: "Hello", Endpoint: "urn:uuid:e4b2ab1f-6b2c-4c0f-9d2a-000000000001", Types: []string{"dpws:Device", "mdpws:MedicalDevice"}, Scopes: []string{"sdc.mds.pkp:1.2.840.10004.20701.1.1"},
				Vendor: "ACME Medical", Model: "Monitor 5", Serial: "SN-9", Firmware: "4.2", Location: "OR-3", Observations: []string{"150456"}, Secure: true, Attributes: []event.KV{{Name: "metadata_version", Value: "3"}}},
		}},
		{"fhir", &event.Event{
			Activity: 2, Status: event.StatusSuccess, StatusCode: "200", Protocol: "fhir", Encrypted: true, Message: "10.10.3.40 searched Observation on the FHIR server", Flow: flow(tcp, "10.10.3.40", 51020, "10.10.1.30", 8443),
			Detail: &event.Rest{API: "fhir", Interaction: "search-type", Resource: "Observation", SearchKeys: []string{"patient", "code"}, Version: "4.0.1", Software: "HAPI FHIR 6.8", MediaType: "application/fhir+json", Objects: 20,
				HTTPStatus: 200, Method: "GET", PatientRef: p, AuthScheme: "Bearer", Device: &event.HL7Device{UDI: "(01)00643169001763", Source: "Device.udiCarrier"}},
		}},
		{"lldp", &event.Event{
			Activity: 5, Protocol: "lldp", Message: "a switch announced port Gi1/0/7", Flow: &event.Flow{Src: event.Endpoint{MAC: device.MAC{0x00, 0x1b, 0x21, 0xaa, 0x01, 0x02}}, Dst: event.Endpoint{MAC: device.MAC{0x01, 0x80, 0xc2, 0, 0, 0x0e}}},
			Detail: &event.Application{Name: "lldp", Operation: "advertisement", Attributes: []event.KV{{Name: "system_name", Value: "sw-or-3"}, {Name: "port_id", Value: "Gi1/0/7"}}},
		}},
		{"modbus", &event.Event{
			Activity: 3, Severity: finding.Info, Protocol: "modbus", Message: "10.10.3.99 read the identification of 10.10.3.70", Flow: flow(tcp, "10.10.3.99", 40400, "10.10.3.70", 502),
			Detail: &event.Application{Name: "modbus", Version: "1", Operation: "read-device-identification", Attributes: []event.KV{{Name: "unit_id", Value: "1"}}},
		}},
		{"device-evidence", &event.Event{
			Activity: 1, Protocol: "dhcp", Message: "10.10.3.21 calls itself CARM-OR3", Flow: flow(udp, "0.0.0.0", 68, "255.255.255.255", 67),
			Detail: &event.DeviceEvidence{Evidence: device.Evidence{
				Subject:   device.Subject{MAC: device.MAC{0x00, 0x80, 0x25, 0x10, 0x22, 0x3a}, IP: netip.MustParseAddr("10.10.3.21"), VLAN: 310, Hops: 0},
				Attribute: device.AttrHostname, Value: "CARM-OR3", Source: "dhcp.option12", Confidence: device.Claimed, First: Start, Last: Start, Count: 1}},
		}},
		{"sensor-health", &event.Event{
			Activity: 1, Protocol: "sensor", Message: "the sensor sees one direction only of 3 flows",
			Detail: &event.SensorHealth{Sensor: "or-3-span", Interface: "eth1", Packets: 120345, Bytes: 98765432, Dropped: 12, Undecoded: 3, Flows: 210, FlowsEvicted: 0, Gaps: 4, GapBytes: 5840, OneSided: 3, MidStream: 17,
				What: "one direction of some flows", Why: "the SPAN port mirrors ingress only", Hint: "mirror both directions of VLAN 310"},
		}},
		{"theatre-activity", &event.Event{
			Activity: 5, Severity: finding.Medium, Protocol: "theatre", Message: "images arrive in OR-3, where no case is known",
			Detail: &event.TheatreActivity{Theatre: "OR-3", State: "idle", Before: "in-case", Source: "hl7.siu", Start: Start / 1_000_000, End: Start/1_000_000 + 5_400_000, AppointmentRef: "p:Jx0a",
				Conflict: "images were stored from OR-3 and no schedule, worklist or procedure step says that a case is in progress"},
		}},
	}
	for i := range list {
		e := list[i].Event
		e.UID = "01J" + list[i].Name
		e.Time = Start + int64(i)*1_000_000_000
		if e.Severity == finding.Unknown {
			e.Severity = finding.Info
		}
	}
	return list
}

// Details returns one empty value of each Detail type.
func Details() []event.Detail {
	return []event.Detail{
		&event.Connection{}, &event.TLS{}, &event.HTTP{}, &event.DNS{}, &event.DHCP{}, &event.SSH{}, &event.SMB{}, &event.RDP{}, &event.FTP{}, &event.NTP{},
		&event.DICOMAssociation{}, &event.DICOMOperation{}, &event.HL7Message{}, &event.MedicalDevice{}, &event.Rest{}, &event.Application{},
		&event.DeviceEvidence{}, &event.SensorHealth{}, &event.TheatreActivity{},
	}
}

// Fill sets every exported field below v, a pointer to a struct, to a value
// that is not zero, so that a test sees what becomes of each.
func Fill(v any) { fill(reflect.ValueOf(v).Elem(), "x") }

func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[netip.Addr]() {
			v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.7")))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), v.Type().Field(i).Name)
			}
		}
	case reflect.String:
		v.SetString("value of " + name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(3)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(5)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), name)
		fill(v.Index(1), name)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), name)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k, name)
		fill(e, name)
		v.SetMapIndex(k, e)
	}
}

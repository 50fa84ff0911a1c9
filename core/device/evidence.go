// SPDX-License-Identifier: Apache-2.0

package device

import "net/netip"

// Attribute names what a piece of evidence says about a device.
type Attribute string

// The attributes that evidence can carry. A value is always a short, printable
// UTF-8 string in the form stated here.
const (
	AttrMAC          Attribute = "mac"          // EUI-48, colon form
	AttrIP           Attribute = "ip"           // address the device itself claims (ARP, DHCP ACK, ND ...)
	AttrHostname     Attribute = "hostname"     // name a device gives itself (DHCP 12, mDNS, NBNS, SNMP sysName ...)
	AttrFQDN         Attribute = "fqdn"         // fully qualified name
	AttrVendor       Attribute = "vendor"       // manufacturer, as stated
	AttrModel        Attribute = "model"        // model, as stated
	AttrSerial       Attribute = "serial"       // serial number
	AttrFirmware     Attribute = "firmware"     // software or firmware version
	AttrOS           Attribute = "os"           // operating system, as stated or derived
	AttrUDI          Attribute = "udi"          // unique device identifier (UDI-DI and, where present, PI), as stated
	AttrEUI64        Attribute = "eui64"        // IEEE 11073 or HL7 EUI-64 identifier
	AttrDeviceID     Attribute = "device_id"    // another stable identifier (SDC EPR, UPnP UUID, LLDP chassis ID, DHCP client ID/DUID)
	AttrClass        Attribute = "class"        // a Class, when a protocol states or strongly implies one
	AttrAETitle      Attribute = "ae_title"     // DICOM application entity title of this device
	AttrDICOMImpl    Attribute = "dicom_impl"   // "implementation class UID|implementation version name"
	AttrDICOMRole    Attribute = "dicom_role"   // "scu:<SOP class name>" or "scp:<SOP class name>"
	AttrModality     Attribute = "modality"     // DICOM modality code (CT, MR, US ...) of objects that it creates
	AttrHL7App       Attribute = "hl7_app"      // HL7 sending application (MSH-3) of this device
	AttrHL7Facility  Attribute = "hl7_facility" // HL7 sending facility (MSH-4)
	AttrHL7Role      Attribute = "hl7_role"     // "sends:ORU^R01" or "receives:ADT^A01"
	AttrDHCPPrint    Attribute = "dhcp_print"   // DHCP option 55 list in order, "1,3,6,15"
	AttrDHCPVendor   Attribute = "dhcp_vendor"  // DHCP option 60 vendor class
	AttrJA4          Attribute = "ja4"          // JA4 of a TLS or QUIC client
	AttrUserAgent    Attribute = "user_agent"   // HTTP User-Agent
	AttrBanner       Attribute = "banner"       // server banner: HTTP Server, SSH version string, FTP greeting ...
	AttrTLSSubject   Attribute = "tls_subject"  // subject of the certificate that the device presented
	AttrCertificate  Attribute = "certificate"  // certificate that the device presented, in the form of Certificate.String
	AttrService      Attribute = "service"      // service offered: "<protocol>/<transport>:<port>", for example "dicom/tcp:104"
	AttrUses         Attribute = "uses"         // service used, as client: "<protocol>"
	AttrSwitchPort   Attribute = "switch_port"  // "<switch name>|<port>" the device is connected to
	AttrVLAN         Attribute = "vlan"         // VLAN ID
	AttrLocation     Attribute = "location"     // location as stated (SNMP sysLocation, LLDP-MED, HL7 PL, SDC context)
	AttrCapability   Attribute = "capability"   // LLDP/CDP capability: "bridge", "router", "phone", "wlan-ap", "station"
	AttrRouter       Attribute = "router"       // "true": forwards packets of others (gateway in DHCP, RA sender, many addresses behind one MAC)
	AttrRegistration Attribute = "registration" // FHIR Device id or other registration identifier
)

// Confidence is how far a piece of evidence can be trusted, 0 to 100.
// Passively seen claims are never certain: 100 is kept for what a person set.
type Confidence uint8

// The usual levels, so that sources agree on what a number means.
const (
	Guess      Confidence = 20  // statistical or port-based
	Hint       Confidence = 40  // a convention (host name pattern, OUI)
	Claimed    Confidence = 60  // the device says so, in clear, unauthenticated
	Structured Confidence = 75  // the device says so in a field made for it (UDI, LLDP, DICOM)
	Verified   Confidence = 90  // bound to a credential (certificate presented in a completed handshake)
	Person     Confidence = 100 // set by a person
)

// Subject says which device evidence is about, as far as the packet told.
// Unknown parts are zero. The inventory, not the observer, decides which
// device that is.
type Subject struct {
	MAC  MAC        `json:"mac,omitzero"`  // layer-2 sender; the device's own only when Hops is 0
	IP   netip.Addr `json:"ip,omitzero"`   // layer-3 address
	VLAN uint16     `json:"vlan,omitzero"` // innermost VLAN ID, 0 when untagged
	Hops uint8      `json:"hops,omitzero"` // routers between sensor and device, estimated from TTL; 0 on the same link
}

// Evidence is one observation about one device. It is a value: it never
// changes after it was made. Source names protocol and field, for example
// "dhcp.option12" or "dicom.associate-rq.calling-ae".
type Evidence struct {
	Subject    Subject    `json:"subject"`
	Attribute  Attribute  `json:"attribute"`
	Value      string     `json:"value"`
	Source     string     `json:"source"`
	Confidence Confidence `json:"confidence"`
	First      int64      `json:"first"` // ns since the Unix epoch, UTC
	Last       int64      `json:"last"`  // ns since the Unix epoch, UTC
	Count      uint64     `json:"count"` // observations from First to Last
}

// SPDX-License-Identifier: Apache-2.0

package event

// Connection is the summary of a flow (OCSF Network Activity).
// Activity: 1 Open, 2 Close, 3 Reset, 4 Fail (no answer), 5 Refuse, 6 Traffic.
type Connection struct {
	Start, End        int64  // ns since the Unix epoch, UTC
	PacketsOut        uint64 // from Src
	PacketsIn         uint64 // from Dst
	BytesOut, BytesIn uint64 // IP layer and above, on the wire
	PayloadOut        uint64 // transport payload
	PayloadIn         uint64
	Missed            uint64 // payload bytes known to exist but not seen
	TCPFlagsOut       uint8  // union of the flags seen from Src
	TCPFlagsIn        uint8
	History           string // Zeek-style history letters, see docs/events.md
	State             string // Zeek-style conn_state: S0, SF, REJ, RSTO ...
	App               string // protocol found by content, "" when not recognised
	Evicted           bool   // ended by the sensor's memory bound, not by the peers
	MidStream         bool   // opening not seen
}

// Class implements Detail.
func (*Connection) Class() Class { return ClassNetwork }

// Certificate is what identity work needs of an X.509 certificate.
type Certificate struct {
	Subject      string   `json:"subject,omitempty"`
	Issuer       string   `json:"issuer,omitempty"`
	SerialNumber string   `json:"serial_number,omitempty"` // hexadecimal
	SANs         []string `json:"sans,omitempty"`
	NotBefore    int64    `json:"created_time,omitempty"` // ms since the Unix epoch, as OCSF
	NotAfter     int64    `json:"expiration_time,omitempty"`
	SHA256       string   `json:"fingerprint_sha256,omitempty"` // hexadecimal, of the DER
	KeyType      string   `json:"key_type,omitempty"`           // "RSA 2048", "ECDSA P-256", "Ed25519"
	Signature    string   `json:"signature_algorithm,omitempty"`
	SelfSigned   bool     `json:"is_self_signed,omitempty"`
	IsCA         bool     `json:"is_ca,omitempty"`
}

// TLS is a TLS, DTLS or QUIC handshake as seen from outside (OCSF Network
// Activity with the tls object). Activity: 1 Open, 4 Fail.
type TLS struct {
	Version         string   // negotiated: "TLSv1.2", "TLSv1.3", "DTLSv1.2", "SSLv3"
	ClientVersions  []string // offered, highest first
	Cipher          string   // IANA name
	ClientCiphers   []string // IANA names as offered, GREASE left out
	SNI             string
	ALPN            string // chosen; first offered when the answer is hidden
	ClientALPN      []string
	JA4             string
	ServerChain     []Certificate // leaf first; empty in TLS 1.3, where it is encrypted
	ClientChain     []Certificate
	ClientCertAsked bool // CertificateRequest seen (TLS 1.2 and below)
	Resumed         bool
	Alert           string // "fatal handshake_failure" ...
	Complete        bool   // both sides finished, as far as visible
	QUICVersion     string
}

// Class implements Detail.
func (*TLS) Class() Class { return ClassNetwork }

// HTTP is one HTTP/1 exchange (OCSF HTTP Activity).
// Activity: 1 Connect, 2 Delete, 3 Get, 4 Head, 5 Options, 6 Post, 7 Put, 8 Trace, 9 Patch, 99 Other.
type HTTP struct {
	Method            string
	Host              string
	Path              string // without the query's values: "/a/b?x=&y="; identifiers of patients replaced
	Version           string // "1.0", "1.1", "2"
	UserAgent         string
	Referrer          string // origin and path only
	ContentType       string // of the request
	RequestLength     int64  // body bytes, -1 when unknown
	Status            int    // 0 when no answer was seen
	ResponseType      string
	ResponseLength    int64
	Server            string
	AuthScheme        string // "Basic", "Bearer" ...; never the credential
	WWWAuthenticate   string // scheme and realm
	Upgrade           string
	TokenInURL        bool // a parameter that names a credential is in the query
	ResponseSeen      bool
	DefaultCredential string   // name of the published credential that was sent, "" for none
	Suspicious        []string // attack patterns: "log4shell", "path-traversal", "executable-preamble" ...; never the text
}

// Class implements Detail.
func (*HTTP) Class() Class { return ClassHTTP }

// DNSAnswer is one resource record of an answer.
type DNSAnswer struct {
	Name  string `json:"name,omitempty"`
	Type  string `json:"type"`
	Class string `json:"class,omitempty"`
	TTL   uint32 `json:"ttl"`
	RData string `json:"rdata"`
}

// DNS is a DNS, mDNS or LLMNR message (OCSF DNS Activity); Protocol of the event says which.
// Activity: 1 Query, 2 Response, 6 Traffic (a response joined with its query).
type DNS struct {
	ID        uint16
	Opcode    uint8
	Query     string // first question
	Type      string
	QClass    string
	RCode     int
	RCodeName string
	Flags     []string // "AA", "TC", "RD", "RA", "AD", "CD"
	Answers   []DNSAnswer
	Questions int
	Truncated bool // more records than are listed
}

// Class implements Detail.
func (*DNS) Class() Class { return ClassDNS }

// DHCP is a DHCPv4 or DHCPv6 message (OCSF DHCP Activity).
// Activity: 1 Discover (v6 Solicit), 2 Offer (Advertise), 3 Request, 4 Decline, 5 Ack (Reply), 6 Nak, 7 Release, 8 Inform, 9 Expire.
type DHCP struct {
	Version       uint8  // 4 or 6
	Type          string // as the RFC writes it: "DHCPDISCOVER", "SOLICIT"
	Transaction   string // hexadecimal
	ClientMAC     string
	ClientID      string // hexadecimal; DUID in v6
	ClientIP      string // the address offered, assigned or asked for
	ServerID      string
	Relay         string
	LeaseSeconds  uint32
	Renewal       bool
	Hostname      string
	FQDN          string
	VendorClass   string
	UserClass     string
	ParameterList string // option 55 (or ORO) in order, "1,3,6,15"
	Routers       []string
	DNSServers    []string
	Domain        string
}

// Class implements Detail.
func (*DHCP) Class() Class { return ClassDHCP }

// SSH is the visible part of an SSH connection (OCSF SSH Activity). Activity: 1 Open.
type SSH struct {
	ClientVersion string // identification string, RFC 4253 §4.2
	ServerVersion string
	KexAlgorithm  string // negotiated
	HostKeyAlg    string
	Cipher        string
	MAC           string
	HASSH         string // MD5 of the client's algorithm lists
	HASSHServer   string
}

// Class implements Detail.
func (*SSH) Class() Class { return ClassSSH }

// SMB is an SMB1, SMB2 or SMB3 exchange (OCSF SMB Activity).
// Activity: 1 File Supersede, 2 File Open, 3 File Create, 4 File Open If, 5 File Overwrite, 6 File Overwrite If, 99 Other (negotiate, session, tree).
type SMB struct {
	Command        string // "NEGOTIATE", "SESSION_SETUP", "TREE_CONNECT", "CREATE" ...
	ClientDialects []string
	Dialect        string // "NT LM 0.12", "2.1", "3.1.1"
	Share          string // UNC path
	ShareType      string // "disk", "pipe", "printer"
	File           string // path; the base name is replaced when it may name a patient
	RenamedTo      string // the new path, in the same way; what was appended to a name (".locked") stays
	RansomNote     bool   // the name, before it was replaced, is one that notes of extortion bear
	NTStatus       string // "STATUS_SUCCESS" or hexadecimal
	Domain         string // NTLMSSP target or AUTHENTICATE domain
	Workstation    string // NTLMSSP
	OSVersion      string // NTLMSSP version field or SMB1 native OS
	Signing        string // "required", "enabled", "none"
	Encrypted      bool   // SMB3 transform seen
	NTLMv1         bool
	Guest          bool
	ServerGUID     string
	Suspicious     []string // traces of an attack: "ms17-010-probe", "smbghost" ...
}

// Class implements Detail.
func (*SMB) Class() Class { return ClassSMB }

// RDP is the visible part of an RDP connection (OCSF RDP Activity).
// Activity: 1 Initial Request, 2 Initial Response.
type RDP struct {
	Cookie            string   // "mstshash" is a user name: pseudonymised
	RequestedSecurity []string // "rdp", "tls", "credssp", "rdstls"
	SelectedSecurity  string
	Failure           string
	ClientName        string // GCC client core data, when not encrypted
	ClientBuild       string
}

// Class implements Detail.
func (*RDP) Class() Class { return ClassRDP }

// FTP is one FTP command with its answer (OCSF FTP Activity).
// Activity: 1 Put, 2 Get, 3 Poll, 4 Delete, 5 Rename, 6 List, 99 Other.
type FTP struct {
	Command           string // verb only for USER and PASS
	Arg               string // path or parameter; "" for USER and PASS
	Code              int    // reply code, 0 when no answer was seen
	Reply             string
	DataPort          uint16
	Cleartext         bool   // credentials went over in clear (USER/PASS without AUTH TLS)
	DefaultCredential string // name of the published credential that was sent, "" for none
}

// Class implements Detail.
func (*FTP) Class() Class { return ClassFTP }

// NTP is an NTP packet (OCSF NTP Activity).
// Activity: 1 symmetric active, 2 symmetric passive, 3 client, 4 server, 5 broadcast, 6 control, 7 private.
type NTP struct {
	Version     uint8
	Stratum     uint8
	Precision   int8
	Delay       float64 // seconds, root delay
	Dispersion  float64 // seconds, root dispersion
	ReferenceID string
	OffsetMS    int64 // server transmit time minus capture time, milliseconds; 0 when not a server answer
}

// Class implements Detail.
func (*NTP) Class() Class { return ClassNTP }

// Application is a message of a protocol that has no class of its own
// (RADIUS, SNMP, LLDP, Modbus ...). Operation is the protocol's name for it.
// Activity: 1 Message, 2 Request, 3 Response, 4 Session, 5 Announcement.
type Application struct {
	Name       string `json:"app_protocol_name"`
	Version    string `json:"app_protocol_version,omitempty"`
	Operation  string `json:"operation,omitempty"`
	Attributes []KV   `json:"protocol_attributes,omitempty"`
}

// Class implements Detail.
func (*Application) Class() Class { return ClassApplication }

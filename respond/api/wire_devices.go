// SPDX-License-Identifier: Apache-2.0

package api

// DeviceList answers GET /devices.
type DeviceList struct {
	Revision uint64      `json:"revision"`
	Total    int         `json:"total"`
	Devices  []DeviceRow `json:"devices"`
	Next     *string     `json:"next"`
}

// DeviceRow is a device as lists show it.
type DeviceRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Class       string   `json:"class"`
	ClassName   string   `json:"class_name"`
	Confidence  int      `json:"confidence"`
	Medical     bool     `json:"medical"`
	Vendor      string   `json:"vendor"`
	Model       string   `json:"model"`
	Firmware    string   `json:"firmware"`
	Serial      string   `json:"serial"`
	OS          string   `json:"os"`
	MACs        []string `json:"macs"`
	IPs         []string `json:"ips"`
	VLANs       []uint16 `json:"vlans"`
	AETitles    []string `json:"ae_titles"`
	Site        string   `json:"site"` // "" for the own
	Theatre     string   `json:"theatre"`
	Zone        string   `json:"zone"`
	Criticality string   `json:"criticality"`
	Speaks      []string `json:"speaks"`
	Certificate string   `json:"certificate"`
	Findings    int      `json:"findings"`
	Worst       Severity `json:"worst"`
	Conflicts   int      `json:"conflicts"`
	First       string   `json:"first"`
	Last        string   `json:"last"`
	ByPerson    []string `json:"by_person"`
}

// Device answers GET /devices/{id}.
type Device struct {
	DeviceRow
	Aliases       []string              `json:"aliases"`
	ClassWhy      string                `json:"class_why"`
	UDI           string                `json:"udi"`
	Via           string                `json:"via"`
	RandomisedMAC bool                  `json:"randomised_mac"`
	Interfaces    []Interface           `json:"interfaces"`
	Services      []string              `json:"services"`
	Uses          []string              `json:"uses"`
	Facts         map[string]DeviceFact `json:"facts"`
	ConflictList  []Conflict            `json:"conflict_list"`
	Joined        []Join                `json:"joined"`
	Notes         []Note                `json:"notes"`
	Certificates  []DeviceCertificate   `json:"certificates"`
	Evidence      []Evidence            `json:"evidence"`
	FindingList   []Finding             `json:"finding_list"`
}

// Interface is one network attachment.
type Interface struct {
	MAC   string   `json:"mac"`
	IPs   []string `json:"ips"`
	VLANs []uint16 `json:"vlans"`
}

// DeviceFact is the value of an attribute and why.
type DeviceFact struct {
	Value      string   `json:"value"`
	Stated     string   `json:"stated,omitempty"`
	Confidence int      `json:"confidence"`
	Sources    []string `json:"sources"`
	ByPerson   bool     `json:"by_person,omitempty"`
}

// Conflict is evidence that disagrees.
type Conflict struct {
	Attribute string   `json:"attribute"`
	Values    []string `json:"values"`
	Why       string   `json:"why"`
}

// Join says why two things were taken for one.
type Join struct {
	Why        string `json:"why"`
	Confidence int    `json:"confidence"`
}

// Note is a person's remark.
type Note struct {
	Text string `json:"text"`
	Who  string `json:"who"`
	At   string `json:"at"`
}

// DeviceCertificate is what a device presents at a service.
type DeviceCertificate struct {
	Service    string `json:"service"`
	Validity   string `json:"validity"`
	NotBefore  string `json:"not_before"`
	NotAfter   string `json:"not_after"`
	Issuer     string `json:"issuer"`
	SelfSigned bool   `json:"self_signed"`
	KeyType    string `json:"key_type"`
	KeyBits    int    `json:"key_bits"`
	SHA256     string `json:"sha256"`
	Source     string `json:"source"`
	Confidence int    `json:"confidence"`
	First      string `json:"first"`
	Last       string `json:"last"`
}

// Evidence is one observation of a device.
type Evidence struct {
	Attribute  string `json:"attribute"`
	Value      string `json:"value"`
	Source     string `json:"source"`
	Confidence int    `json:"confidence"`
	First      string `json:"first"`
	Last       string `json:"last"`
	Count      uint64 `json:"count"`
}

// Conversations answers GET /devices/{id}/conversations.
type Conversations struct {
	From          string         `json:"from"`
	To            string         `json:"to"`
	Conversations []Conversation `json:"conversations"`
	More          bool           `json:"more"`
}

// Conversation is what a device and one peer said by one protocol.
type Conversation struct {
	Peer      string `json:"peer"`
	PeerName  string `json:"peer_name"`
	PeerClass string `json:"peer_class"`
	Outgoing  bool   `json:"outgoing"`
	Protocol  string `json:"protocol"`
	Transport string `json:"transport"`
	Port      uint16 `json:"port"`
	Flows     uint64 `json:"flows"`
	Failed    uint64 `json:"failed"`
	BytesOut  uint64 `json:"bytes_out"`
	BytesIn   uint64 `json:"bytes_in"`
	First     string `json:"first"`
	Last      string `json:"last"`
	Since     string `json:"since"`
}

// Activity answers GET /devices/{id}/activity.
type Activity struct {
	From  string         `json:"from"`
	To    string         `json:"to"`
	Steps []ActivityStep `json:"steps"`
}

// ActivityStep is one step of a device's activity; classes are named.
type ActivityStep struct {
	Start   string            `json:"start"`
	Events  uint64            `json:"events"`
	Classes map[string]uint64 `json:"classes"`
	Worst   Severity          `json:"worst"`
}

// Edit is one change of a device by a person.
type Edit struct {
	Seq      uint64   `json:"seq"`
	Kind     string   `json:"kind"`
	Device   string   `json:"device"`
	Value    string   `json:"value,omitempty"`
	Keys     []string `json:"keys,omitempty"`
	Who      string   `json:"who"`
	At       string   `json:"at"`
	UndoneBy string   `json:"undone_by,omitempty"`
	UndoneAt string   `json:"undone_at,omitempty"`
}

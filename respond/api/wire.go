// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/board"
)

// The shapes of the answers, field by field as openapi.yaml and the console's
// types.ts have them; tests hold the three to each other. Times are text.

// stamp writes a time as the API does: RFC 3339 in UTC with the decimals that it
// has.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// stampOrNil is null for a time that is not known.
func stampOrNil(ns int64) *string {
	if ns == 0 {
		return nil
	}
	s := stamp(ns)
	return &s
}

// orEmpty makes a list that is [] and not null when it is empty.
func orEmpty[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// Site is the hospital, as its settings name it.
type Site = access.Site

// Status answers GET /status.
type Status struct {
	State          string      `json:"state"`
	Sentence       string      `json:"sentence"`
	Demo           bool        `json:"demo"`
	Time           string      `json:"time"`
	LagSeconds     float64     `json:"lag_seconds"`
	LostEvents     uint64      `json:"lost_events"`
	Components     []Component `json:"components"`
	TheatresInCase []NamedRoom `json:"theatres_in_case"`
}

// Component is one part of the system in Status.
type Component struct {
	Name     string `json:"name"`
	State    string `json:"state"` // "ok", "attention", "stop"
	Sentence string `json:"sentence"`
	Since    string `json:"since"`
}

// NamedRoom is a theatre by its ID and name.
type NamedRoom struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Board answers GET /board.
type Board struct {
	Time              string       `json:"time"`
	Theatres          []board.Tile `json:"theatres"`
	UnassignedDevices int          `json:"unassigned_devices"`
}

// Room answers GET /theatres/{id}/room.
type Room struct {
	Theatre     Theatre      `json:"theatre"`
	Tile        board.Tile   `json:"tile"`
	Groups      []RoomGroup  `json:"groups"`
	ImagingPath []PathStep   `json:"imaging_path"`
	Findings    []Finding    `json:"findings"`
	LastHour    []RoomMinute `json:"last_hour"`
	Contact     string       `json:"contact,omitempty"`
}

// RoomGroup is a kind of device in a room.
type RoomGroup struct {
	Name    string      `json:"name"`
	Devices []DeviceRow `json:"devices"`
}

// RoomMinute is one step of a room's last hour.
type RoomMinute struct {
	Start  string   `json:"start"`
	Events uint64   `json:"events"`
	Worst  Severity `json:"worst"`
}

// PathStep is one station of the way that images take.
type PathStep struct {
	Role            string     `json:"role"`
	Device          *DeviceRow `json:"device,omitempty"`
	ObjectsLastHour uint64     `json:"objects_last_hour"`
	FailedLastHour  uint64     `json:"failed_last_hour"`
	Encrypted       *bool      `json:"encrypted"`
	Custody         string     `json:"custody"`
	Last            string     `json:"last,omitempty"`
}

// Theatre is a room. Its document in the store is this without the revision,
// which is the document's own.
type Theatre struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Order    int      `json:"order"`
	Building string   `json:"building,omitempty"`
	Contact  string   `json:"contact,omitempty"`
	VLANs    []uint16 `json:"vlans"`
	Prefixes []string `json:"prefixes"`
	State    string   `json:"state"`
	Since    string   `json:"since"`
	Source   string   `json:"source"`
	Revision uint64   `json:"revision"`
}

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

// Span is a stretch of time.
type Span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// NetworkMap answers GET /map.
type NetworkMap struct {
	From  string    `json:"from"`
	To    string    `json:"to"`
	Kept  Span      `json:"kept"`
	Nodes []MapNode `json:"nodes"`
	Edges []MapEdge `json:"edges"`
	More  bool      `json:"more"`
}

// MapNode is an end of a conversation on the map.
type MapNode struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Class     string   `json:"class"`
	ClassName string   `json:"class_name"`
	Theatre   string   `json:"theatre"`
	Zone      string   `json:"zone"`
	Medical   bool     `json:"medical"`
	Worst     Severity `json:"worst"`
	Outside   bool     `json:"outside"`
}

// MapEdge is a conversation on the map.
type MapEdge struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Protocol  string `json:"protocol"`
	Transport string `json:"transport"`
	Port      uint16 `json:"port"`
	Flows     uint64 `json:"flows"`
	Failed    uint64 `json:"failed"`
	BytesOut  uint64 `json:"bytes_out"`
	BytesIn   uint64 `json:"bytes_in"`
	First     string `json:"first"`
	Last      string `json:"last"`
	New       bool   `json:"new"`
	InPolicy  *bool  `json:"in_policy"`
}

// EventPage answers GET /events.
type EventPage struct {
	Events   []EventRow `json:"events"`
	Next     *string    `json:"next"`
	Complete bool       `json:"complete"`
	Reached  string     `json:"reached"`
	TookMS   float64    `json:"took_ms"`
}

// EventRow is an event as lists show it.
type EventRow struct {
	ID           string    `json:"id"`
	Time         string    `json:"time"`
	Class        uint32    `json:"class"`
	ClassName    string    `json:"class_name"`
	Activity     uint8     `json:"activity"`
	ActivityName string    `json:"activity_name"`
	Severity     Severity  `json:"severity"`
	Status       string    `json:"status"`
	Protocol     string    `json:"protocol"`
	Sensor       string    `json:"sensor"`
	Theatre      string    `json:"theatre"`
	Message      string    `json:"message"`
	Src          *EventEnd `json:"src"`
	Dst          *EventEnd `json:"dst"`
}

// EventEnd is one end of what an event is about.
type EventEnd struct {
	IP     string `json:"ip"`
	Port   uint16 `json:"port"`
	MAC    string `json:"mac"`
	Device string `json:"device"`
	Name   string `json:"name"`
}

// EventDetail answers GET /events/{id}.
type EventDetail struct {
	EventRow
	UID    string          `json:"uid"`
	Groups []EventGroup    `json:"groups"`
	OCSF   json.RawMessage `json:"ocsf"`
}

// EventGroup is decoded fields that belong together.
type EventGroup struct {
	Title  string       `json:"title"`
	Fields []EventField `json:"fields"`
}

// EventField is one decoded field. Field and Raw are there when a click on it can
// include or exclude events: raw is the value to ask for.
type EventField struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Value string `json:"value"`
	Field string `json:"field,omitempty"`
	Raw   any    `json:"raw,omitempty"`
}

// EventHistogram answers GET /events/histogram.
type EventHistogram struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	StepMS   int64           `json:"step_ms"`
	Steps    []HistogramStep `json:"steps"`
	Complete bool            `json:"complete"`
	Reached  string          `json:"reached"`
}

// HistogramStep is one step of it, severities without events left out.
type HistogramStep struct {
	Start string            `json:"start"`
	By    map[string]uint64 `json:"by"`
}

// TopValues answers GET /events/top.
type TopValues struct {
	Field    string     `json:"field"`
	Values   []TopValue `json:"values"`
	Others   uint64     `json:"others"`
	Complete bool       `json:"complete"`
	Reached  string     `json:"reached"`
}

// TopValue is a value, as people read it, and how many events have it.
type TopValue struct {
	Value string `json:"value"`
	Label string `json:"label"`
	Count uint64 `json:"count"`
}

// Finding is something that needs a person.
type Finding struct {
	ID       string        `json:"id"`
	Rule     string        `json:"rule"`
	Severity Severity      `json:"severity"`
	Title    string        `json:"title"`
	Room     string        `json:"room"`
	Devices  []NamedDevice `json:"devices"`
	Theatre  string        `json:"theatre"`
	Count    uint64        `json:"count"`
	First    string        `json:"first"`
	Last     string        `json:"last"`
	Attack   []string      `json:"attack"`
	Evidence []string      `json:"evidence"`
}

// NamedDevice is a device by its ID and name.
type NamedDevice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// FindingList answers GET /findings.
type FindingList struct {
	Findings []Finding `json:"findings"`
	Total    int       `json:"total"`
}

// SensorList answers GET /sensors.
type SensorList struct {
	Sentence string   `json:"sentence"`
	Sensors  []Sensor `json:"sensors"`
}

// Sensor is what one sensor says of itself, and what that means.
type Sensor struct {
	Name              string          `json:"name"`
	Source            string          `json:"source"`
	State             string          `json:"state"` // "watching", "silent", "lossy", "gone", "finished"
	Sentence          string          `json:"sentence"`
	Started           string          `json:"started"`
	Reported          string          `json:"reported"`
	Packets           uint64          `json:"packets"`
	Bytes             uint64          `json:"bytes"`
	PacketsPerSecond  float64         `json:"packets_per_second"`
	BitsPerSecond     float64         `json:"bits_per_second"`
	Dropped           uint64          `json:"dropped"`
	Loss              float64         `json:"loss"`
	Undecoded         uint64          `json:"undecoded"`
	Gaps              uint64          `json:"gaps"`
	GapBytes          uint64          `json:"gap_bytes"`
	OneSided          uint64          `json:"one_sided"`
	MidStream         uint64          `json:"mid_stream"`
	Flows             uint64          `json:"flows"`
	ActiveFlows       uint64          `json:"active_flows"`
	FlowsEvicted      uint64          `json:"flows_evicted"`
	AnalysesEvicted   uint64          `json:"analyses_evicted"`
	OverBudget        uint64          `json:"over_budget"`
	Panics            uint64          `json:"panics"`
	Unrecognised      uint64          `json:"unrecognised"`
	UnrecognisedBytes uint64          `json:"unrecognised_bytes"`
	Events            uint64          `json:"events"`
	EventsLost        uint64          `json:"events_lost"`
	QueuedEvents      uint64          `json:"queued_events"`
	Protocols         []ProtocolCount `json:"protocols"`
	VLANs             []SensorVLAN    `json:"vlans"`
	BlindSpots        []BlindSpot     `json:"blind_spots"`
}

// ProtocolCount is how often a protocol was seen.
type ProtocolCount struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// SensorVLAN is what a sensor sees of a VLAN; 0 is untagged.
type SensorVLAN struct {
	ID      uint16 `json:"id"`
	Packets uint64 `json:"packets"`
	Theatre string `json:"theatre"`
}

// BlindSpot is something that a sensor cannot see.
type BlindSpot struct {
	What string `json:"what"`
	Why  string `json:"why"`
	Hint string `json:"hint"`
}

// SensorSeries answers GET /sensors/{name}/series: columns of equal length.
type SensorSeries struct {
	Start            string     `json:"start"`
	StepMS           int64      `json:"step_ms"`
	PacketsPerSecond []*float64 `json:"packets_per_second"`
	BitsPerSecond    []*float64 `json:"bits_per_second"`
	Dropped          []*float64 `json:"dropped"`
	EventsPerSecond  []*float64 `json:"events_per_second"`
	ActiveFlows      []*float64 `json:"active_flows"`
}

// Settings is the site and how long things are kept.
type Settings struct {
	Revision       uint64    `json:"revision"`
	Site           Site      `json:"site"`
	Retention      Retention `json:"retention"`
	SilenceMinutes int       `json:"silence_minutes"`
}

// Retention says how long things are kept; 0 for ever and without limit.
type Retention struct {
	EventsDays     int   `json:"events_days"`
	EventsMaxBytes int64 `json:"events_max_bytes"`
	AuditDays      int   `json:"audit_days"`
}

// Storage answers GET /storage.
type Storage struct {
	Engine string       `json:"engine"`
	Events uint64       `json:"events"`
	First  *string      `json:"first"`
	Last   *string      `json:"last"`
	Bytes  int64        `json:"bytes"`
	Free   *int64       `json:"free"`
	Days   []StorageDay `json:"days"`
	Bus    StorageBus   `json:"bus"`
}

// StorageDay is what is kept of one day.
type StorageDay struct {
	Day    string `json:"day"`
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
}

// StorageBus is what lies on the bus.
type StorageBus struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	Mode     string `json:"mode"`
}

// View is a saved search.
type View struct {
	ID       string `json:"id"`
	Page     string `json:"page"`
	Name     string `json:"name"`
	Query    string `json:"query"`
	Shared   bool   `json:"shared"`
	Owner    string `json:"owner"`
	Revision uint64 `json:"revision"`
}

// SearchResult answers GET /search.
type SearchResult struct {
	Devices     []DeviceRow `json:"devices"`
	Theatres    []NamedRoom `json:"theatres"`
	EventsQuery string      `json:"events_query"`
}

// Severity is finding.Severity with "unknown" as a value that can be read: the
// worst of nothing.
type Severity finding.Severity

// String returns the lower-case name.
func (s Severity) String() string { return finding.Severity(s).String() }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return finding.Severity(s).MarshalText() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(b []byte) error {
	if string(b) == finding.Unknown.String() {
		*s = Severity(finding.Unknown)
		return nil
	}
	return (*finding.Severity)(s).UnmarshalText(b)
}

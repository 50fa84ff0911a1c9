// SPDX-License-Identifier: Apache-2.0

package api

import (
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
	Runs           []string    `json:"runs"` // "ledger", "identity", "imaging"
	Sentence       string      `json:"sentence"`
	Demo           bool        `json:"demo"`
	Time           string      `json:"time"`
	LagSeconds     float64     `json:"lag_seconds"`
	LostEvents     uint64      `json:"lost_events"`
	Components     []Component `json:"components"`
	TheatresInCase []NamedRoom `json:"theatres_in_case"`
	Sites          []NamedSite `json:"sites"`
}

// NamedSite is one of the sites whose events are here.
type NamedSite struct {
	Name  string `json:"name"` // as the parameter site names it
	Title string `json:"title"`
	Own   bool   `json:"own"` // of this server itself
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
	Site     string   `json:"site"` // "" for the own
	Revision uint64   `json:"revision"`
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
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Mode     string    `json:"mode"`
	Hub      *BusHub   `json:"hub"`
	Sites    []BusSite `json:"sites"`
}

// BusHub is how far the hub is behind this site; null without one.
type BusHub struct {
	Connected bool    `json:"connected"`
	Waiting   uint64  `json:"waiting"`
	Oldest    *string `json:"oldest"`
}

// BusSite is what this server, as a hub, has of one of its sites.
type BusSite struct {
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Waiting uint64  `json:"waiting"`
	Heard   *string `json:"heard"`
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
	Findings    []Finding   `json:"findings"`
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

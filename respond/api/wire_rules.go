// SPDX-License-Identifier: Apache-2.0

package api

// RuleList answers GET /rules.
type RuleList struct {
	Rules    []RuleRow    `json:"rules"`
	Families []string     `json:"families"`
	Engines  []RuleEngine `json:"engines"`
}

// RuleEngine is a process that detects.
type RuleEngine struct {
	Name            string  `json:"name"`
	At              string  `json:"at"`
	Partitions      int     `json:"partitions"`
	BehindEvents    uint64  `json:"behind_events"`
	BehindSeconds   float64 `json:"behind_seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	Rules           int     `json:"rules"`
	Problem         string  `json:"problem"`
}

// RuleRow is a rule as the list shows it.
type RuleRow struct {
	ID          string   `json:"id"`
	Family      string   `json:"family"`
	Title       string   `json:"title"`
	Version     int      `json:"version"`
	Origin      string   `json:"origin"`
	Kind        string   `json:"kind"`
	Severity    Severity `json:"severity"`
	InCase      Severity `json:"in_case"`
	Confidence  uint8    `json:"confidence"`
	Attack      []string `json:"attack"`
	State       string   `json:"state"`
	Why         string   `json:"why"`
	Alerts      int      `json:"alerts"`
	Open        int      `json:"open"`
	LastFired   *string  `json:"last_fired"`
	PerDay      float64  `json:"per_day"`
	Noise       int      `json:"noise"`
	Evaluations uint64   `json:"evaluations"`
	Errors      uint64   `json:"errors"`
	Nanoseconds uint64   `json:"nanoseconds"`
	Keys        int      `json:"keys"`
	Evicted     uint64   `json:"evicted"`
	Baseline    string   `json:"baseline"`
	Learning    int      `json:"learning"`
	Ready       int      `json:"ready"`
	Distrusted  int      `json:"distrusted"`
	Revision    uint64   `json:"revision"`
}

// RuleDetail answers GET /rules/{id}.
type RuleDetail struct {
	RuleRow
	Description    string       `json:"description"`
	Room           string       `json:"room"`
	Playbook       []string     `json:"playbook"`
	References     []string     `json:"references"`
	FalsePositives []string     `json:"false_positives"`
	Needs          []string     `json:"needs"`
	Text           string       `json:"text"`
	Samples        []RuleSample `json:"samples"`
	ChangedBy      string       `json:"changed_by"`
	ChangedAt      *string      `json:"changed_at"`
}

// RuleSample is a sample of a rule.
type RuleSample struct {
	Name  string `json:"name"`
	Fires bool   `json:"fires"`
}

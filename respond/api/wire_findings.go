// SPDX-License-Identifier: Apache-2.0

package api

// FindingList answers GET /findings.
type FindingList struct {
	Findings []Finding      `json:"findings"`
	Total    int            `json:"total"`
	Next     *string        `json:"next"`
	Revision uint64         `json:"revision"`
	Counts   FindingCounts  `json:"counts"`
	Facets   []FindingFacet `json:"facets"`
	Groups   []FindingGroup `json:"groups"`
}

// FindingCounts counts all findings, whatever is filtered.
type FindingCounts struct {
	Open         int `json:"open"`
	Acknowledged int `json:"acknowledged"`
	Closed       int `json:"closed"`
	Suppressed   int `json:"suppressed"`
	Snoozed      int `json:"snoozed"`
	Mine         int `json:"mine"`
	Critical     int `json:"critical"`
	High         int `json:"high"`
}

// FindingFacet is a field with how many findings have which value.
type FindingFacet struct {
	Field  string              `json:"field"`
	Values []FindingFacetValue `json:"values"`
}

// FindingFacetValue is one value of a facet.
type FindingFacetValue struct {
	Value string `json:"value"`
	Label string `json:"label"`
	Count int    `json:"count"`
}

// FindingGroup sums findings up.
type FindingGroup struct {
	Key         string   `json:"key"`
	Label       string   `json:"label"`
	Findings    int      `json:"findings"`
	Open        int      `json:"open"`
	Occurrences uint64   `json:"occurrences"`
	Worst       Severity `json:"worst"`
	First       string   `json:"first"`
	Last        string   `json:"last"`

	first, last int64
}

// Finding is something that needs a person.
type Finding struct {
	ID              string        `json:"id"`
	Rule            string        `json:"rule"`
	Family          string        `json:"family"`
	Severity        Severity      `json:"severity"`
	SeverityWhy     []string      `json:"severity_why"`
	Confidence      uint8         `json:"confidence"`
	Title           string        `json:"title"`
	Room            string        `json:"room"`
	Devices         []NamedDevice `json:"devices"`
	Site            string        `json:"site"` // "" for the own
	Theatre         string        `json:"theatre"`
	CaseState       string        `json:"case_state"`
	Count           uint64        `json:"count"`
	First           string        `json:"first"`
	Last            string        `json:"last"`
	Attack          []string      `json:"attack"`
	Evidence        []string      `json:"evidence"`
	State           string        `json:"state"`
	Assignee        string        `json:"assignee"`
	Outcome         string        `json:"outcome"`
	SnoozedUntil    *string       `json:"snoozed_until"`
	SuppressedBy    string        `json:"suppressed_by"`
	SuppressedCount uint64        `json:"suppressed_count"`
	Revision        uint64        `json:"revision"`

	first, last, until int64
	search             string // lower case, what q looks in
}

// FindingDetail answers GET /findings/{id}.
type FindingDetail struct {
	Finding
	Description    string            `json:"description"`
	Playbook       []string          `json:"playbook"`
	References     []string          `json:"references"`
	FalsePositives []string          `json:"false_positives"`
	Entities       []FindingEntity   `json:"entities"`
	Occurrences    []FindingEvidence `json:"occurrences"`
	Pace           []FindingPace     `json:"pace"`
	Reason         string            `json:"reason"`
	History        []FindingStep     `json:"history"`
	Previous       *string           `json:"previous"`
	Following      *string           `json:"following"`
	Related        []Finding         `json:"related"`
	RuleKnown      bool              `json:"rule_known"`
	RuleVersion    int               `json:"rule_version"`
	EventsQuery    string            `json:"events_query"`
	Suppression    *Suppression      `json:"suppression"`
}

// FindingEntity is a named thing that a finding is about.
type FindingEntity struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FindingEvidence is one occurrence.
type FindingEvidence struct {
	Time     string         `json:"time"`
	Event    *string        `json:"event"`
	Sentence string         `json:"sentence"`
	Expected string         `json:"expected"`
	Fields   []FindingField `json:"fields"`
}

// FindingField is one value that a rule looked at.
type FindingField struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Decided bool   `json:"decided"`
}

// FindingPace is how often it happened in an hour.
type FindingPace struct {
	Hour  string `json:"hour"`
	Count uint64 `json:"count"`
}

// FindingStep is one thing that somebody did with a finding.
type FindingStep struct {
	At       string `json:"at"`
	Who      string `json:"who"`
	Action   string `json:"action"`
	Note     string `json:"note"`
	State    string `json:"state"`
	Assignee string `json:"assignee"`
}

// FindingBulkResult answers POST /findings/bulk.
type FindingBulkResult struct {
	Done    int                 `json:"done"`
	Failed  int                 `json:"failed"`
	Results []FindingBulkAnswer `json:"results"`
}

// FindingBulkAnswer is what became of one of them.
type FindingBulkAnswer struct {
	ID      string `json:"id"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

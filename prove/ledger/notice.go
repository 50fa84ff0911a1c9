// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"sync"

	"github.com/asepsis/asepsis/core/finding"
)

// Notice is something about the ledger that needs a person, or that needed one and is
// over.
type Notice struct {
	Rule     string // stable: "ledger-inconsistent", "ledger-unwitnessed", "ledger-full", "ledger-timestamp"
	Severity finding.Severity
	Title    string // for the analyst
	Room     string // for the theatre
	Hint     string
	Detail   string
	Over     bool
}

// noticeRule is one of the notices that there are.
type noticeRule int

const (
	noticeInconsistent noticeRule = iota
	noticeUnwitnessed
	noticeFull
	noticeTimestamp
	noticeCount
)

const roomGoesOn = "Safe to continue. Tell the security desk when there is time."

func (n noticeRule) notice() Notice {
	switch n {
	case noticeInconsistent:
		return Notice{Rule: "ledger-inconsistent", Severity: finding.Critical, Title: "The ledger is not what it was: its files and what was signed disagree", Room: roomGoesOn,
			Hint: "asepsis ledger fsck says what and where; keep the directory as it is for whoever investigates"}
	case noticeUnwitnessed:
		return Notice{Rule: "ledger-unwitnessed", Severity: finding.Medium, Title: "Entries of the ledger wait for witnesses longer than they should", Room: roomGoesOn,
			Hint: "asepsis ledger status says which witnesses do not answer and why; recording goes on meanwhile"}
	case noticeFull:
		return Notice{Rule: "ledger-full", Severity: finding.High, Title: "The ledger's disk is full: new statements are refused", Room: roomGoesOn,
			Hint: "free space on the ledger's disk; nothing that was acknowledged is lost"}
	default:
		return Notice{Rule: "ledger-timestamp", Severity: finding.Low, Title: "The timestamp authority does not answer, or answers wrongly", Room: roomGoesOn,
			Hint: "asepsis ledger status; receipts are valid without a timestamp"}
	}
}

// notices remembers which are raised, so that each is told once.
type notices struct {
	mu     sync.Mutex
	raised [noticeCount]bool
}

func (n *notices) raise(d Deps, r noticeRule, detail string) {
	n.mu.Lock()
	was := n.raised[r]
	n.raised[r] = true
	n.mu.Unlock()
	if was {
		return
	}
	x := r.notice()
	x.Detail = detail
	d.Log.Error("ledger: "+x.Title, "detail", detail, "hint", x.Hint)
	d.Notice(x)
}

func (n *notices) clear(d Deps, r noticeRule) {
	n.mu.Lock()
	was := n.raised[r]
	n.raised[r] = false
	n.mu.Unlock()
	if was {
		x := r.notice()
		x.Over = true
		d.Notice(x)
	}
}

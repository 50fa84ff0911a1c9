// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/standing"
)

// Recovery says what was found when the journal was opened.
func (j *Journal) Recovery() Recovery { return j.recovered }

// Ready reports why instances cannot be taken now.
func (j *Journal) Ready(context.Context) error {
	if err := j.usable(); err != nil {
		return err
	}
	j.wal.mu.Lock()
	err := j.wal.failed
	j.wal.mu.Unlock()
	if err != nil {
		return err
	}
	j.space.mu.Lock()
	defer j.space.mu.Unlock()
	if !j.space.full.IsZero() {
		return instance.ErrFull
	}
	return nil
}

// maxDamaged bounds how many damaged instances are told one by one.
const maxDamaged = 50

// Matters says what needs a person now, for platform/standing: rules of the family "gateway".
func (j *Journal) Matters(now time.Time) []standing.Matter {
	var out []standing.Matter
	add := func(rule, key string, severity finding.Severity, since time.Time, title, room, what string) {
		at := since.UnixNano()
		out = append(out, standing.Matter{Key: key, Analyst: what, Playbook: []string{what}, Finding: finding.Finding{Rule: "gateway." + rule, Severity: severity,
			Title: title, Room: room, Devices: []string{}, Count: 1, First: at, Last: at, Attack: []string{}, Evidence: []string{}}})
	}
	opened := j.opened
	if r := j.recovered; r.Lost > 0 {
		add("journal-damaged", "log", finding.Critical, opened, fmt.Sprintf("The gateway's journal has lost %d entries that it had acknowledged", r.Lost),
			"Images may be missing. Call the security engineer, and compare the study with the device that made it.",
			"The disk of the gateway is failing, or somebody changed its files. Compare the ledger's entries with what the destinations have, send missing instances again, and replace the disk.")
	}
	j.wal.mu.Lock()
	failed := j.wal.failed
	j.wal.mu.Unlock()
	if failed != nil && !j.closed.Load() {
		add("journal-failed", "log", finding.Critical, opened, "The gateway's journal cannot write and takes no images", "New images do not come through. Call the security engineer now.",
			"Look at the disk and the system's log, then start the gateway again: what was acknowledged is checked then.")
	}
	j.space.mu.Lock()
	low, full := j.space.low, j.space.full
	free := j.space.free
	j.space.mu.Unlock()
	switch {
	case !full.IsZero():
		add("disk-full", "disk", finding.Critical, full, "The gateway refuses images because its disk is almost full", "New images do not come through. Call the security engineer now.",
			"Make room on the journal's disk, and look at destinations with a long queue: what waits for them is kept. Everything that was acknowledged is safe.")
	case !low.IsZero():
		add("disk-low", "disk", finding.High, low, fmt.Sprintf("The gateway's disk has %d MB left", free>>20), "", "Make room before images are refused, and look at destinations with a long queue.")
	}
	j.faults.mu.Lock()
	var damaged []uint64
	for n := range j.faults.damaged {
		damaged = append(damaged, n)
	}
	j.faults.mu.Unlock()
	slices.Sort(damaged)
	for i, n := range damaged {
		if i == maxDamaged {
			break
		}
		add("instance-damaged", strconv.FormatUint(n, 10), finding.Critical, opened, fmt.Sprintf("The gateway's disk has changed instance %d since it was acknowledged", n),
			"An image is damaged and is not passed on. Call the security engineer.", "Send the instance again from its origin; its record says which device that is. Then replace the disk.")
	}
	j.hist.mu.RLock()
	aside := j.hist.damage
	j.hist.mu.RUnlock()
	if !aside.IsZero() && now.Sub(aside) < 7*24*time.Hour {
		add("history-damaged", "history", finding.Medium, aside, "The gateway's history was damaged and begun anew", "", "Lists of the past are shorter; no instance is missing. The old file was set aside beside it. Check the disk.")
	}
	if since := j.hist.fails(); !since.IsZero() && now.Sub(since) > historyAlarm {
		add("history-damaged", "failing", finding.Medium, since, "The gateway's history cannot be written", "",
			"Its records stay in the journal's log and in memory, which grow. Look at the journal's disk and the system's log. No instance is missing.")
	}
	return out
}

// historyAlarm is how long the history may fail before a person is told.
const historyAlarm = 5 * time.Minute

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
)

// Family is that of the gateway's standing matters.
const Family = "gateway"

// Matters says what needs a person now.
func (g *Gateway) Matters() []standing.Matter {
	var out []standing.Matter
	for _, d := range g.doors {
		if !d.secure {
			out = append(out, g.plainDevices()...)
			break
		}
	}
	if since, owed, why := g.Ledger(); why != nil {
		m := Matter("ledger", "ledger", finding.High, since, "The gateway cannot record in its ledger: "+why.Error(),
			"New images may not come through. Call the security engineer.",
			"Routes that fail closed refuse images, and give none out, until it records again; the others go on, and what they let pass is recorded later.",
			"See asepsis ledger status, and the disk that the ledger is on.", "The owed statements are made by themselves once it records again.")
		m.Evidence = []string{fmt.Sprintf("%d instances and retrievals are owed", owed)}
		out = append(out, m)
	} else if owed > 0 {
		m := Matter("ledger-lag", "ledger", finding.Low, time.Time{}, "The ledger is being told of instances that passed or were given out while it was away", "", "It needs no action unless it lasts.", "See asepsis ledger status.")
		out = append(out, m)
	}
	out = append(out, g.retrievalMatters(g.books.problem() != nil)...)
	g.mu.Lock()
	failed := g.failed
	g.mu.Unlock()
	if failed != nil {
		out = append(out, Matter("intake", "intake", finding.High, time.Time{}, "The gateway could not take an instance: "+failed.Error(),
			"New images may not come through. Call the security engineer.", "The last instance was refused, or passed uninspected where its route is open.",
			"If the content firewall failed, report the fault with the SOP class of the instance; it is held in the log.", "If the disk is full, make room: what was delivered can be given up early."))
	}
	out = append(out, g.shares.matters(g)...)
	if err := g.d.Bindings.Problem(); err != nil {
		out = append(out, Matter("bindings", "bindings", finding.Medium, time.Time{}, "The gateway's bindings were changed and cannot be used; those before stay in force", "",
			err.Error(), "Correct the file, or set the bindings in the console."))
	}
	if t := g.d.Trust; t != nil {
		if err := t.Ready(); err != nil {
			out = append(out, Matter("trust", "trust", finding.High, time.Time{}, "The gateway's knowledge of certificates cannot be renewed: "+err.Error(),
				"If it lasts, devices will be refused. Call the security engineer.", "When the revocation list is past its end, nobody is let in any more.", "Is the authority running, and can its CRL be fetched from here?"))
		}
	}
	return out
}

// plainDevices are those that come in clear: each stays a matter until it has a certificate.
func (g *Gateway) plainDevices() []standing.Matter {
	var out []standing.Matter
	for _, b := range g.d.Bindings.Set().PlainDevices() {
		name := b.Device
		if b.Name != "" {
			name = b.Name + " (" + b.Device + ")"
		}
		m := Matter("plain-device", b.Device, finding.Medium, time.Time{}, name+" sends images to the gateway in clear", "",
			"Anybody on its network can read and alter its images, and send others in its name: it is known by address and AE title alone.",
			"Enrol the device, and switch on DICOM over TLS to the gateway's port for it.", "Where it cannot speak TLS, put it on a network of its own with the gateway, or a TLS proxy beside it.")
		m.Devices, m.Theatre = []string{b.Device}, b.Theatre
		out = append(out, m)
	}
	return out
}

// Matter makes a standing matter of the gateway's family.
func Matter(rule, key string, severity finding.Severity, since time.Time, title, room, analyst string, playbook ...string) standing.Matter {
	m := standing.Matter{Key: key, Analyst: analyst, Playbook: playbook, Finding: finding.Finding{Rule: Family + "." + rule, Severity: severity, Title: title, Room: room,
		Devices: []string{}, Attack: []string{}, Count: 1, Evidence: []string{}}}
	if !since.IsZero() {
		m.First, m.Last = since.UnixNano(), since.UnixNano()
	}
	return m
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// What an event's status_detail says of an instance that did not simply pass; the rules of detection look for it.
const (
	judgedFlagged     = "instance-flagged"
	judgedSanitised   = "instance-sanitised"
	judgedQuarantined = "instance-quarantined"
	judgedRefused     = "instance-refused"
)

// judged is what became of an instance, and how severe that is by itself; "" where no rule met. What was turned
// away because something of the gateway failed is not judged: that is a matter of its own.
func judged(r *instance.Record) (code string, severity finding.Severity) {
	if len(r.Hits) == 0 {
		return "", finding.Info
	}
	switch r.State {
	case instance.Refused:
		if slices.ContainsFunc(r.Hits, func(h instance.Hit) bool { return h.Rule == ruleLedger || h.Rule == ruleFirewall }) {
			return "", finding.Info
		}
		return judgedRefused, finding.Medium
	case instance.Quarantined:
		return judgedQuarantined, finding.Medium
	case instance.Replaced:
		return judgedSanitised, finding.Low
	case instance.Accepted, instance.Released, instance.Destroyed:
	}
	if r.Verdict >= instance.Flag {
		return judgedFlagged, finding.Info
	}
	return "", finding.Info
}

// judge says in an event what became of an instance.
func judge(e *event.Event, r *instance.Record) {
	if code, severity := judged(r); code != "" {
		e.StatusDetail, e.Severity = statusDetail(code), max(e.Severity, severity)
	}
}

// judgedOnWeb is the event of an instance that came by STOW-RS and did not simply pass: a sensor sees nothing of it, and the
// request is one event for many. Operation and status are those that C-STORE would have had.
func (g *Gateway) judgedOnWeb(a *instance.Arrival, out *instance.Outcome) {
	r := &out.Record
	if code, _ := judged(r); g.d.Emit == nil || a.Sender.Way != instance.STOW || code == "" {
		return
	}
	d := &event.DICOMOperation{Command: "STOW-RS", CallingAE: clean(a.Sender.CallingAE), CalledAE: clean(a.Sender.CalledAE), SOPClass: uid(a.SOPClass), SOPClassName: dicom.UIDName(a.SOPClass), SOPInstance: uid(a.SOPInstance),
		TransferSyntax: uid(a.TransferSyntax), StudyInstance: r.Study, SeriesInstance: r.Series, Modality: r.Modality, PatientRef: r.Patient, AccessionRef: r.Accession,
		Status: out.Status, StatusName: dimse.Status(out.Status).Name(dimse.CStoreRQ), Bytes: uint64(max(r.Bytes, 0)), Answered: true, Suspicious: met(r, 16), DurationMS: g.now().Sub(a.At).Milliseconds()}
	f := &event.Flow{ID: g.flows.Add(1), Proto: tcp}
	if ip, err := netip.ParseAddr(a.Sender.Address); err == nil {
		f.Src.IP = ip.Unmap()
	}
	e := &event.Event{Time: g.now().UnixNano(), Activity: activityOther, Severity: finding.Info, Status: event.StatusSuccess, Protocol: "dicomweb", Flow: f, Encrypted: a.Sender.TLS != "", Detail: d,
		StatusCode: dimse.Status(out.Status).String(), Message: fmt.Sprintf("%s sent the gateway an instance by STOW-RS: %s; %s (%s)", named(a.Sender.Device), d.StatusName, became(r), strings.Join(met(r, 3), ", "))}
	if dimse.Status(out.Status).Category() == dimse.Failure {
		e.Status = event.StatusFailure
	}
	judge(e, r)
	g.emit(e)
}

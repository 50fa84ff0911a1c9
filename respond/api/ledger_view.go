// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
)

// entryViews are entries as people read them, with the names that devices have now.
func (s *Server) entryViews(ctx context.Context, list []ledger.Entry) ([]LedgerEntry, error) {
	out := make([]LedgerEntry, 0, len(list))
	if len(list) == 0 {
		return out, nil
	}
	world, err := s.know.get(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		out = append(out, world.entry(&list[i]))
	}
	return out, nil
}

func (w *world) entry(e *ledger.Entry) LedgerEntry {
	p := &e.Statement.Predicate
	v := LedgerEntry{
		Index: e.Index, State: string(e.State), Leaf: e.Leaf, Hash: e.Hash, Recorded: momentText(e.Recorded), Kind: string(e.Statement.Kind()), Time: momentText(p.Time),
		Theatre: p.Theatre, Device: p.Device, DeviceName: w.nameIfKnown(p.Device), Reason: p.Reason, Detail: p.Detail, Subjects: []LedgerSubject{},
		Actor: LedgerActor{Software: p.Actor.Software, Device: p.Actor.Device, DeviceName: w.nameIfKnown(p.Actor.Device), Certificate: p.Actor.Certificate, User: p.Actor.User},
	}
	if p.Case != nil {
		v.Case = &LedgerCase{Case: string(p.Case.Case), Sequence: p.Case.Sequence, Previous: p.Case.Previous}
	}
	for _, s := range e.Statement.Subject {
		v.Subjects = append(v.Subjects, LedgerSubject{Name: s.Name, Digest: s.Digest})
	}
	v.Sentence = entrySentence(&e.Statement, v.DeviceName, v.Actor.DeviceName)
	v.Statement = rawStatement(&e.Statement)
	return v
}

func (w *world) nameIfKnown(id string) string {
	if row, ok := w.row(id); ok {
		return row.Name
	}
	return ""
}

// entrySentence says what a statement claims, in words: who, what, to whom.
func entrySentence(st *custody.Statement, deviceName, actorName string) string {
	p := &st.Predicate
	who := cmp.Or(actorName, p.Actor.Device, p.Actor.User, p.Actor.Software, "Somebody")
	about := cmp.Or(deviceName, p.Device)
	detail := func(name string) string {
		t, _ := p.Detail[name].(string)
		return t
	}
	what := artefactWord(st, detail("media_type"))
	switch st.Kind() {
	case custody.Received:
		return fmt.Sprintf("%s received %s%s", who, what, phrase(" from ", cmp.Or(about, detail("from"))))
	case custody.Forwarded:
		return fmt.Sprintf("%s sent %s%s", who, what, phrase(" to ", cmp.Or(detail("to"), about)))
	case custody.Altered:
		return fmt.Sprintf("%s changed %s (%s)", who, what, words(detail("operation")))
	case custody.Displayed:
		return fmt.Sprintf("%s was shown%s", upperFirst(what), phrase(" on ", cmp.Or(about, detail("display"), who)))
	case custody.Operation:
		return fmt.Sprintf("%s: %s%s", cmp.Or(about, who), words(detail("action")), measured(p.Detail))
	case custody.Configuration:
		return fmt.Sprintf("%s: %s was %s", who, cmp.Or(detail("what"), "a configuration"), words(detail("action")))
	case custody.Certificate:
		return certificateSentence(words(detail("action")), words(detail("profile")), cmp.Or(about, detail("spiffe"), "a device"), p.Reason)
	case custody.Decision, custody.Override:
		if said := imagingDecision(st, who, about); said != "" {
			return said
		}
	}
	switch st.Kind() {
	case custody.Decision:
		return fmt.Sprintf("%s %s %s%s", who, words(detail("outcome")), words(detail("what")), phrase(" of ", about))
	case custody.Override:
		return fmt.Sprintf("%s went past %s: %s", who, words(detail("what")), p.Reason)
	}
	return "A statement of a kind that this version does not know"
}

// imagingDecision says in words what a gateway, or people at one, decided about an image;
// "" for other decisions.
func imagingDecision(st *custody.Statement, who, about string) string {
	d := func(name string) string {
		t, _ := st.Predicate.Detail[name].(string)
		return t
	}
	of, what := phrase(" of ", about), artefactWord(st, "application/dicom")
	switch d("what") {
	case "dicom-store":
		switch d("outcome") {
		case "denied":
			return fmt.Sprintf("%s refused %s%s", who, what, of)
		case "quarantined":
			return fmt.Sprintf("%s put %s%s into quarantine", who, what, of)
		}
	case "quarantine-release-request":
		return fmt.Sprintf("%s asked to release %s%s from quarantine: %s", who, what, of, st.Predicate.Reason)
	case "quarantine-destroy-request":
		return fmt.Sprintf("%s asked to destroy %s%s in quarantine: %s", who, what, of, st.Predicate.Reason)
	case "quarantine-release-withdrawal", "quarantine-destroy-withdrawal":
		return fmt.Sprintf("%s withdrew what was asked about %s%s in quarantine: %s", who, what, of, st.Predicate.Reason)
	case "delivery-drop":
		is := "is"
		if len(st.Subject) > 1 {
			is = "are"
		}
		return fmt.Sprintf("%s decided that %s%s %s %s: %s", who, what, of, is, d("why"), st.Predicate.Reason)
	case "header-read-in-clear":
		return fmt.Sprintf("%s read the header of %s%s in clear: %s", who, what, of, st.Predicate.Reason)
	case "quarantine":
		if st.Kind() == custody.Override {
			return fmt.Sprintf("%s and %s %s %s%s in quarantine (%s)", who, cmp.Or(d("approved_by"), "nobody else"), words(d("outcome")), what, of, st.Predicate.Reason)
		}
	}
	return ""
}

// measured lists the first measures of an operation record with their units.
func measured(d map[string]any) string {
	kind, _ := d["type"].(string)
	var b strings.Builder
	n := 0
	for _, f := range custody.RecordType(kind).Shape() {
		v, ok := d[f.Name]
		if !ok || f.Unit == "" || n == 3 {
			continue
		}
		name, _, _ := strings.Cut(f.Name, "_"+unitSuffix(f.Name))
		fmt.Fprintf(&b, ", %s %v %s", strings.ReplaceAll(name, "_", " "), v, f.Unit)
		n++
	}
	return b.String()
}

// unitSuffix is what a field's name says of its unit: "mm" of height_mm.
func unitSuffix(name string) string {
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		return name[i+1:]
	}
	return "\x00"
}

func certificateSentence(action, profile, whose, reason string) string {
	switch action {
	case "issued", "renewed":
		return fmt.Sprintf("The %s certificate of %s was %s", profile, whose, action)
	case "revoked":
		return fmt.Sprintf("The certificate of %s was revoked%s", whose, phrase(": ", reason))
	case "code made":
		return fmt.Sprintf("An enrolment code was made for %s", whose)
	case "code used":
		return fmt.Sprintf("%s used its enrolment code", whose)
	case "code withdrawn":
		return fmt.Sprintf("The enrolment code of %s was withdrawn", whose)
	case "authority made":
		return "The site’s certificate authority was made"
	case "authority rotated":
		return "A new issuing authority signs from now on"
	}
	return "Certificates: " + action
}

// artefactWord names what a statement is about. An image's pixels are named beside its
// data set, and are no artefact more.
func artefactWord(st *custody.Statement, media string) string {
	n, images := 0, 0
	for _, x := range st.Subject {
		switch x.Name {
		case "pixel-data":
			continue
		case "data-set", "instance":
			images++
		}
		n++
	}
	image := media == "application/dicom" || images > 0
	switch {
	case n > 1 && st.Kind() != custody.Altered && images == n:
		return fmt.Sprintf("%d images", n)
	case n > 1 && st.Kind() != custody.Altered:
		return fmt.Sprintf("%d artefacts", n)
	case image || st.Kind() == custody.Altered && alteredImage(st):
		return "an image"
	case strings.HasPrefix(media, "model/"):
		return "a model"
	}
	return "an artefact"
}

// alteredImage reports whether an alteration is one that only images have.
func alteredImage(st *custody.Statement) bool {
	op, _ := st.Predicate.Detail["operation"].(string)
	return op == "sanitising" || op == "coercion" || op == "de-identification" || op == "transcoding"
}

func phrase(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func words(token string) string { return strings.ReplaceAll(token, "-", " ") }

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// SPDX-License-Identifier: Apache-2.0

package deid

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Edition is the edition of PS3.15 that the tables are of.
const Edition = "2026d"

// Action is a code of PS3.15 table E.1-1a, or a combination such as "X/Z/D".
type Action string

// The actions.
const (
	Remove   Action = "X"
	Empty    Action = "Z" // zero length, or a dummy
	Dummy    Action = "D" // a value that is not empty and says nothing
	Keep     Action = "K" // of sequences: what is in them is treated by itself
	Clean    Action = "C" // a similar meaning without identification
	Map      Action = "U" // another UID, the same for the same everywhere
	none     Action = ""
	emptyOr  Action = "X/Z"
	dummyOr  Action = "X/D"
	emptyDmy Action = "Z/D"
	anyOr    Action = "X/Z/D"
	mapOr    Action = "X/Z/U*"
)

// Row is one row of PS3.15 table E.1-1.
type Row struct {
	// Tag; in rows of repeating groups and of all private attributes that of Pattern with zeros for x.
	Tag     dicom.Tag
	Pattern string // "(0008,0050)", "(50xx,xxxx)", "(odd,xxxx)"
	VR      dicom.VR
	Keyword string
	Basic   Action
	Options map[Option]Action
}

//go:embed table/e1-1.txt
var tableText string

// Table returns all rows of table E.1-1, in the order of their patterns. It is shared: do not change it.
var Table = sync.OnceValue(func() []Row {
	var rows []Row
	for line := range strings.Lines(tableText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRow(strings.TrimSpace(line))
		if err != nil {
			panic(fmt.Sprintf("BUG: table/e1-1.txt: %q: %v", line, err))
		}
		rows = append(rows, r)
	}
	return rows
})

// rowVRs are the VRs that the table gives, by tag: the dictionary is of an older edition.
var rowVRs = sync.OnceValue(func() map[dicom.Tag]dicom.VR {
	m := map[dicom.Tag]dicom.VR{}
	for _, r := range Table() {
		m[r.Tag] = r.VR
	}
	return m
})

// columns are the options' names in the table's file.
var columns = map[string]Option{
	"safe-private": RetainSafePrivate, "uids": RetainUIDs, "device": RetainDeviceIdentity, "institution": RetainInstitutionIdentity,
	"patient": RetainPatientCharacteristics, "full-dates": RetainFullDates, "modified-dates": RetainModifiedDates,
	"descriptors": CleanDescriptors, "structured": CleanStructuredContent, "graphics": CleanGraphics,
}

func parseRow(line string) (Row, error) {
	facts, keyword, _ := strings.Cut(line, " # ")
	f := strings.Fields(facts)
	if len(f) < 3 || len(f[0]) < 10 || len(f[1]) != 2 {
		return Row{}, fmt.Errorf("want tag, VR and action")
	}
	r := Row{Pattern: f[0], Keyword: keyword, Basic: Action(f[2]), Options: map[Option]Action{}}
	var group, element uint16
	hex := strings.NewReplacer("x", "0", "odd", "0001").Replace(f[0])
	if _, err := fmt.Sscanf(hex, "(%04X,%04X)", &group, &element); err != nil {
		return Row{}, err
	}
	r.Tag = dicom.MakeTag(group, element)
	if f[1] != "--" {
		r.VR = dicom.VR(f[1][0])<<8 | dicom.VR(f[1][1])
	}
	for _, o := range f[3:] {
		name, action, _ := strings.Cut(o, "=")
		column, ok := columns[name]
		if !ok || action != "K" && action != "C" {
			return Row{}, fmt.Errorf("option %q", o)
		}
		r.Options[column] = Action(action)
	}
	return r, nil
}

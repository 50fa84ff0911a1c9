// SPDX-License-Identifier: Apache-2.0

package dicom

import "strings"

// MaxUID is the longest UID, in characters (PS3.5 §9.1).
const MaxUID = 64

// uidRoot is the root of every UID that PS3.6 annex A assigns.
const uidRoot = "1.2.840.10008."

// UIDKind is what a registered UID names (PS3.6 table A-1).
type UIDKind uint8

// The kinds of registered UIDs that are known here.
const (
	UIDUnknown UIDKind = iota
	UIDSOPClass
	UIDMetaSOPClass
	UIDTransferSyntax
	UIDApplicationContext
	UIDServiceClass
	UIDWellKnownInstance
)

type uidEntry struct {
	suffix, name, keyword string
	kind                  UIDKind
	retired               bool
}

// UIDInfo is what PS3.6 annex A says about a UID.
type UIDInfo struct {
	Name    string // "CT Image Storage"
	Keyword string // "CTImageStorage"
	Kind    UIDKind
	Retired bool
}

// LookupUID returns the registry's entry for a UID.
func LookupUID(uid string) (UIDInfo, bool) {
	s, ok := strings.CutPrefix(uid, uidRoot)
	if !ok {
		return UIDInfo{}, false
	}
	lo, hi := 0, len(uidTable)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if uidTable[m].suffix < s {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == len(uidTable) || uidTable[lo].suffix != s {
		return UIDInfo{}, false
	}
	e := &uidTable[lo]
	return UIDInfo{Name: e.name, Keyword: e.keyword, Kind: e.kind, Retired: e.retired}, true
}

// UIDName returns the registered name of a UID, "" when it has none.
func UIDName(uid string) string {
	i, _ := LookupUID(uid)
	return i.Name
}

// ValidUID reports whether uid follows PS3.5 §9.1: components of digits without
// leading zeros, joined by dots, at most MaxUID characters.
func ValidUID(uid string) bool {
	if uid == "" || len(uid) > MaxUID {
		return false
	}
	start := true
	for i := 0; i < len(uid); i++ {
		switch c := uid[i]; {
		case c == '.':
			if start {
				return false
			}
			start = true
		case c < '0' || c > '9':
			return false
		case c == '0' && start && i+1 < len(uid) && uid[i+1] != '.':
			return false
		default:
			start = false
		}
	}
	return !start
}

// UIDs of the upper layer and of services that this project names.
const (
	UIDDICOMApplicationContext = "1.2.840.10008.3.1.1.1"
	UIDVerification            = "1.2.840.10008.1.1"
	UIDStorageCommitmentPush   = "1.2.840.10008.1.20.1"
	UIDModalityWorklistFind    = "1.2.840.10008.5.1.4.31"
	UIDMPPS                    = "1.2.840.10008.3.1.2.3.3"
)

const (
	storagePrefix      = "1.2.840.10008.5.1.4.1.1."
	encapsulatedPrefix = "1.2.840.10008.5.1.4.1.1.104."
)

// IsStorage reports a storage SOP class of PS3.4 §B.5. The handful of classes
// under the same arc that are not storage (PS3.4 annexes HH, BB) are left out.
func IsStorage(uid string) bool {
	if !strings.HasPrefix(uid, storagePrefix) {
		return false
	}
	if i, ok := LookupUID(uid); ok {
		return strings.Contains(i.Name, "Storage")
	}
	return true
}

// IsEncapsulatedDocument reports an encapsulated document storage class (PDF,
// CDA, STL, OBJ, MTL; PS3.3 §A.45, §A.85).
func IsEncapsulatedDocument(uid string) bool { return strings.HasPrefix(uid, encapsulatedPrefix) }

// implementationRoots are arcs under which makers give out implementation class
// UIDs. Each is the maker's registered root; a toolkit's root names the toolkit,
// not the device.
var implementationRoots = [...]struct {
	root, organisation string
	toolkit            bool
}{
	{"1.2.124.113532", "Agfa HealthCare", false},
	{"1.2.276.0.7230010.3", "OFFIS DCMTK", true},
	{"1.2.392.200036.9116", "Canon Medical Systems", false},
	{"1.2.392.200036.9125", "Fujifilm", false},
	{"1.2.40.0.13.1", "dcm4che", true},
	{"1.2.826.0.1.3680043.8.498", "pydicom", true},
	{"1.2.826.0.1.3680043.9.3811", "pynetdicom", true},
	{"1.2.840.113619", "GE HealthCare", false},
	{"2.16.840.1.113669", "Merge", true},
	{"1.3.12.2.1107.5", "Siemens Healthineers", false},
	{"1.3.46.670589", "Philips", false},
	{"1.3.6.1.4.1.19291.2.1", "OsiriX", true},
	{"1.3.6.1.4.1.30071.8", "fo-dicom", true},
}

// Implementer returns who gives out an implementation class UID and whether that
// is a toolkit which many makers build on, "" when the root is not known.
func Implementer(uid string) (organisation string, toolkit bool) {
	for _, r := range &implementationRoots {
		if s, ok := strings.CutPrefix(uid, r.root); ok && (s == "" || s[0] == '.') {
			return r.organisation, r.toolkit
		}
	}
	return "", false
}

// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// identity is what is remembered of an object to compare it with what is known.
type identity struct {
	seen         uint32 // keyTags that stood in the data set
	stationAE    string
	documentIs   format // what the document was found to be
	documentSize uint64
}

// arrival judges what the command or the request says.
func (x *inspection) arrival() {
	a := &x.a
	preamble := a.PreambleKind
	if a.Preamble != nil {
		preamble = instance.PreambleOf(a.Preamble).Kind
	}
	switch preamble {
	case instance.PreambleExecutable:
		x.hitAt(preambleExecutable, "", "the preamble begins as a program, script, archive or document does")
	case instance.PreambleTIFF:
		x.hitAt(preambleTIFF, "", "the preamble begins as a TIFF file does")
	case instance.PreambleOther:
		x.hitAt(preambleOther, "", "the preamble is in use")
	}
	for _, uid := range [...]string{a.SOPClass, a.SOPInstance, a.TransferSyntax} {
		if dangerous([]byte(uid)) {
			x.hitAt(uidPath, "", "a UID of the command with characters of paths or shells")
		} else if uid != "" && !dicom.ValidUID(uid) {
			x.hitAt(uidInvalid, "", "a UID of the command that is none by PS3.5 §9.1")
		}
	}
	for _, ae := range [...]string{a.Sender.CallingAE, a.Sender.CalledAE, a.MoveOriginator} {
		if traversal([]byte(ae)) || strings.HasPrefix(ae, "/") || strings.HasPrefix(ae, "..") {
			x.hitAt(pathTraversal, "", "an AE title of the association that is a path")
		} else if strings.ContainsAny(ae, "`|;<>$\"'*?\\\x00") || shell([]byte(ae)) {
			x.hitAt(pathShell, "", "characters of a shell in an AE title of the association")
		}
	}
	if _, known := dicom.SyntaxOf(a.TransferSyntax); !known && !x.policy.allow[syntaxTransferSyntax].match(a.TransferSyntax) {
		x.hitAt(syntaxTransferSyntax, "", "a transfer syntax that the standard does not know")
	}
	x.class(a.SOPClass)
	if x.verdict == instance.Refuse {
		x.done = true
	}
}

// class judges a SOP class.
func (x *inspection) class(uid string) {
	if uid == "" || x.policy.allow[syntaxSOPClass].match(uid) {
		return
	}
	i, known := dicom.LookupUID(uid)
	switch {
	case !known:
		x.hitAt(syntaxSOPClass, "", "a SOP class that the standard does not know")
	case !strings.Contains(i.Name, "Storage") || strings.HasPrefix(i.Name, "Media Storage Directory") || i.Kind != dicom.UIDSOPClass || strings.HasPrefix(i.Name, "Storage Commitment"):
		x.hitAt(syntaxNotStorage, "", "a SOP class that is no storage class")
	}
}

// headerText takes a text at the top level into the header.
func (x *inspection) headerText(t dicom.Tag, s []byte) {
	h := &x.h
	var dst *string
	switch t {
	case dicom.TagSpecificCharacterSet:
		dst = &h.CharacterSet
	case 0x00080012:
		h.InstanceCreation = clean(s) + h.InstanceCreation
		return
	case 0x00080013:
		h.InstanceCreation += clean(s)
		return
	case dicom.TagSOPClassUID:
		dst = &h.SOPClass
	case dicom.TagSOPInstanceUID:
		dst = &h.SOPInstance
	case dicom.TagStudyInstanceUID:
		dst = &h.Study
	case dicom.TagSeriesInstanceUID:
		dst = &h.Series
	case dicom.TagModality:
		dst = &h.Modality
	case 0x00081030:
		dst = &h.StudyDescription
	case 0x0008103E:
		dst = &h.SeriesDescription
	case 0x00180015:
		dst = &h.BodyPart
	case dicom.TagManufacturer:
		dst = &h.Manufacturer
	case dicom.TagManufacturerModelName:
		dst = &h.Model
	case dicom.TagStationName:
		dst = &h.Station
	case dicom.TagDeviceSerialNumber:
		dst = &h.DeviceSerial
	case dicom.TagDeviceUID:
		dst = &h.DeviceUID
	case dicom.TagSoftwareVersions:
		dst = &h.Software
	case dicom.TagInstitutionName:
		dst = &h.Institution
	case 0x00080020:
		dst = &h.StudyDate
	case 0x00080021:
		dst = &h.SeriesDate
	case 0x00080022:
		dst = &h.AcquisitionDate
	case 0x00080023:
		dst = &h.ContentDate
	case 0x00080030:
		dst = &h.StudyTime
	case 0x00280301:
		dst = &h.Burned
	case dicom.TagMIMETypeOfEncapsulatedDocument:
		dst = &h.DocumentType
	case 0x00280004:
		dst = &h.Photometric
	case dicom.TagPatientID:
		dst = &h.PatientID
	case dicom.TagIssuerOfPatientID:
		dst = &h.Issuer
	case 0x00100010:
		dst = &h.PatientName
	case 0x00100030:
		dst = &h.PatientBirthDate
	case 0x00100040:
		dst = &h.PatientSex
	case dicom.TagAccessionNumber:
		dst = &h.Accession
	case dicom.TagPerformedStationAETitle:
		dst = &x.ids.stationAE
	default:
		return
	}
	if *dst == "" { // of an element that stands twice the first counts
		*dst = clean(s)
	}
}

// clean trims a value and cuts it at 256 bytes, between characters.
func clean(s []byte) string {
	s = bytes.Trim(s, " \x00")
	if len(s) > 256 {
		s = s[:256]
		for i := 0; i < 3 && len(s) > 0 && !utf8.Valid(s[len(s)-min(len(s), 4):]); i++ {
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(string(s), "\ufffd")
}

// headerNumber takes a number at the top level into the header.
func (x *inspection) headerNumber(t dicom.Tag, n int64) {
	switch t {
	case 0x00280002:
		x.h.SamplesPerPixel = n
	case 0x00280010:
		x.h.Rows = n
	case 0x00280011:
		x.h.Columns = n
	case 0x00280100:
		x.h.BitsAllocated = n
	}
}

// pictureText takes the texts of a picture or overlay into account.
func (x *inspection) pictureText(t *dicom.Token, s []byte) {
	lv := &x.levels[t.Depth]
	s = bytes.Trim(s, " \x00")
	switch {
	case t.Tag == 0x00280004:
		lv.geo.half = string(s) == "YBR_FULL_422" || string(s) == "YBR_PARTIAL_422"
		lv.geo.quarter = string(s) == "YBR_PARTIAL_420"
	case t.Tag == 0x00280008:
		if len(s) == 0 {
			return
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(string(s), "+"), 10, 32)
		lv.geo.frames, lv.geo.framesSet, lv.geo.framesBad = n, true, err != nil
		if t.Depth == 0 {
			x.h.Frames = int64(n)
		}
	case t.Tag.Group()&0xFF01 == 0x6000 && t.Tag.Element() == 0x0015:
		lv.over.in(t.Tag.Group())
		if n, err := strconv.ParseUint(string(s), 10, 32); err == nil {
			lv.over.frames = n
		}
	}
}

// finishHeader compares what the header says with what is known.
func (x *inspection) finishHeader() {
	h, a := &x.h, &x.a
	if !x.levels[0].geo.framesSet {
		h.Frames = 1
	}
	if x.tok.Elements() > 0 {
		if h.SOPClass == "" || h.SOPInstance == "" || h.Study == "" || h.Series == "" {
			x.hitAt(uidMissing, "", "the UID of class, instance, study or series is missing")
		}
		if h.SOPClass != "" && a.SOPClass != "" && h.SOPClass != a.SOPClass {
			x.hitAt(syntaxClassMismatch, dicom.TagSOPClassUID.String(), "the data set is of another SOP class than the command says")
		} else if a.SOPClass == "" {
			x.class(h.SOPClass)
		}
		if h.SOPInstance != "" && a.SOPInstance != "" && h.SOPInstance != a.SOPInstance {
			x.hitAt(syntaxInstanceMismatch, dicom.TagSOPInstanceUID.String(), "the data set has another SOP instance UID than the command")
		}
		x.documentMIME()
		x.patient()
		x.device()
		x.dates()
	}
	x.duplicate()
}

// duplicate compares with what is kept under the SOP instance UID. What became known while this instance was under way was not
// hashed for: then it counts as other content, for whoever takes instances has compared its own digest before it acts on the verdict.
func (x *inspection) duplicate() {
	if x.deps.Known == nil || x.a.SOPInstance == "" {
		return
	}
	known := x.deps.Known(x.a.SOPInstance)
	if len(known) == 0 {
		return
	}
	if x.dup != nil {
		if sum := [sha256.Size]byte(x.dup.Sum(nil)); slices.Contains(known, sum) {
			return
		}
	}
	x.hitAt(identityDuplicate, dicom.TagSOPInstanceUID.String(), "the SOP instance UID is known, with other content")
}

func (x *inspection) patient() {
	if x.deps.Pseudonym == nil {
		return
	}
	ask := func(f func(instance.Arrival) ([]string, bool)) ([]string, bool) {
		if f == nil {
			return nil, false
		}
		return f(x.a)
	}
	inRoom, running := ask(x.deps.InRoom)
	planned, asked := ask(x.deps.Expected)
	if !running && !asked {
		return
	}
	at := dicom.TagPatientID.String()
	if x.h.PatientID == "" {
		x.hitAt(patientMissing, at, "there is no patient ID")
		return
	}
	who := x.deps.Pseudonym(x.h.Issuer, x.h.PatientID)
	switch {
	case slices.Contains(inRoom, who):
	case running:
		x.hitAt(patientOther, at, "the procedure in the room is another patient's")
	case !slices.Contains(planned, who):
		x.hitAt(patientUnexpected, at, "the patient is not on the device's worklist")
	}
}

func (x *inspection) device() {
	if x.deps.Device == nil || x.a.Sender.Device == "" {
		return
	}
	f, known := x.deps.Device(x.a.Sender.Device)
	if !known {
		return
	}
	h := &x.h
	if f.Manufacturer != "" && h.Manufacturer != "" && !sameMaker(f.Manufacturer, h.Manufacturer) {
		x.hitAt(identityDevice, dicom.TagManufacturer.String(), "another manufacturer than the device has")
	}
	for _, c := range [...]struct {
		known []string
		is    string
		tag   dicom.Tag
		rule  rule
		why   string
	}{
		{f.Models, h.Model, dicom.TagManufacturerModelName, identityDevice, "another model than the device is"},
		{f.Stations, h.Station, dicom.TagStationName, identityDevice, "another station name than the device has"},
		{f.AETitles, x.ids.stationAE, dicom.TagPerformedStationAETitle, identityDevice, "another AE title than the device has"},
		{f.Serials, h.DeviceSerial, dicom.TagDeviceSerialNumber, identitySerial, "another serial number than the device has"},
	} {
		if len(c.known) > 0 && c.is != "" && !slices.ContainsFunc(c.known, func(k string) bool { return plain(k) == plain(c.is) }) {
			x.hitAt(c.rule, c.tag.String(), c.why)
		}
	}
}

// plain makes names comparable: devices write them with other spaces and capitals than inventories.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '.' || r == ',' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// sameMaker compares the first word: "SIEMENS" and "Siemens Healthineers" are one.
func sameMaker(a, b string) bool {
	first := func(s string) string {
		w := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == ',' || r == '.' || r == '-' || r == '_' })
		if len(w) == 0 {
			return ""
		}
		return w[0]
	}
	x, y := plain(a), plain(b)
	return first(a) == first(b) || strings.Contains(x, y) || strings.Contains(y, x)
}

func (x *inspection) dates() {
	h := &x.h
	birth, _ := date(h.PatientBirthDate)
	study, studied := date(h.StudyDate)
	future := x.a.At.Add(x.policy.tolerance[dateFuture])
	apart := x.policy.tolerance[dateOrder]
	for _, d := range [...]struct {
		text string
		tag  dicom.Tag
	}{{h.StudyDate, 0x00080020}, {h.SeriesDate, 0x00080021}, {h.AcquisitionDate, 0x00080022}, {h.ContentDate, 0x00080023}, {h.PatientBirthDate, 0x00100030}} {
		t, ok := date(d.text)
		switch {
		case !ok:
		case !x.a.At.IsZero() && t.After(future):
			x.hitAt(dateFuture, d.tag.String(), "a date in the future")
		case d.tag != 0x00100030 && !birth.IsZero() && t.Before(birth):
			x.hitAt(dateOrder, d.tag.String(), "a date before the patient's birth")
		case t.Year() < 1890 && d.tag != 0x00100030, t.Year() < 1850:
			x.hitAt(dateOrder, d.tag.String(), "a date before there were such pictures")
		case d.tag != 0x00100030 && studied && study.Sub(t) > apart:
			x.hitAt(dateOrder, d.tag.String(), "a date long before the study")
		}
	}
}

// date reads a DA, also with the points of old ones.
func date(s string) (time.Time, bool) {
	s = strings.ReplaceAll(s, ".", "")
	if len(s) != 8 {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102", s)
	return t, err == nil
}

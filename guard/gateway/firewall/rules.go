// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Rule is what can be said about a rule without a policy.
type Rule struct {
	Name    string           // "text.script": family and rule
	Default instance.Verdict // in the embedded policy
	// Action is what sanitising does to the element that the rule met at; "" where nothing can be repaired, so that
	// the verdict sanitise is refused in a policy.
	Action string
	// Status answers an instance that the rule refuses.
	Status  dimse.Status
	Meets   string // when it meets, a clause: "a text value holds ..."
	Reason  string // why that matters, a sentence
	Example string // an inert value that meets it
	// Options are the names of the options that a policy may give it.
	Options []string
}

// OtherCase is the rule that holds images of another patient than the one whose case is in the sender's room.
const OtherCase = "patient.other-case"

// Statuses of refusals (PS3.4 §B.2.3, PS3.7 §C.5).
const (
	statusResources  dimse.Status = 0xA700 // out of resources
	statusMismatch   dimse.Status = 0xA900 // data set does not match SOP class
	statusUnreadable dimse.Status = 0xC000 // cannot understand
	statusContent    dimse.Status = 0xC001 // cannot understand: refused for what it holds
	statusNoClass    dimse.Status = 0x0122 // SOP class not supported
	statusInstance   dimse.Status = 0x0117 // invalid SOP instance
	statusDenied     dimse.Status = 0x0124 // not authorised
)

// What sanitising does.
const (
	actRemove  = "removed"
	actEmpty   = "emptied"
	actReplace = "replaced" // characters by spaces
)

// rule is an index of the table.
type rule uint8

const (
	preambleExecutable rule = iota
	preambleTIFF
	preambleOther
	syntaxNotDICOM
	syntaxPart10
	syntaxMislabelled
	syntaxFileMeta
	syntaxTransferSyntax
	syntaxSOPClass
	syntaxNotStorage
	syntaxClassMismatch
	syntaxInstanceMismatch
	uidPath
	uidInvalid
	uidMissing
	structureMalformed
	structureTruncated
	structureDepth
	structureElements
	structurePrivateCount
	structureFragments
	structureInflate
	structureDuplicate
	structureOrder
	structureReservedGroup
	structureGroupLength
	structureOddLength
	structureTrailing
	vrUnknown
	vrConfusion
	vrDimension
	vrDictionary
	vrLength
	vrFormat
	textScript
	textMarkup
	textTemplate
	textFormula
	textTerminal
	textControl
	textBidi
	textInvisible
	textCharset
	textURI
	textLength
	textOverlong
	pathTraversal
	pathShell
	bulkExecutable
	bulkArchive
	pixelExecutable
	pixelDimensions
	pixelShort
	pixelExcess
	pixelEncoding
	pixelFrames
	pixelOffsets
	pixelOffsetDrift
	pixelOffsetCount
	pixelCodestream
	pixelCodestreamSize
	paletteLength
	lutLength
	overlayLength
	overlayOrigin
	documentType
	documentLength
	documentScript
	documentLaunch
	documentOpenAction
	documentLink
	documentEmbedded
	documentAttachment
	documentRichMedia
	documentXFA
	documentEncrypted
	documentOpaque
	documentHidden
	documentBomb
	documentTrailing
	cdaEntity
	cdaStylesheet
	cdaScript
	cdaExternal
	meshExternal
	meshCommand
	meshHeader
	meshLength
	privateCreator
	privateOrphan
	patientOther
	patientUnexpected
	patientMissing
	identityDuplicate
	identityDevice
	identitySerial
	dateFuture
	dateOrder
	sanitiseImpossible
	ruleCount
)

// Rules returns every rule, in the order of the documentation.
func Rules() []Rule {
	out := slices.Clone(table[:])
	for i := range out {
		out[i].Options = slices.Clone(out[i].Options)
	}
	return out
}

// ruleNamed returns the rule with a name.
func ruleNamed(name string) (rule, bool) {
	for i := range table {
		if table[i].Name == name {
			return rule(i), true
		}
	}
	return 0, false
}

// SPDX-License-Identifier: Apache-2.0

package dicom

import "strings"

// Syntax says how the bytes of a data set are read (PS3.5 annex A). The zero
// Syntax is implicit VR little endian, the default.
type Syntax struct {
	Explicit  bool // explicit VR
	BigEndian bool
	Deflated  bool // RFC 1951 around the whole data set (§A.5)
	// Encapsulated: pixel data is in fragments (§A.4). It tells nothing about how to read, for undefined length says it too.
	Encapsulated bool
}

// Transfer syntaxes with an encoding of their own.
const (
	ImplicitVRLittleEndian         = "1.2.840.10008.1.2"
	ExplicitVRLittleEndian         = "1.2.840.10008.1.2.1"
	DeflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99"
	ExplicitVRBigEndian            = "1.2.840.10008.1.2.2"
	// PrivateGEImplicit is a retired private syntax of GE: implicit VR little
	// endian with pixel data in big endian.
	PrivateGEImplicit = "1.2.840.113619.5.2"
)

// SyntaxOf returns how a transfer syntax is read. Every syntax but the first four
// encodes the data set in explicit VR little endian (PS3.5 §A.4); known is false
// when the UID is not one of PS3.6, and the same is assumed then.
func SyntaxOf(uid string) (s Syntax, known bool) {
	switch uid {
	case ImplicitVRLittleEndian, PrivateGEImplicit, "1.2.840.10008.1.20":
		return Syntax{}, true
	case ExplicitVRLittleEndian:
		return Syntax{Explicit: true}, true
	case ExplicitVRBigEndian:
		return Syntax{Explicit: true, BigEndian: true}, true
	case DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205":
		return Syntax{Explicit: true, Deflated: true}, true
	}
	i, ok := LookupUID(uid)
	s = Syntax{Explicit: true, Encapsulated: ok && !strings.HasPrefix(uid, "1.2.840.10008.1.2.7.") && uid != "1.2.840.10008.1.2.4.94" && uid != "1.2.840.10008.1.2.4.204"}
	return s, ok && i.Kind == UIDTransferSyntax
}

// GuessSyntaxBytes is how many bytes GuessSyntax wants to see.
const GuessSyntaxBytes = 8

// GuessSyntax tells from the first element of a data set how it is encoded, for
// captures that begin after the negotiation. ok is false when the bytes look
// like none of the undeflated syntaxes.
func GuessSyntax(head []byte) (s Syntax, ok bool) {
	if len(head) < GuessSyntaxBytes {
		return Syntax{}, false
	}
	le := MakeTag(uint16(head[0])|uint16(head[1])<<8, uint16(head[2])|uint16(head[3])<<8)
	be := MakeTag(uint16(head[1])|uint16(head[0])<<8, uint16(head[3])|uint16(head[2])<<8)
	vr := VR(head[4])<<8 | VR(head[5])
	// Data sets begin in a low group: (0004), (0008), (0010) ...
	if vr.Known() {
		switch {
		case le.Group() <= 0x0100:
			return Syntax{Explicit: true}, true
		case be.Group() <= 0x0100:
			return Syntax{Explicit: true, BigEndian: true}, true
		}
		return Syntax{}, false
	}
	length := uint32(head[4]) | uint32(head[5])<<8 | uint32(head[6])<<16 | uint32(head[7])<<24
	if le.Group() <= 0x0100 && le.Group() >= 0x0004 && (length < 1<<16 || length == UndefinedLength) {
		return Syntax{}, true
	}
	return Syntax{}, false
}

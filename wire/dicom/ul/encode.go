// SPDX-License-Identifier: Apache-2.0

package ul

import (
	"encoding/binary"
	"fmt"
)

// AppendAssociate appends an A-ASSOCIATE-RQ or -AC, as a.Type says.
func AppendAssociate(dst []byte, a *Associate) ([]byte, error) {
	if len(a.CalledAE) > maxAETitle || len(a.CallingAE) > maxAETitle {
		return dst, fmt.Errorf("AE title longer than %d characters", maxAETitle)
	}
	start := len(dst)
	dst = append(dst, byte(a.Type), 0, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, a.ProtocolVersion)
	dst = append(dst, 0, 0)
	dst = appendAE(dst, a.CalledAE)
	dst = appendAE(dst, a.CallingAE)
	dst = append(dst, make([]byte, 32)...)
	dst = appendItem(dst, applicationContextItem, []byte(a.ApplicationContext))
	for i := range a.Contexts {
		dst = appendContext(dst, a.Type, &a.Contexts[i])
	}
	dst = appendItem(dst, userInformationItem, appendUser(nil, &a.User))
	n := len(dst) - start - HeaderSize
	if n > MaxAssociate {
		return dst[:start], fmt.Errorf("association PDU of %d bytes: %w", n, ErrLimit)
	}
	binary.BigEndian.PutUint32(dst[start+2:], uint32(n))
	return dst, nil
}

func appendContext(dst []byte, t Type, pc *PresentationContext) []byte {
	v := []byte{pc.ID, 0, 0, 0}
	typ := byte(presentationContextRQItem)
	if t == TypeAssociateAC {
		typ = presentationContextACItem
		v[2] = pc.Result
	} else {
		v = appendItem(v, abstractSyntaxItem, []byte(pc.AbstractSyntax))
	}
	for _, ts := range pc.TransferSyntaxes {
		v = appendItem(v, transferSyntaxItem, []byte(ts))
	}
	return appendItem(dst, typ, v)
}

func appendUser(dst []byte, u *UserInformation) []byte {
	dst = appendItem(dst, maximumLengthItem, binary.BigEndian.AppendUint32(nil, u.MaxLength))
	dst = appendItem(dst, implementationClassUIDItem, []byte(u.ImplUID))
	if u.Async {
		dst = appendItem(dst, asyncOperationsItem, binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, u.AsyncInvoked), u.AsyncPerformed))
	}
	for _, r := range u.Roles {
		dst = appendItem(dst, roleSelectionItem, append(appendCounted(nil, []byte(r.SOPClass)), flag(r.SCU), flag(r.SCP)))
	}
	if u.ImplVersion != "" {
		dst = appendItem(dst, implementationVersionItem, []byte(u.ImplVersion))
	}
	for _, e := range u.Extended {
		dst = appendItem(dst, extendedNegotiationItem, append(appendCounted(nil, []byte(e.SOPClass)), e.Info...))
	}
	for _, c := range u.CommonExtended {
		v := appendCounted(appendCounted(nil, []byte(c.SOPClass)), []byte(c.ServiceClass))
		var related []byte
		for _, r := range c.Related {
			related = appendCounted(related, []byte(r))
		}
		dst = appendItem(dst, commonExtendedItem, appendCounted(v, related))
	}
	if i := u.Identity; i != nil {
		v := appendCounted([]byte{i.Type, flag(i.ResponseRequested)}, i.Primary)
		dst = appendItem(dst, userIdentityItem, appendCounted(v, i.Secondary))
	}
	if u.IdentityAck {
		dst = appendItem(dst, userIdentityResponseItem, appendCounted(nil, u.IdentityReply))
	}
	return dst
}

// AppendReject appends an A-ASSOCIATE-RJ.
func AppendReject(dst []byte, r Reject) []byte {
	return append(dst, byte(TypeAssociateRJ), 0, 0, 0, 0, 4, 0, r.Result, r.Source, r.Reason)
}

// AppendReleaseRQ appends an A-RELEASE-RQ.
func AppendReleaseRQ(dst []byte) []byte {
	return append(dst, byte(TypeReleaseRQ), 0, 0, 0, 0, 4, 0, 0, 0, 0)
}

// AppendReleaseRP appends an A-RELEASE-RP.
func AppendReleaseRP(dst []byte) []byte {
	return append(dst, byte(TypeReleaseRP), 0, 0, 0, 0, 4, 0, 0, 0, 0)
}

// AppendAbort appends an A-ABORT.
func AppendAbort(dst []byte, a Abort) []byte {
	return append(dst, byte(TypeAbort), 0, 0, 0, 0, 4, 0, 0, a.Source, a.Reason)
}

// AppendPData appends data as P-DATA-TF PDUs of at most maxLength bytes each (0:
// one PDU), one PDV in each. At least one PDU is appended.
// Precondition: maxLength is 0 or greater than PDVHeaderSize.
func AppendPData(dst []byte, context uint8, command bool, data []byte, maxLength uint32) []byte {
	chunk := len(data)
	if maxLength > 0 {
		chunk = min(chunk, int(maxLength)-PDVHeaderSize)
	}
	for {
		part := data[:min(chunk, len(data))]
		data = data[len(part):]
		control := flag(command)
		if len(data) == 0 {
			control |= 2
		}
		dst = append(dst, byte(TypePData), 0)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)+PDVHeaderSize))
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)+2))
		dst = append(append(dst, context, control), part...)
		if len(data) == 0 {
			return dst
		}
	}
}

func appendAE(dst []byte, ae string) []byte {
	var b [maxAETitle]byte
	for i := copy(b[:], ae); i < maxAETitle; i++ {
		b[i] = ' '
	}
	return append(dst, b[:]...)
}

func appendItem(dst []byte, typ byte, v []byte) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, typ, 0), uint16(len(v)))
	return append(dst, v...)
}

func appendCounted(dst, v []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(v))), v...)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

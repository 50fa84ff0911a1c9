// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// defaultAEs are AE titles that tools use when nobody sets one (DCMTK, nmap,
// pynetdicom, dcm4che, GDCM). They name no device.
var defaultAEs = map[string]bool{
	"ECHOSCU": true, "STORESCU": true, "FINDSCU": true, "MOVESCU": true, "GETSCU": true, "DCMSEND": true, "DCMRECV": true,
	"STORESCP": true, "ANY-SCP": true, "ANYSCP": true, "ANY_SCP": true, "PYNETDICOM": true, "GDCMSCU": true, "TERMSCU": true, "DCMQRSCP": true,
}

// implementation is how evidence names an implementation: "class UID|version name".
func implementation(u *ul.UserInformation) string {
	if u.ImplUID == "" && u.ImplVersion == "" {
		return ""
	}
	return u.ImplUID + "|" + u.ImplVersion
}

func vendorOf(u *ul.UserInformation) string {
	if v, toolkit := dicom.Implementer(u.ImplUID); !toolkit {
		return v
	}
	return ""
}

// proposedRole tells which roles the requestor proposes for a SOP class: the
// default is SCU (PS3.7 §D.3.3.4).
func proposedRole(a *ul.Associate, uid string) (scu, scp bool) {
	for _, r := range a.User.Roles {
		if r.SOPClass == uid {
			return r.SCU, r.SCP
		}
	}
	return true, false
}

func (p *proposal) factsOfRequest() {
	rq, f := p.pdu, &p.facts
	if defaultAEs[rq.CallingAE] {
		f.Add(device.AttrBanner, "default AE title "+rq.CallingAE+" to "+rq.CalledAE, "dicom.default-aes", device.Hint)
	}
	f.Add(device.AttrAETitle, rq.CallingAE, "dicom.associate-rq.calling-ae", device.Structured)
	f.Add(device.AttrDICOMImpl, p.implementation, "dicom.associate-rq.implementation", device.Structured)
	f.Add(device.AttrVendor, p.vendor, "dicom.implementation-class", device.Hint)
	for i := range p.contexts {
		x := &p.contexts[i]
		if x.abstract == "" {
			continue
		}
		scu, scp := proposedRole(rq, x.abstract)
		if scu {
			f.Add(device.AttrDICOMRole, x.role(false), "dicom.associate-rq.context", device.Hint)
		}
		if scp {
			f.Add(device.AttrDICOMRole, x.role(true), "dicom.associate-rq.role", device.Hint)
		}
	}
}

// evidenceOfAccept tells what an answer shows of the acceptor. first says that it is
// the association's only one so far: then it follows from proposal and answer.
func (a *association) evidenceOfAccept(c *analyze.Conn, p *proposal, first bool) {
	side := c.SideOf(a.requestor.Other())
	remembered := first && p.remembered && a.proposed != nil && a.proposed.remembered
	if remembered {
		for i := range a.proposed.answers {
			if x := &a.proposed.answers[i]; x.ac == p {
				c.Facts(side, x.facts)
				return
			}
		}
	}
	f := new(analyze.Facts)
	confidence := device.Structured
	if a.rq == nil { // PS3.8 §9.3.3: the AC's titles "shall not be tested"
		confidence = device.Hint
		c.Evidence(c.SideOf(a.requestor), device.AttrAETitle, a.ac.CallingAE, "dicom.associate-ac.calling-ae", confidence)
	}
	f.Add(device.AttrAETitle, a.calledAE(), "dicom.associate-ac.called-ae", confidence)
	f.Add(device.AttrDICOMImpl, p.implementation, "dicom.associate-ac.implementation", device.Structured)
	f.Add(device.AttrVendor, p.vendor, "dicom.implementation-class", device.Hint)
	for i := range a.contexts {
		x := &a.contexts[i]
		if !x.accepted || x.abstract == "" {
			continue
		}
		// The roles agreed are the requestor's; the acceptor has the others.
		scu, scp := proposedRole(a.ac, x.abstract)
		if scu {
			f.Add(device.AttrDICOMRole, x.role(true), "dicom.associate-ac.context", device.Claimed)
		}
		if scp {
			f.Add(device.AttrDICOMRole, x.role(false), "dicom.associate-ac.role", device.Claimed)
		}
	}
	if remembered {
		a.proposed.answers[1] = a.proposed.answers[0]
		a.proposed.answers[0] = answer{p, f}
	}
	report(c, side, f, remembered)
}

// roles tells, once for each presentation context and direction, which side acts
// in which role.
func (s *stream) roles(c *analyze.Conn, op *operation, x *context) {
	uid := op.d.SOPClass
	if uid == "" || x != nil && x.used[op.from] && uid == x.abstract {
		return
	}
	if x != nil {
		x.used[op.from] = true
	}
	if x == nil || x.abstract != uid {
		x = &context{abstract: uid}
	}
	scp := op.field == dimse.NEventReportRQ // the SCP of the service invokes it
	side := c.SideOf(op.from)
	c.Evidence(side, device.AttrDICOMRole, x.role(scp), "dicom.operation", device.Structured)
	c.Evidence(other(side), device.AttrDICOMRole, x.role(!scp), "dicom.operation", device.Structured)
}

// maker is the device that made the objects which one side sent, as far as they
// agree. A PACS that forwards objects of many devices is none of them.
type maker struct {
	sender                                             analyze.Dir
	set, mixed                                         bool
	vendor, model, serial, software, station, udi, aet string
	institution, department                            string
	modalities                                         []string
}

const maxModalities = 16

// add takes the equipment attributes of one object.
func (m *maker) add(sender analyze.Dir, o *object, forwarded bool) {
	if o.modality != "" && len(m.modalities) < maxModalities {
		known := false
		for _, x := range m.modalities {
			known = known || x == o.modality
		}
		if !known {
			m.modalities = append(m.modalities, o.modality)
		}
	}
	if !m.set {
		*m = maker{set: true, sender: sender, mixed: forwarded, modalities: m.modalities, vendor: o.manufacturer, model: o.model, serial: o.serial,
			software: o.software, station: o.station, udi: o.udi, aet: o.performedAE, institution: o.institution, department: o.department}
		return
	}
	if forwarded || m.sender != sender || m.vendor != o.manufacturer || m.model != o.model || m.serial != o.serial || m.station != o.station {
		m.mixed = true
	}
}

// evidenceOfObjects tells what the objects of an association say about their
// sender. Whether the sender made them is for the inventory to judge: everything is a
// hint; objects of several devices, and those of a retrieve, say only which
// modalities passed.
func (a *association) evidenceOfObjects(c *analyze.Conn) {
	m := &a.made
	if !m.set {
		return
	}
	side := c.SideOf(m.sender)
	source := "dicom.store."
	confidence := device.Hint
	if m.mixed {
		source, confidence = "dicom.store.forwarded-", device.Guess
	}
	for _, x := range m.modalities {
		c.Evidence(side, device.AttrModality, x, source+"modality", confidence)
	}
	c.Evidence(side, device.AttrLocation, m.institution, source+"institution", confidence)
	c.Evidence(side, device.AttrLocation, m.department, source+"department", confidence)
	if m.mixed {
		return
	}
	c.Evidence(side, device.AttrVendor, m.vendor, source+"manufacturer", confidence)
	c.Evidence(side, device.AttrModel, m.model, source+"model", confidence)
	c.Evidence(side, device.AttrSerial, m.serial, source+"serial", confidence)
	c.Evidence(side, device.AttrFirmware, m.software, source+"software", confidence)
	c.Evidence(side, device.AttrHostname, m.station, source+"station-name", confidence)
	c.Evidence(side, device.AttrUDI, m.udi, source+"udi", confidence)
}

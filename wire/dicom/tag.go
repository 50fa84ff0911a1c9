// SPDX-License-Identifier: Apache-2.0

package dicom

// Tag is a data element tag (PS3.5 §7.1.1): group in the upper, element number
// in the lower 16 bits.
type Tag uint32

// Tags that the structure of a data set depends on (PS3.5 §7.5, §A.4).
const (
	TagItem                 Tag = 0xFFFEE000
	TagItemDelimitation     Tag = 0xFFFEE00D
	TagSequenceDelimitation Tag = 0xFFFEE0DD
	TagPixelData            Tag = 0x7FE00010
	TagFloatPixelData       Tag = 0x7FE00008
	TagDoublePixelData      Tag = 0x7FE00009
	TagDataSetPadding       Tag = 0xFFFCFFFC
)

// Tags that are read by name in this project (PS3.6).
const (
	TagTransferSyntaxUID                        Tag = 0x00020010
	TagSpecificCharacterSet                     Tag = 0x00080005
	TagSOPClassUID                              Tag = 0x00080016
	TagSOPInstanceUID                           Tag = 0x00080018
	TagAccessionNumber                          Tag = 0x00080050
	TagQueryRetrieveLevel                       Tag = 0x00080052
	TagModality                                 Tag = 0x00080060
	TagManufacturer                             Tag = 0x00080070
	TagInstitutionName                          Tag = 0x00080080
	TagStationName                              Tag = 0x00081010
	TagInstitutionalDepartmentName              Tag = 0x00081040
	TagManufacturerModelName                    Tag = 0x00081090
	TagFailedSOPSequence                        Tag = 0x00081198
	TagReferencedSOPSequence                    Tag = 0x00081199
	TagPatientID                                Tag = 0x00100020
	TagIssuerOfPatientID                        Tag = 0x00100021
	TagDeviceSerialNumber                       Tag = 0x00181000
	TagDeviceUID                                Tag = 0x00181002
	TagUniqueDeviceIdentifier                   Tag = 0x00181009
	TagUDISequence                              Tag = 0x0018100A
	TagSoftwareVersions                         Tag = 0x00181020
	TagStudyInstanceUID                         Tag = 0x0020000D
	TagSeriesInstanceUID                        Tag = 0x0020000E
	TagPerformedStationAETitle                  Tag = 0x00400241
	TagPerformedStationName                     Tag = 0x00400242
	TagPerformedLocation                        Tag = 0x00400243
	TagPerformedProcedureStepStatus             Tag = 0x00400252
	TagEncapsulatedDocument                     Tag = 0x00420011
	TagMIMETypeOfEncapsulatedDocument           Tag = 0x00420012
	TagContributingEquipmentSequence            Tag = 0x0018A001
	TagScheduledProcedureStepSequence           Tag = 0x00400100
	TagReferencedPerformedProcedureStepSequence Tag = 0x00081111
)

// MakeTag joins group and element number.
func MakeTag(group, element uint16) Tag { return Tag(group)<<16 | Tag(element) }

// Group returns the group number.
func (t Tag) Group() uint16 { return uint16(t >> 16) }

// Element returns the element number.
func (t Tag) Element() uint16 { return uint16(t) }

// IsPrivate reports an odd group (PS3.5 §7.8).
func (t Tag) IsPrivate() bool { return t&0x10000 != 0 }

// IsPrivateCreator reports a private creator data element, (gggg,0010-00FF) in
// an odd group (PS3.5 §7.8.1).
func (t Tag) IsPrivateCreator() bool {
	return t.IsPrivate() && t.Element() >= 0x10 && t.Element() <= 0xFF
}

// String returns the form of the standard, "(0008,0060)".
func (t Tag) String() string {
	const hex = "0123456789ABCDEF"
	b := [11]byte{0: '(', 5: ',', 10: ')'}
	for i := range 4 {
		b[1+i] = hex[t>>(28-4*i)&15]
		b[6+i] = hex[t>>(12-4*i)&15]
	}
	return string(b[:])
}

// SPDX-License-Identifier: Apache-2.0

package deid

import "github.com/asepsis/asepsis/wire/dicom"

// beyond lists what table E.1-1 does not and that yet says who, where or which, with what is done about it.
// PS3.15 §E.1.1 leaves a de-identifier free to remove more than the table does.
var beyond = []struct {
	tag    dicom.Tag
	action Action
	option Option // that keeps it, or cleans it where it is CleanDescriptors
	why    string
}{
	{0x00080001, Remove, "", "a length of a data set that is not this one"},
	{0x00080051, Remove, "", "who issued the accession number"},
	{0x00080300, Remove, "", "describes private elements, which may be gone; written anew where some stay"},
	{0x00100024, Remove, "", "who issued the patient ID"},
	{0x00100033, Remove, "", "the patient's date of birth, in another calendar"},
	{0x00100034, Remove, "", "the patient's date of death, in another calendar"},
	{0x00100035, Remove, "", "the calendar of dates that are removed"},
	{0x00102295, Remove, "", "an animal's registration number"},
	{0x00181003, Remove, RetainDeviceIdentity, "which device"},
	{0x00181803, Remove, RetainDeviceIdentity, "an address in the hospital's network"},
	{0x00189423, Empty, CleanDescriptors, "free text, as the protocol's name is"},
	{0x00287FE0, Remove, "", "where the original's pixel data is"},
	{0x00287007, Remove, CleanDescriptors, "free text"},
	{0x0028702A, Remove, CleanDescriptors, "free text"},
	{0x00400026, Remove, "", "who placed the order"},
	{0x00400027, Remove, "", "who filled the order"},
	{0x00400036, Remove, "", "which facility assigned an identifier"},
	{0x00400039, Remove, "", "which agency assigned an identifier"},
	{0x0040003A, Remove, "", "which jurisdiction assigned an identifier"},
	{0x00400255, Remove, CleanDescriptors, "free text"},
	{0x00401006, Remove, "", "an order's number"},
	{0x00401007, Remove, "", "an order's number"},
	{0x00401060, Remove, CleanDescriptors, "free text"},
	{0x00402006, Remove, "", "an order's number"},
	{0x00402007, Remove, "", "an order's number"},
	{0x0040A160, Dummy, CleanDescriptors, "free text of a report"},
	{0x0040E001, Remove, "", "a document of another system"},
	{0x00420010, Empty, CleanDescriptors, "free text that documents are named by"},
	{0x00440012, Remove, RetainDeviceIdentity, "which device"},
	{0x00540400, Remove, CleanDescriptors, "free text"},
	{0x00700068, Remove, CleanDescriptors, "free text of a presentation"},
	{0x00700081, Dummy, CleanDescriptors, "free text of a presentation"},
	{0x0074100C, Remove, "", "a person's name"},
	{0x00741202, Remove, CleanDescriptors, "free text"},
	{0x00741204, Remove, CleanDescriptors, "free text"},
	{0x00880130, Empty, "", "free text that media are named by"},
	{0x04000500, Remove, "", "may hold the original identity, encrypted"},
	{0x20000050, Remove, CleanDescriptors, "free text"},
	{0x21000010, Remove, "", "a print job"},
	{0x21000160, Remove, "", "who printed"},
	{0x21100030, Remove, RetainDeviceIdentity, "which printer"},
	{0x21100099, Remove, RetainDeviceIdentity, "which printer"},
	{0x30020002, Dummy, CleanDescriptors, "free text, as the plan's label is"},
	{0x30020003, Remove, CleanDescriptors, "free text, as the plan's name is"},
	{0x30020020, Empty, RetainDeviceIdentity, "which device"},
	{0x30040006, Remove, CleanDescriptors, "free text"},
	{0x300600C8, Remove, CleanDescriptors, "free text"},
	{0x4FFE0001, Remove, "", "how digital signatures were made, which are removed"},
}

// classes are attributes of VR UI that the table does not list and that name a class, a syntax, a scheme or a program.
// Every other UID that is not listed names an instance or a place, and is mapped.
var classes = map[dicom.Tag]bool{
	0x00080016: true, 0x0008001A: true, 0x0008001B: true, 0x00080062: true, 0x0008010C: true, 0x00080117: true, 0x00080118: true, 0x00081150: true, 0x0008115A: true, 0x00083002: true,
	0x00089123: true, 0x00340003: true, 0x04000010: true, 0x30100052: true, 0x30100053: true,
}

// technical are long texts that the table does not list and that are no prose.
var technical = map[dicom.Tag]bool{
	0x00080108: true, 0x00080114: true, 0x00080115: true, 0x00080116: true, 0x00080119: true, 0x00160003: true, 0x00160008: true, 0x0016000C: true, 0x00160017: true,
	0x00160020: true, 0x00189941: true, 0x0062000F: true, 0x00660032: true, 0x20100010: true, 0x20100150: true, 0x20100152: true, 0x3010000C: true, 0x3010001D: true, 0x30100086: true,
}

// addresses are URLs that name a coding scheme, and no place.
var addresses = map[dicom.Tag]bool{0x0008010E: true, 0x00080120: true}

// SPDX-License-Identifier: Apache-2.0

// Package instance has the words in which the rooms of the DICOM gateway speak of a
// composite SOP instance on its way: who brought it, what its header says, what the
// firewall made of it, what is kept of it. They are plain values, and the small
// interfaces by which those rooms meet.
//
// # Patients
//
// A Header holds identifiers of a patient in clear: the firewall compares them. It
// lives as long as the inspection and is never logged, sent or kept. A Record, which
// is kept, holds pseudonyms in their place.
package instance

import (
	"crypto/sha256"
	"time"
)

// Way is how an instance came or goes.
type Way string

// The ways.
const (
	DIMSE Way = "dimse" // C-STORE
	STOW  Way = "stow"  // DICOMweb STOW-RS
	File  Way = "file"  // put in by a person, released from quarantine
)

// Sender is who brought an instance, as far as it was proved and as far as it says.
type Sender struct {
	Way         Way    `json:"way"`
	Device      string `json:"device"`                // device ID: of the certificate, or of the binding of a plain listener
	Certificate string `json:"certificate,omitempty"` // SHA-256 of the DER, hexadecimal; "" without TLS
	CallingAE   string `json:"calling_ae,omitempty"`
	CalledAE    string `json:"called_ae,omitempty"`
	Address     string `json:"address"`       // IP address
	TLS         string `json:"tls,omitempty"` // "TLSv1.3", "TLSv1.2"; "" in clear
	Association string `json:"association"`   // an ID of ours: of the association, or of the HTTP request
	Binding     string `json:"binding,omitempty"`
	Theatre     string `json:"theatre,omitempty"` // where the device is
}

// Arrival is an instance about to be received.
type Arrival struct {
	Sender         Sender
	At             time.Time
	SOPClass       string // as the command set or the file meta information says
	SOPInstance    string
	TransferSyntax string
	// Preamble is that of a Part 10 file; nil over DIMSE, which has none.
	Preamble *[128]byte
	// PreambleKind is that of a preamble that is not there any more: of an instance that is inspected again.
	PreambleKind PreambleKind
	// MoveOriginator and MoveMessageID stand in a C-STORE that a C-MOVE caused.
	MoveOriginator string
	MoveMessageID  uint16
	Priority       uint16 // 0 medium, 1 high, 2 low (PS3.7 §9.3.1.1)
	// Case says whether a case is in progress in the sender's theatre.
	Case bool
}

// Header is what the data set says before its pixel data. Values are trimmed, in
// UTF-8, and cut at 256 bytes.
type Header struct {
	SOPClass, SOPInstance string
	Study, Series         string
	CharacterSet          string // (0008,0005) as it is
	Modality              string
	StudyDescription      string
	SeriesDescription     string
	BodyPart              string
	Manufacturer          string
	Model                 string
	Station               string // (0008,1010)
	DeviceSerial          string // (0018,1000)
	DeviceUID             string // (0018,1002)
	Software              string
	Institution           string
	StudyDate, StudyTime  string // DA, TM
	SeriesDate            string
	AcquisitionDate       string
	ContentDate           string
	InstanceCreation      string // (0008,0012) and (0008,0013)
	Burned                string // (0028,0301)
	DocumentType          string // (0042,0012)
	Rows, Columns         int64
	Frames                int64 // 1 where (0028,0008) is absent
	SamplesPerPixel       int64
	BitsAllocated         int64
	Photometric           string

	// In clear: see the package comment.
	PatientID, Issuer, PatientName, PatientBirthDate, PatientSex string
	Accession                                                    string
}

// Digests are SHA-256 sums.
type Digests struct {
	DataSet [sha256.Size]byte // of the data set as received, in its transfer syntax, without preamble and meta information
	Pixel   [sha256.Size]byte // of the value of (7FE0,0010) [or 0008, 0009]: its bytes as encoded, item headers included when encapsulated
	Pixels  bool              // there is pixel data
	Bytes   int64             // length of the data set
}

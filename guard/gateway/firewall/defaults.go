// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
)

// defaultMax returns the default of the option max.
func defaultMax(r rule) uint64 {
	switch r {
	case structureDepth:
		return dicom.MaxDepth
	case structureElements:
		return 4_000_000
	case structurePrivateCount:
		return 100_000
	case structureFragments:
		return 1_000_000
	case structureInflate:
		return dicom.MaxInflated
	case pixelDimensions:
		return 1_000_000 // frames
	case documentBomb:
		return 64 << 20
	}
	return 0
}

// defaultTolerance returns the default of the option tolerance. A day covers every time zone; years of difference
// between acquisition and study are wrong, days are not.
func defaultTolerance(r rule) time.Duration {
	switch r {
	case dateFuture:
		return 26 * time.Hour
	case dateOrder:
		return 366 * 24 * time.Hour
	}
	return 0
}

// defaultAllow returns the default of the option allow.
func defaultAllow(r rule) []string {
	switch r {
	case syntaxTransferSyntax:
		return []string{dicom.PrivateGEImplicit}
	case syntaxSOPClass:
		return []string{
			"1.2.840.10008.5.1.4.1.1.*", // storage classes of later editions
			"1.3.12.2.1107.5.9.1",       // Siemens CSA non-image
			"1.2.840.113619.4.*",        // GE private storage classes
			"1.3.46.670589.*",           // Philips private storage classes
			"1.2.392.200036.9116.*",     // Canon (Toshiba) private storage classes
			"1.2.392.200036.9125.*",     // Fujifilm private storage classes
		}
	case privateCreator:
		return []string{
			"ACUSON*", "AEGIS_DICOM_*", "AGFA*", "AMI *", "ASTRO*", "BRAINLAB*", "BRIT *", "CANON*", "CARDIO*", "CARL ZEISS*", "CTP", "DCMTK*", "DIDI TO *", "DLX_*", "ELEKTA*", "ELSCINT*",
			"FDMS *", "FFP DATA", "FUJI*", "GEIIS*", "GE *", "GEMS_*", "HITACHI*", "HMC *", "HOLOGIC*", "IMS *", "INTEGRIS*", "INTELERAD*", "INTUITIVE*", "ISG *", "ISI", "KARL STORZ*", "KODAK*",
			"KONICA*", "LEICA*", "LORAD*", "LODOX*", "MEDRAD*", "MERGE*", "MMCPRIVATE", "MAROTECH*", "MINDRAY*", "MITRA*", "NEUSOFT*", "NUD_PRIVATE", "OCULUS*", "OEC *", "OLYMPUS*", "ORTHANC*", "PAPYRUS*", "PHILIPS*", "PICKER*", "PMOD*",
			"PMTF*", "QUASAR*", "RADWORKS*", "RAYSEARCH*", "REPORTVIEWER*", "SAMSUNG*", "SECTRA*", "SEGAMI*", "SHS *", "SIEMENS*", "SIENET*", "SMIL_*", "SONOWAND*", "SPI*", "STENTOR*", "STRYKER*", "SVISION", "SYNGO*",
			"TOSHIBA*", "UIH*", "UNITED IMAGING*", "VARIAN*", "VEPRO*", "VITAL IMAGES*", "XPLORE*", "ZIEHM*", "SYNARC*", "MAYO/IBM*", "NQ*", "EMAGEON*", "CAMTRONICS*", "HIPAA PRIVATE CREATOR", "A.L.I.*", "ADAC_*", "CEMAX*", "GEIIS", "PRIVATE_CODE_STRING_*",
		}
	}
	return nil
}

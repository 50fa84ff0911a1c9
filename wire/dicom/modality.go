// SPDX-License-Identifier: Apache-2.0

package dicom

import "strings"

// modalities are the defined terms of Modality (0008,0060) in PS3.3 C.7.3.1.1.1, with those that it retired.
const modalities = " ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS M3D MG MR " +
	"NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN " +
	"TEXTUREMAP TG US VA XA XAPROTOCOL XC " +
	"AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF "

// Modality returns the value without its padding if it is a defined term, and "" otherwise: the attribute
// may hold anything, a patient's number too, and is shown where patients are not.
func Modality(value string) string {
	value = strings.Trim(value, " \x00")
	if value == "" || strings.Contains(value, " ") || !strings.Contains(modalities, " "+value+" ") {
		return ""
	}
	return value
}

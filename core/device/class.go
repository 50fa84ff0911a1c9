// SPDX-License-Identifier: Apache-2.0

package device

// Class is what a device is for. The taxonomy is closed: an unknown value is
// an error, "unknown" is a class.
type Class string

// The taxonomy. docs/devices.md describes each class and what leads to it.
const (
	ClassUnknown         Class = "unknown"
	ClassCT              Class = "ct"
	ClassMR              Class = "mr"
	ClassUltrasound      Class = "ultrasound"
	ClassXRay            Class = "xray"
	ClassCArm            Class = "c-arm"
	ClassAngiography     Class = "angiography"
	ClassNuclear         Class = "nuclear-medicine"
	ClassEndoscopy       Class = "endoscopy"
	ClassModality        Class = "modality" // an imaging device of another or unknown modality
	ClassPACS            Class = "pacs"
	ClassImageProcessor  Class = "image-processor"
	ClassXRHeadset       Class = "xr-headset"
	ClassXRProcessor     Class = "xr-processor"
	ClassSurgicalRobot   Class = "surgical-robot"
	ClassSurgicalTable   Class = "surgical-table"
	ClassNavigation      Class = "surgical-navigation"
	ClassInfusionPump    Class = "infusion-pump"
	ClassPatientMonitor  Class = "patient-monitor"
	ClassVentilator      Class = "ventilator"
	ClassAnaesthesia     Class = "anaesthesia"
	ClassLabAnalyser     Class = "lab-analyser"
	ClassInterfaceEngine Class = "interface-engine"
	ClassEHR             Class = "ehr"
	ClassRTLS            Class = "rtls"
	ClassWorkstation     Class = "workstation"
	ClassServer          Class = "server"
	ClassPrinter         Class = "printer"
	ClassCamera          Class = "camera"
	ClassPhone           Class = "phone"
	ClassMobile          Class = "mobile"
	ClassNetwork         Class = "network" // switch, router, access point, firewall
	ClassBuilding        Class = "building-system"
	ClassScanner         Class = "scanner" // security scanner or test tool, by its traces
)

// Classes returns the taxonomy in the order in which lists show it.
func Classes() []Class {
	return []Class{
		ClassCT, ClassMR, ClassUltrasound, ClassXRay, ClassCArm, ClassAngiography, ClassNuclear, ClassEndoscopy, ClassModality,
		ClassPACS, ClassImageProcessor, ClassXRHeadset, ClassXRProcessor, ClassSurgicalRobot, ClassSurgicalTable, ClassNavigation,
		ClassInfusionPump, ClassPatientMonitor, ClassVentilator, ClassAnaesthesia, ClassLabAnalyser,
		ClassInterfaceEngine, ClassEHR, ClassRTLS,
		ClassWorkstation, ClassServer, ClassPrinter, ClassCamera, ClassPhone, ClassMobile, ClassNetwork, ClassBuilding, ClassScanner,
		ClassUnknown,
	}
}

// Valid reports whether c is in the taxonomy.
func (c Class) Valid() bool {
	for _, k := range Classes() {
		if k == c {
			return true
		}
	}
	return false
}

// Medical reports whether the class takes part in care, so that touching the
// device may touch a patient.
func (c Class) Medical() bool {
	switch c {
	case ClassWorkstation, ClassServer, ClassPrinter, ClassCamera, ClassPhone, ClassMobile, ClassNetwork, ClassBuilding, ClassScanner, ClassUnknown, "":
		return false
	}
	return true
}

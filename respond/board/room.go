// SPDX-License-Identifier: Apache-2.0

package board

import "github.com/asepsis/asepsis/core/device"

// Groups are the kinds of device that a room is shown by, in their order.
func Groups() []string {
	return []string{"imaging", "display", "robot", "anaesthesia", "it", "other"}
}

// GroupOf returns the group that a class of device is shown in.
func GroupOf(c device.Class) string {
	switch c {
	case device.ClassCT, device.ClassMR, device.ClassUltrasound, device.ClassXRay, device.ClassCArm, device.ClassAngiography, device.ClassNuclear,
		device.ClassEndoscopy, device.ClassModality, device.ClassPACS, device.ClassImageProcessor:
		return "imaging"
	case device.ClassXRHeadset, device.ClassXRProcessor:
		return "display"
	case device.ClassSurgicalRobot, device.ClassSurgicalTable, device.ClassNavigation:
		return "robot"
	case device.ClassInfusionPump, device.ClassPatientMonitor, device.ClassVentilator, device.ClassAnaesthesia, device.ClassLabAnalyser:
		return "anaesthesia"
	case device.ClassWorkstation, device.ClassServer, device.ClassPrinter, device.ClassCamera, device.ClassPhone, device.ClassMobile, device.ClassNetwork,
		device.ClassBuilding, device.ClassScanner, device.ClassInterfaceEngine, device.ClassEHR, device.ClassRTLS:
		return "it"
	}
	return "other"
}

// RoleOf returns the station on the way of images that a class of device is, ""
// for none.
func RoleOf(c device.Class) string {
	switch c {
	case device.ClassCT, device.ClassMR, device.ClassUltrasound, device.ClassXRay, device.ClassCArm, device.ClassAngiography, device.ClassNuclear,
		device.ClassEndoscopy, device.ClassModality:
		return "scanner"
	case device.ClassPACS:
		return "archive"
	case device.ClassImageProcessor, device.ClassXRProcessor, device.ClassNavigation:
		return "processor"
	case device.ClassXRHeadset:
		return "headset"
	}
	return ""
}

// Roles are the stations in the order in which images pass them.
func Roles() []string { return []string{"scanner", "archive", "gateway", "processor", "headset"} }

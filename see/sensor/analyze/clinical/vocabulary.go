// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// classOfMDC gives the class that an IEEE 11073-10101 term implies, by its
// context-free code or reference identifier. Only terms for a whole device of
// one kind are here: a heart rate alone does not make a monitor, and a
// ventilator VMD may belong to an anaesthesia workstation.
func classOfMDC(code, refID string) device.Class {
	switch code {
	case "69985": // MDC_DEV_PUMP_INFUS_MDS
		return device.ClassInfusionPump
	case "70001": // MDC_DEV_SYS_PT_VENT_MDS
		return device.ClassVentilator
	case "69965": // MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS
		return device.ClassPatientMonitor
	}
	switch strings.ToUpper(refID) {
	case "MDC_DEV_PUMP_INFUS_MDS", "MDC_DEV_PUMP_INFUS_LVP_MDS", "MDC_DEV_PUMP_INFUS_SYRINGE_MDS", "MDC_DEV_PUMP_INFUS_PCA_MDS", "MDC_DEV_PUMP_INFUS":
		return device.ClassInfusionPump
	case "MDC_DEV_SYS_PT_VENT_MDS", "MDC_DEV_VENT_MDS", "MDC_DEV_SYS_PT_VENT":
		return device.ClassVentilator
	case "MDC_DEV_SYS_ANESTH_MDS", "MDC_DEV_SYS_ANESTH":
		return device.ClassAnaesthesia
	case "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", "MDC_DEV_MON_PT_PHYSIO_MULTI_PARAM_MDS", "MDC_DEV_MON_PHYSIO_MULTI_PARAM":
		return device.ClassPatientMonitor
	}
	return ""
}

// classOfText gives the class that a device type in words names.
func classOfText(s string) device.Class {
	s = strings.ToLower(s)
	for _, w := range []struct {
		word  string
		class device.Class
	}{
		{"infusion pump", device.ClassInfusionPump}, {"syringe pump", device.ClassInfusionPump},
		{"anesthesia", device.ClassAnaesthesia}, {"anaesthesia", device.ClassAnaesthesia},
		{"ventilator", device.ClassVentilator},
		{"patient monitor", device.ClassPatientMonitor}, {"physiologic monitor", device.ClassPatientMonitor},
		{"operating table", device.ClassSurgicalTable}, {"or table", device.ClassSurgicalTable}, {"surgical table", device.ClassSurgicalTable},
		{"blood gas analy", device.ClassLabAnalyser}, {"glucose meter", device.ClassLabAnalyser},
		{"endoscop", device.ClassEndoscopy}, {"surgical robot", device.ClassSurgicalRobot},
	} {
		if i := strings.Index(s, w.word); i >= 0 && (i == 0 || s[i-1] == ' ' || s[i-1] == '(' || s[i-1] == '-') {
			return w.class
		}
	}
	return ""
}

// makers are names under which makers of devices in and around theatres write
// themselves into messages, longest first where one begins another.
var makers = []string{
	"B. Braun", "B.Braun", "Baxter", "Becton Dickinson", "BD Alaris", "Alaris", "CareFusion", "Hospira", "ICU Medical", "Smiths Medical", "Fresenius Kabi", "Terumo", "Mindray",
	"Draeger", "Dräger", "Drager", "Philips Healthcare", "Philips", "GE Healthcare", "GE HealthCare", "Nihon Kohden", "Masimo", "Medtronic", "Covidien", "Getinge", "Maquet", "Hamilton Medical",
	"Spacelabs", "Zoll", "Welch Allyn", "Hillrom", "Hill-Rom", "Stryker", "Olympus", "Karl Storz", "Richard Wolf", "Intuitive Surgical", "Siemens Healthineers", "Siemens", "Abbott", "Roche Diagnostics", "Roche",
	"Radiometer", "Nova Biomedical", "Werfen", "Beckman Coulter", "Sysmex", "Brainlab", "Trumpf Medical", "Steris",
}

// makerOf parts a free-text device name that begins with a maker's name into
// the maker and the rest.
func makerOf(s string) (maker, rest string) {
	for _, m := range makers {
		if len(s) >= len(m) && strings.EqualFold(s[:len(m)], m) && (len(s) == len(m) || s[len(m)] == ' ' || s[len(m)] == ',' || s[len(m)] == '-') {
			return s[:len(m)], strings.Trim(s[len(m):], " ,-")
		}
	}
	return "", s
}

// classOfModel gives the class of products whose name leaves no doubt.
func classOfModel(model string) device.Class {
	m := strings.ToLower(model)
	for _, p := range []struct {
		name  string
		class device.Class
	}{
		{"plum a+", device.ClassInfusionPump}, {"plum 360", device.ClassInfusionPump}, {"lifecare pca", device.ClassInfusionPump}, {"symbiq", device.ClassInfusionPump}, {"medfusion", device.ClassInfusionPump},
		{"alaris", device.ClassInfusionPump}, {"sigma spectrum", device.ClassInfusionPump}, {"infusomat", device.ClassInfusionPump}, {"perfusor", device.ClassInfusionPump}, {"agilia", device.ClassInfusionPump},
		{"evita", device.ClassVentilator}, {"servo-", device.ClassVentilator}, {"hamilton-", device.ClassVentilator}, {"puritan bennett", device.ClassVentilator},
		{"perseus", device.ClassAnaesthesia}, {"aisys", device.ClassAnaesthesia}, {"fabius", device.ClassAnaesthesia}, {"flow-i", device.ClassAnaesthesia}, {"primus", device.ClassAnaesthesia},
		{"intellivue", device.ClassPatientMonitor}, {"carescape", device.ClassPatientMonitor}, {"infinity delta", device.ClassPatientMonitor}, {"benevision", device.ClassPatientMonitor},
		{"cobas", device.ClassLabAnalyser}, {"abl90", device.ClassLabAnalyser}, {"gem premier", device.ClassLabAnalyser},
	} {
		if strings.HasPrefix(m, p.name) || strings.Contains(m, " "+p.name) {
			return p.class
		}
	}
	return ""
}

// engineNames are interface engines that name themselves in MSH-3.
var engineNames = []string{"MIRTH", "RHAPSODY", "CLOVERLEAF", "ENSEMBLE", "HEALTHCONNECT", "CORAL8", "IGUANA", "BIZTALK"}

func isEngine(app string) bool {
	app = strings.ToUpper(app)
	for _, n := range engineNames {
		if strings.HasPrefix(app, n) {
			return true
		}
	}
	return false
}

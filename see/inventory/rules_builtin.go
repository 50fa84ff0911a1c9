// SPDX-License-Identifier: Apache-2.0

// Code generated from rules.yaml by go test ./see/inventory -run BuiltinRules -update. DO NOT EDIT.

package inventory

func writtenRules() []Rule {
	return []Rule{
		{ID: "modality.ct", Class: "ct", Weight: 70, Group: "modality", Why: "sends objects of modality CT only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"CT"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.mr", Class: "mr", Weight: 70, Group: "modality", Why: "sends objects of modality MR only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"MR"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.us", Class: "ultrasound", Weight: 70, Group: "modality", Why: "sends objects of modality {value} only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"US", "IVUS", "BDUS"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.xray", Class: "xray", Weight: 70, Group: "modality", Why: "sends objects of modality {value} only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"CR", "DX", "MG", "PX", "IO"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.rf", Class: "c-arm", Weight: 50, Group: "modality", Why: "sends objects of modality RF only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"RF"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.xa", Class: "angiography", Weight: 45, Group: "modality", Why: "sends objects of modality XA only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"XA"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.xa.carm", Class: "c-arm", Weight: 35, Group: "modality", Why: "sends objects of modality XA only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"XA"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.nm", Class: "nuclear-medicine", Weight: 70, Group: "modality", Why: "sends objects of modality {value} only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"NM", "PT"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.es", Class: "endoscopy", Weight: 70, Group: "modality", Why: "sends objects of modality {value} only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"ES", "GM", "XC"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "modality.other", Class: "modality", Weight: 50, Group: "modality", Why: "sends objects of modality {value} only", All: []Condition{
			{Attr: "sole_modality", Is: []string{"ECG", "EPS", "HD", "OCT", "OP", "OPT", "OAM", "SM", "RTIMAGE", "RG", "BMD", "VA"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "role.ct", Class: "ct", Weight: 45, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:Enhanced CT"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:MR Image", "scu:Ultrasound"}},
			{Attr: "dicom_role", Begins: []string{"scp:CT"}},
		}},
		{ID: "role.mr", Class: "mr", Weight: 45, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:MR Image", "scu:Enhanced MR", "scu:MR Spectro"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:Ultrasound"}},
			{Attr: "dicom_role", Begins: []string{"scp:MR"}},
		}},
		{ID: "role.us", Class: "ultrasound", Weight: 45, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:Ultrasound"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:Ultrasound"}},
		}},
		{ID: "role.xray", Class: "xray", Weight: 45, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:Digital X-Ray", "scu:Computed Radiography", "scu:Digital Mammography", "scu:Digital Intra"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:Digital", "scp:Computed"}},
		}},
		{ID: "role.angio", Class: "angiography", Weight: 30, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:X-Ray Angiographic", "scu:Enhanced XA", "scu:X-Ray 3D Angio"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:X-Ray"}},
		}},
		{ID: "role.angio.carm", Class: "c-arm", Weight: 25, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:X-Ray Angiographic", "scu:Enhanced XA", "scu:X-Ray 3D Angio"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:X-Ray"}},
		}},
		{ID: "role.carm", Class: "c-arm", Weight: 35, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:X-Ray Radiofluoroscopic", "scu:Enhanced XRF"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image", "scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:X-Ray"}},
		}},
		{ID: "role.nm", Class: "nuclear-medicine", Weight: 45, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:Nuclear Medicine", "scu:Positron", "scu:Enhanced PET"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:MR Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:Nuclear", "scp:Positron"}},
		}},
		{ID: "role.es", Class: "endoscopy", Weight: 50, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:VL Endoscopic", "scu:Video Endoscopic"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:VL"}},
		}},
		{ID: "role.es.retired", Class: "endoscopy", Weight: 35, Group: "sop", Why: "offers to store {value}", All: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:Video Photographic", "scu:VL Photographic", "scu:VL Microscopic"}},
		}, Not: []Condition{
			{Attr: "storage_role", Begins: []string{"scu:CT Image"}},
			{Attr: "dicom_role", Begins: []string{"scp:V"}},
		}},
		{ID: "behaviour.modality", Class: "modality", Weight: 55, Group: "", Why: "stores images and asks a modality worklist, as imaging devices do", All: []Condition{
			{Attr: "behaviour", Is: []string{"stores-images"}},
			{Attr: "behaviour", Is: []string{"asks-worklist"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "behaviour.mpps", Class: "modality", Weight: 60, Group: "", Why: "reports performed procedure steps, as imaging devices do", All: []Condition{
			{Attr: "behaviour", Is: []string{"reports-steps"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "behaviour.stores", Class: "modality", Weight: 30, Group: "", Why: "stores images elsewhere", All: []Condition{
			{Attr: "behaviour", Is: []string{"stores-images"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive", "receives-images", "queries-images"}},
			{Attr: "dicom_impl", Begins: []string{"1.2.276.0.7230010.3", "1.2.826.0.1.3680043.9.3811"}},
		}},
		{ID: "name.ct", Class: "ct", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "^CT[_-]?\\d|[_-]CT[_-]?\\d*$|^CT_"},
			{Attr: "hostname", Match: "^ct[-_]?\\d+|[-_]ct\\d*([-_]|$)|^ct[-_]"},
		}},
		{ID: "name.mr", Class: "mr", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "^MRI?[_-]?\\d|[_-]MRI?[_-]?\\d*$|^MRI?_"},
			{Attr: "hostname", Match: "^mri?[-_]?\\d+|[-_]mri?\\d*([-_]|$)|^mri?[-_]"},
		}},
		{ID: "name.us", Class: "ultrasound", Weight: 30, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "^US[_-]|^US\\d|[_-]US[_-]?\\d+$|^(ULTRASOUND|ECHOLAB)"},
			{Attr: "hostname", Match: "^us[-_]?\\d+|ultrasound"},
		}},
		{ID: "name.carm", Class: "c-arm", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "C[_-]?ARM|^OEC"},
			{Attr: "hostname", Match: "c-?arm|^oec"},
		}},
		{ID: "name.endo", Class: "endoscopy", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "ENDO(SC|_|\\d|$)"},
			{Attr: "hostname", Match: "endosc|^endo[-_\\d]"},
		}},
		{ID: "behaviour.archive", Class: "pacs", Weight: 80, Group: "archive", Why: "receives images and answers queries for them, as an archive does", All: []Condition{
			{Attr: "behaviour", Is: []string{"archive"}},
		}},
		{ID: "behaviour.receives", Class: "pacs", Weight: 40, Group: "archive", Why: "receives images", All: []Condition{
			{Attr: "behaviour", Is: []string{"receives-images"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"stores-images", "queries-images", "media"}},
		}},
		{ID: "behaviour.answers", Class: "pacs", Weight: 55, Group: "archive", Why: "answers queries for images", All: []Condition{
			{Attr: "behaviour", Is: []string{"answers-queries"}},
		}},
		{ID: "behaviour.commits", Class: "pacs", Weight: 45, Group: "", Why: "commits to keeping images", All: []Condition{
			{Attr: "dicom_role", Begins: []string{"scp:Storage Commitment"}},
		}},
		{ID: "dicomweb.server", Class: "pacs", Weight: 55, Group: "", Why: "serves DICOMweb", All: []Condition{
			{Attr: "service", Begins: []string{"dicomweb/"}},
		}},
		{ID: "dicom.tls", Class: "pacs", Weight: 35, Group: "", Why: "serves TLS on the port registered for DICOM over TLS", All: []Condition{
			{Attr: "service", Is: []string{"tls/tcp:2762"}},
		}},
		{ID: "orthanc", Class: "pacs", Weight: 60, Group: "", Why: "runs Orthanc", Any: []Condition{
			{Attr: "banner", Has: []string{"orthanc"}, Source: "http"},
			{Attr: "dicom_impl", Has: []string{"orthanc"}},
		}},
		{ID: "dcm4chee", Class: "pacs", Weight: 50, Group: "", Why: "runs dcm4chee", Any: []Condition{
			{Attr: "banner", Has: []string{"dcm4chee"}},
			{Attr: "ae_title", Is: []string{"DCM4CHEE"}},
		}},
		{ID: "name.pacs", Class: "pacs", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "PACS|ARCHIVE|^VNA"},
			{Attr: "hostname", Match: "pacs|^vna"},
		}},
		{ID: "worklist.server", Class: "server", Weight: 50, Group: "", Why: "answers modality worklist queries", All: []Condition{
			{Attr: "behaviour", Is: []string{"answers-worklist"}},
		}},
		{ID: "processor.relays", Class: "image-processor", Weight: 55, Group: "", Why: "receives images and sends images on without answering queries", All: []Condition{
			{Attr: "behaviour", Is: []string{"receives-images"}},
			{Attr: "behaviour", Is: []string{"stores-images"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"answers-queries", "asks-worklist", "media"}},
		}},
		{ID: "archive.forwards", Class: "pacs", Weight: 35, Group: "archive", Why: "sends on images that several devices made", All: []Condition{
			{Attr: "behaviour", Is: []string{"forwards-images"}},
		}},
		{ID: "processor.name", Class: "image-processor", Weight: 30, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "AI[_-]|[_-]AI$|CAD|POSTPROC|SYNGOVIA|3DWS"},
			{Attr: "hostname", Match: "^ai[-_]|[-_]ai$|inference|syngovia"},
		}},
		{ID: "viewer", Class: "workstation", Weight: 45, Group: "", Why: "queries an archive for images", All: []Condition{
			{Attr: "behaviour", Is: []string{"queries-images"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"archive", "answers-queries", "stores-images", "scans"}},
		}},
		{ID: "viewer.software", Class: "workstation", Weight: 55, Group: "", Why: "runs the viewer {value}", All: []Condition{
			{Attr: "dicom_impl", Has: []string{"osirix", "horos", "weasis"}},
		}},
		{ID: "xr.vendor", Class: "xr-headset", Weight: 45, Group: "xr", Why: "its maker {value} makes headsets", All: []Condition{
			{Attr: "vendor", Is: []string{"Meta", "Magic Leap", "Varjo", "Pico"}},
		}},
		{ID: "xr.oui", Class: "xr-headset", Weight: 45, Group: "xr", Why: "its MAC is of {value}, which makes headsets", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"Meta", "Magic Leap", "Varjo", "Pico"}},
		}},
		{ID: "xr.ua", Class: "xr-headset", Weight: 75, Group: "", Why: "its browser is a headset's ({value})", All: []Condition{
			{Attr: "user_agent", Match: "OculusBrowser|Quest \\d|HoloLens|MagicLeap|Helio/|Wolvic|VR;|PicoBrowser"},
		}},
		{ID: "xr.wdp", Class: "xr-headset", Weight: 60, Group: "", Why: "announces itself as a HoloLens", Any: []Condition{
			{Attr: "hostname", Match: "^hololens"},
			{Attr: "model", Has: []string{"hololens"}},
			{Attr: "dhcp_vendor", Has: []string{"hololens"}},
		}},
		{ID: "xr.adb", Class: "xr-headset", Weight: 75, Group: "", Why: "its debug bridge says {value}", All: []Condition{
			{Attr: "model", Word: []string{"quest", "quest 2", "quest 3", "hollywood", "eureka", "monterey", "magic leap", "pico"}, Source: "adb"},
		}},
		{ID: "xr.name", Class: "xr-headset", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "oculus|quest[-_]?\\d?|hololens|magicleap|headset|^xr[-_]?\\d"},
		}},
		{ID: "xr.processor", Class: "xr-processor", Weight: 70, Group: "", Why: "receives images and streams live media", All: []Condition{
			{Attr: "behaviour", Is: []string{"receives-images"}},
			{Attr: "behaviour", Is: []string{"media"}},
		}},
		{ID: "xr.processor.retrieve", Class: "xr-processor", Weight: 55, Group: "", Why: "queries for images and streams live media", All: []Condition{
			{Attr: "behaviour", Is: []string{"queries-images"}},
			{Attr: "behaviour", Is: []string{"media"}},
		}},
		{ID: "xr.processor.dicom", Class: "xr-processor", Weight: 55, Group: "name", Why: "is called {value} and takes images", All: []Condition{
			{Attr: "ae_title", Match: "^XR|HOLO|_XR"},
			{Attr: "behaviour", Is: []string{"receives-images", "queries-images"}},
		}},
		{ID: "xr.processor.name", Class: "xr-processor", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "^XR|HOLO|_XR"},
			{Attr: "hostname", Match: "xr-?(srv|server|render|proc)|holo(srv|server|gram)|render(er)?[-_\\d]"},
		}, Not: []Condition{
			{Attr: "oui_kind", Is: []string{"xr"}},
			{Attr: "vendor_kind", Is: []string{"xr"}},
		}},
		{ID: "robot.vendor", Class: "surgical-robot", Weight: 55, Group: "", Why: "its maker {value} makes surgical robots", Any: []Condition{
			{Attr: "vendor", Is: []string{"Intuitive", "CMR Surgical"}},
			{Attr: "oui_vendor", Is: []string{"Intuitive", "CMR Surgical"}},
		}},
		{ID: "robot.name", Class: "surgical-robot", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "davinci|da-vinci|surg.*robot|robot.*surg"},
			{Attr: "ae_title", Match: "DAVINCI|MAKO|SURGROBOT"},
		}},
		{ID: "robot.type", Class: "surgical-robot", Weight: 70, Group: "", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"surgical robot"}},
		}},
		{ID: "table.type", Class: "surgical-table", Weight: 75, Group: "", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"operating table", "or table", "surgical table", "mdc dev or table"}},
		}},
		{ID: "table.name", Class: "surgical-table", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "(or|op|surgical)[-_]?table|trusystem"},
		}},
		{ID: "nav.vendor", Class: "surgical-navigation", Weight: 55, Group: "", Why: "its maker {value} makes navigation systems", Any: []Condition{
			{Attr: "vendor", Is: []string{"Brainlab", "NDI"}},
		}},
		{ID: "nav.name", Class: "surgical-navigation", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "ae_title", Match: "STEALTH|BRAINLAB|^NAV[_-]?\\d|NAVIGATION"},
			{Attr: "hostname", Match: "stealth|brainlab|^nav[-_]?\\d|neuronav"},
		}},
		{ID: "pump.type", Class: "infusion-pump", Weight: 85, Group: "type", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"infusion", "pump infus", "mdc dev pump infus", "mdc dev pump infus vmd", "mdc dev pump infus mds", "syringe pump"}},
			{Attr: "device_type", Is: []string{"69986", "69985", "69987"}},
		}},
		{ID: "monitor.type", Class: "patient-monitor", Weight: 80, Group: "type", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"patient monitor", "physiologic monitor", "mdc dev mon physio multi param", "mdc dev mon pt physio multi param mds"}},
		}},
		{ID: "vent.type", Class: "ventilator", Weight: 85, Group: "type", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"ventilator", "mdc dev sys vent mds", "mdc dev vent", "mdc dev sys pt vent mds", "mdc dev sys pt vent"}},
		}},
		{ID: "anaes.type", Class: "anaesthesia", Weight: 85, Group: "type", Why: "states the device type {value}", Any: []Condition{
			{Attr: "device_type", Word: []string{"anesthesia", "anaesthesia", "mdc dev sys anesth mds", "mdc dev sys anesth"}},
		}},
		{ID: "pump.name", Class: "infusion-pump", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "(^|[-_])(pump|infus|alaris|plum|spectrum|perfusor|infusomat)"},
			{Attr: "hl7_app", Match: "PUMP|INFUS|ALARIS|PLUM"},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"gateway"}},
		}},
		{ID: "monitor.name", Class: "patient-monitor", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "intellivue|carescape|bedside|(^|[-_])(ptmon|patmon|monitor)[-_]?\\d"},
			{Attr: "hl7_app", Match: "INTELLIVUE|CARESCAPE|BEDMASTER"},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"gateway"}},
		}},
		{ID: "vent.name", Class: "ventilator", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "(^|[-_])(vent|evita|servo)[-_]?[a-z]?\\d"},
		}},
		{ID: "pump.oui", Class: "infusion-pump", Weight: 35, Group: "oui", Why: "its MAC is of {value}, known for pumps", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"ICU Medical"}},
		}},
		{ID: "pump.oui.bd", Class: "infusion-pump", Weight: 35, Group: "oui", Why: "its MAC is of {value}, known for pumps", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"BD", "Fresenius Kabi", "B. Braun"}},
		}},
		{ID: "monitor.oui", Class: "patient-monitor", Weight: 30, Group: "oui", Why: "its MAC is of {value}, known for monitors", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"Masimo", "Spacelabs", "Nihon Kohden", "Mindray"}},
		}},
		{ID: "us.oui", Class: "ultrasound", Weight: 30, Group: "oui", Why: "its MAC is of {value}, known for ultrasound", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"Esaote", "Samsung Medison"}},
		}},
		{ID: "vent.oui", Class: "ventilator", Weight: 30, Group: "oui", Why: "its MAC is of {value}, known for ventilators", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"ResMed", "Hamilton Medical"}},
		}},
		{ID: "vent.oui.maquet", Class: "ventilator", Weight: 30, Group: "oui", Why: "its MAC is of {value}, which makes ventilators", All: []Condition{
			{Attr: "oui_name", Begins: []string{"maquet critical care"}},
		}},
		{ID: "table.oui.maquet", Class: "surgical-table", Weight: 35, Group: "oui", Why: "its MAC is of {value}, which makes operating tables", All: []Condition{
			{Attr: "oui_name", Is: []string{"maquet gmbh"}},
		}},
		{ID: "endo.oui", Class: "endoscopy", Weight: 35, Group: "oui", Why: "its MAC is of {value}, known for endoscopy", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"Karl Storz", "Olympus", "Richard Wolf"}},
		}},
		{ID: "lab.oui", Class: "lab-analyser", Weight: 30, Group: "oui", Why: "its MAC is of {value}, known for laboratory devices", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"Sysmex", "Roche Diagnostics", "Abbott", "Radiometer"}},
		}},
		{ID: "rtls.oui", Class: "rtls", Weight: 50, Group: "oui", Why: "its MAC is of {value}, which makes location systems", All: []Condition{
			{Attr: "oui_vendor", Is: []string{"AeroScout", "CenTrak", "Sonitor"}},
		}},
		{ID: "rtls.name", Class: "rtls", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "rtls|mobileview|centrak|sonitor"},
			{Attr: "hl7_app", Match: "RTLS|MOBILEVIEW"},
		}},
		{ID: "lab.poct", Class: "lab-analyser", Weight: 70, Group: "", Why: "speaks POCT1-A as an instrument", All: []Condition{
			{Attr: "uses", Is: []string{"poct1-a"}},
		}, Not: []Condition{
			{Attr: "service", Begins: []string{"poct1-a/"}},
		}},
		{ID: "lab.lis2", Class: "lab-analyser", Weight: 60, Group: "", Why: "speaks LIS2-A2 (ASTM)", All: []Condition{
			{Attr: "uses", Is: []string{"lis2-a2"}},
		}, Not: []Condition{
			{Attr: "service", Begins: []string{"lis2-a2/"}},
		}},
		{ID: "lab.manager", Class: "server", Weight: 45, Group: "", Why: "collects results of laboratory devices", Any: []Condition{
			{Attr: "service", Begins: []string{"poct1-a/", "lis2-a2/"}},
		}},
		{ID: "hl7.engine", Class: "interface-engine", Weight: 70, Group: "hl7", Why: "sends and receives HL7 with many others", All: []Condition{
			{Attr: "behaviour", Is: []string{"hl7-hub"}},
		}},
		{ID: "hl7.relay", Class: "interface-engine", Weight: 50, Group: "hl7", Why: "both receives HL7 and sends it on", All: []Condition{
			{Attr: "behaviour", Is: []string{"hl7-relay"}},
		}},
		{ID: "hl7.gateway", Class: "server", Weight: 55, Group: "", Why: "speaks for several medical devices", All: []Condition{
			{Attr: "behaviour", Is: []string{"gateway"}},
		}},
		{ID: "hl7.receives", Class: "server", Weight: 40, Group: "", Why: "receives HL7", Any: []Condition{
			{Attr: "behaviour", Is: []string{"hl7-receives"}},
			{Attr: "service", Begins: []string{"hl7/"}},
		}},
		{ID: "hl7.engine.banner", Class: "interface-engine", Weight: 65, Group: "", Why: "runs {value}", Any: []Condition{
			{Attr: "banner", Has: []string{"mirth", "rhapsody", "cloverleaf", "corepoint", "iguana", "ensemble"}},
			{Attr: "hostname", Match: "mirth|rhapsody|cloverleaf|corepoint|iguana|ensemble|interface-?engine"},
			{Attr: "hl7_app", Match: "MIRTH|RHAPSODY|CLOVERLEAF|COREPOINT|IGUANA|ENSEMBLE"},
			{Attr: "tls_subject", Has: []string{"mirth"}},
		}},
		{ID: "ehr.fhir", Class: "ehr", Weight: 60, Group: "", Why: "serves FHIR", Any: []Condition{
			{Attr: "service", Begins: []string{"fhir/"}},
		}},
		{ID: "ehr.adt", Class: "ehr", Weight: 45, Group: "", Why: "sends admissions and orders ({value})", All: []Condition{
			{Attr: "hl7_role", Begins: []string{"sends:ADT", "sends:SIU", "sends:ORM", "sends:OMG"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"names-devices", "hl7-hub"}},
		}},
		{ID: "ehr.name", Class: "ehr", Weight: 35, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "(^|[-_.])(ehr|emr|his|kis|epic|cerner|meditech|orbis)\\d*([-_.]|$)"},
			{Attr: "hl7_app", Match: "^(EPIC|CERNER|MEDITECH|ORBIS|HIS|KIS|EHR)"},
		}},
		{ID: "net.capability", Class: "network", Weight: 85, Group: "net", Why: "announces the capability {value}", All: []Condition{
			{Attr: "capability", Is: []string{"bridge", "router", "wlan-ap", "repeater", "docsis"}},
		}, Not: []Condition{
			{Attr: "capability", Is: []string{"phone"}},
		}},
		{ID: "net.router", Class: "network", Weight: 75, Group: "net", Why: "is a router", All: []Condition{
			{Attr: "router", Is: []string{"true"}},
		}},
		{ID: "net.stp", Class: "network", Weight: 65, Group: "net", Why: "takes part in the spanning tree", Any: []Condition{
			{Attr: "service", Begins: []string{"stp/"}},
			{Attr: "uses", Is: []string{"stp", "lacp", "vrrp", "hsrp"}},
		}},
		{ID: "net.vendor", Class: "network", Weight: 45, Group: "", Why: "its maker {value} makes network equipment", Any: []Condition{
			{Attr: "vendor", Is: []string{"Cisco", "Aruba", "Juniper", "Extreme Networks", "Fortinet", "Palo Alto Networks", "Ubiquiti", "Ruckus", "MikroTik", "Check Point", "Hirschmann", "LANCOM", "Arista", "F5", "Sophos"}},
		}},
		{ID: "net.os", Class: "network", Weight: 65, Group: "", Why: "runs {value}", Any: []Condition{
			{Attr: "os", Match: "IOS|NX-OS|Junos|ArubaOS|ExtremeXOS|RouterOS|FortiOS|PAN-OS|EOS$"},
			{Attr: "firmware", Match: "Cisco IOS|NX-OS|Junos|ProCurve|ArubaOS"},
			{Attr: "banner", Match: "Cisco IOS|NX-OS|Junos|ArubaOS|ProCurve|RouterOS|FortiGate"},
			{Attr: "model", Match: "Catalyst|^C9\\d{3}|WS-C\\d|Nexus|Meraki|ProCurve|EX\\d{4}|FortiGate"},
		}},
		{ID: "phone.capability", Class: "phone", Weight: 80, Group: "", Why: "announces the capability phone", All: []Condition{
			{Attr: "capability", Is: []string{"phone"}},
		}},
		{ID: "phone.sip", Class: "phone", Weight: 50, Group: "", Why: "speaks SIP", All: []Condition{
			{Attr: "uses", Is: []string{"sip"}},
		}},
		{ID: "phone.vendor", Class: "phone", Weight: 50, Group: "", Why: "its maker makes telephones", Any: []Condition{
			{Attr: "vendor_kind", Is: []string{"phone"}},
		}},
		{ID: "phone.dhcp", Class: "phone", Weight: 65, Group: "", Why: "its DHCP client is a telephone's ({value})", All: []Condition{
			{Attr: "dhcp_vendor", Match: "phone|polycom|yealink|snom|spectralink|avaya|ccp\\.avaya|mitel"},
		}},
		{ID: "printer.service", Class: "printer", Weight: 80, Group: "print", Why: "offers printing ({value})", Any: []Condition{
			{Attr: "service", Begins: []string{"ipp/", "_ipp", "_pdl-datastream", "_printer.", "lpd/", "jetdirect/", "pdl-datastream/"}},
			{Attr: "service", Has: []string{"_ipp._tcp", "_printer._tcp", "_pdl-datastream._tcp"}},
		}},
		{ID: "printer.vendor", Class: "printer", Weight: 50, Group: "", Why: "its maker {value} makes printers", Any: []Condition{
			{Attr: "vendor", Is: []string{"Brother", "Epson", "Konica Minolta", "Kyocera", "Lexmark", "Ricoh", "Xerox", "Zebra", "OKI", "Canon"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"stores-images", "receives-images"}},
		}},
		{ID: "printer.name", Class: "printer", Weight: 45, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "^(npi|brn|brw|hp)[0-9a-f]{6}|print|^prn|laserjet|^zbr|^xrx"},
			{Attr: "model", Match: "LaserJet|OfficeJet|DeskJet|WorkCentre|bizhub|TASKalfa|ZebraNet|ECOSYS"},
		}},
		{ID: "camera.rtsp", Class: "camera", Weight: 60, Group: "", Why: "serves video over RTSP", All: []Condition{
			{Attr: "service", Begins: []string{"rtsp/"}},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"receives-images"}},
			{Attr: "vendor_kind", Is: []string{"medical"}},
		}},
		{ID: "camera.vendor", Class: "camera", Weight: 60, Group: "", Why: "its maker makes cameras", Any: []Condition{
			{Attr: "vendor_kind", Is: []string{"camera"}},
			{Attr: "oui_kind", Is: []string{"camera"}},
		}},
		{ID: "camera.onvif", Class: "camera", Weight: 65, Group: "", Why: "is an ONVIF video device", Any: []Condition{
			{Attr: "device_type", Has: []string{"networkvideotransmitter"}},
			{Attr: "service", Has: []string{"onvif"}},
		}},
		{ID: "building.bacnet", Class: "building-system", Weight: 75, Group: "bms", Why: "speaks BACnet", Any: []Condition{
			{Attr: "service", Begins: []string{"bacnet/"}},
		}},
		{ID: "building.bacnet.client", Class: "building-system", Weight: 45, Group: "bms", Why: "asks over BACnet", Any: []Condition{
			{Attr: "uses", Is: []string{"bacnet"}},
		}},
		{ID: "building.modbus", Class: "building-system", Weight: 50, Group: "bms", Why: "serves Modbus", Any: []Condition{
			{Attr: "service", Begins: []string{"modbus/"}},
		}},
		{ID: "building.vendor", Class: "building-system", Weight: 50, Group: "", Why: "its maker makes building or automation systems", Any: []Condition{
			{Attr: "vendor_kind", Is: []string{"building", "automation"}},
		}, Not: []Condition{
			{Attr: "vendor", Is: []string{"Siemens", "TRUMPF"}},
		}},
		{ID: "mobile.ua", Class: "mobile", Weight: 60, Group: "", Why: "its browser is a phone's or tablet's", All: []Condition{
			{Attr: "user_agent", Match: "iPhone|iPad|Android"},
		}, Not: []Condition{
			{Attr: "user_agent", Match: "OculusBrowser|Quest|VR;|HoloLens|Pico"},
		}},
		{ID: "mobile.dhcp", Class: "mobile", Weight: 55, Group: "", Why: "its DHCP client is a phone's or tablet's ({value})", All: []Condition{
			{Attr: "dhcp_vendor", Begins: []string{"android-dhcp"}},
		}},
		{ID: "mobile.name", Class: "mobile", Weight: 45, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "iphone|ipad|^android|galaxy|pixel-\\d"},
		}},
		{ID: "mobile.random", Class: "mobile", Weight: 20, Group: "", Why: "its MAC is randomised", All: []Condition{
			{Attr: "behaviour", Is: []string{"randomised"}},
		}},
		{ID: "ws.windows.ua", Class: "workstation", Weight: 45, Group: "os", Why: "a person browses from Windows or macOS", Any: []Condition{
			{Attr: "user_agent", Match: "Windows NT.*(Chrome|Firefox|Edg|Trident)|Macintosh;.*(Safari|Firefox)"},
		}, Not: []Condition{
			{Attr: "os", Match: "server"},
			{Attr: "user_agent", Has: []string{"hololens"}},
		}},
		{ID: "ws.dhcp", Class: "workstation", Weight: 40, Group: "os", Why: "its DHCP client is Windows'", All: []Condition{
			{Attr: "dhcp_vendor", Begins: []string{"MSFT 5.0"}},
		}, Not: []Condition{
			{Attr: "os", Match: "server"},
		}},
		{ID: "ws.name", Class: "workstation", Weight: 45, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "^(desktop|laptop|win|pc|ws|wks|nb)[-_]?[a-z0-9]{2,}|workstation|macbook|imac"},
		}},
		{ID: "ws.os", Class: "workstation", Weight: 45, Group: "os", Why: "runs {value}", All: []Condition{
			{Attr: "os", Match: "Windows (10|11|7|8|XP)|macOS|Mac OS X"},
		}},
		{ID: "ws.rdp", Class: "workstation", Weight: 25, Group: "", Why: "is used over remote desktop", Any: []Condition{
			{Attr: "service", Begins: []string{"rdp/"}},
		}},
		{ID: "srv.os", Class: "server", Weight: 60, Group: "os", Why: "runs {value}", All: []Condition{
			{Attr: "os", Match: "Windows Server|Windows 20\\d\\d|ESXi|TrueNAS|Hyper-V"},
		}},
		{ID: "srv.infra", Class: "server", Weight: 60, Group: "", Why: "serves the network ({value})", All: []Condition{
			{Attr: "service", Begins: []string{"dhcp/", "dns/", "ntp/", "ldap/", "kerberos/", "radius/", "syslog/", "tftp/"}},
		}, Not: []Condition{
			{Attr: "router", Is: []string{"true"}},
			{Attr: "capability", Is: []string{"bridge", "router", "wlan-ap"}},
		}},
		{ID: "srv.db", Class: "server", Weight: 60, Group: "", Why: "serves a database ({value})", All: []Condition{
			{Attr: "service", Begins: []string{"postgresql/", "mysql/", "tds/", "mongodb/", "redis/"}},
		}},
		{ID: "srv.web", Class: "server", Weight: 30, Group: "", Why: "serves {value}", All: []Condition{
			{Attr: "service", Begins: []string{"http/", "https/", "tls/", "smb/", "ftp/", "mqtt/", "ssh/"}},
		}, Not: []Condition{
			{Attr: "oui_kind", Is: []string{"printer", "camera", "phone", "network"}},
			{Attr: "service", Begins: []string{"sdc"}},
		}},
		{ID: "srv.name", Class: "server", Weight: 40, Group: "name", Why: "is called {value}", Any: []Condition{
			{Attr: "hostname", Match: "^(srv|server)[-_]|^(srv|server|dc|sql|db|app|web|file|nas|esx|vm)[-_]?\\d+|[-_](srv|server|dc)\\d*$|server"},
		}},
		{ID: "scanner.tools", Class: "scanner", Weight: 75, Group: "scan", Why: "leaves the traces of a scanner ({value})", Any: []Condition{
			{Attr: "user_agent", Match: "nmap|zgrab|masscan|nikto|nessus|openvas|nuclei|sqlmap|gobuster|dirbuster|Censys|shodan"},
			{Attr: "banner", Match: "nmap|zgrab"},
			{Attr: "ae_title", Is: []string{"NMAP", "ZGRAB"}},
		}},
		{ID: "scanner.behaviour", Class: "scanner", Weight: 60, Group: "scan", Why: "tries many addresses or ports that do not answer", All: []Condition{
			{Attr: "behaviour", Is: []string{"scans"}},
		}},
		{ID: "scanner.tries-aes", Class: "scanner", Weight: 65, Group: "scan", Why: "tries several AE titles with a test tool's defaults", All: []Condition{
			{Attr: "banner", Has: []string{"default ae title"}, Source: "dicom", Least: 3},
		}},
		{ID: "scanner.several-tools", Class: "scanner", Weight: 70, Group: "scan", Why: "uses several versions of a DICOM toolkit, under several names and a test tool's defaults", All: []Condition{
			{Attr: "banner", Has: []string{"default ae title"}, Source: "dicom"},
			{Attr: "ae_title", Match: ".", Least: 2},
			{Attr: "dicom_impl", Match: ".", Least: 2},
		}},
		{ID: "scanner.default-ae", Class: "scanner", Weight: 25, Group: "", Why: "uses a test tool's default AE titles ({value})", Any: []Condition{
			{Attr: "banner", Has: []string{"echoscu", "any-scp"}, Source: "dicom"},
		}, Not: []Condition{
			{Attr: "behaviour", Is: []string{"stores-images", "receives-images"}},
		}},
	}
}

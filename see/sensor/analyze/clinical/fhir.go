// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/fhir"
	"github.com/asepsis/asepsis/wire/udi"
)

// FHIR interprets exchanges of the FHIR RESTful API. An exchange is one when a
// media type says so, or when the path names a resource type and a body is a
// resource.
func FHIR(c *analyze.Conn, x *analyze.Exchange) string {
	said := isFHIRType(analyze.Get(x.Request, "content-type")) || isFHIRType(analyze.Get(x.Response, "content-type")) || isFHIRType(analyze.Get(x.Request, "accept"))
	path, query := target(x)
	a := addressOf(path)
	if !said && a.kind == "" && !a.metadata {
		return ""
	}
	req, res := resource(x.Request, x.RequestBody), resource(x.Response, x.ResponseBody)
	if !said && req == nil && res == nil {
		return ""
	}
	d := &event.Rest{API: "fhir", Method: analyze.CleanN([]byte(x.Method), 16), HTTPStatus: x.Status, AuthScheme: authScheme(x), Resource: a.kind, Operation: a.operation}
	e := &event.Event{Time: x.Time, Protocol: "fhir", Detail: d}
	if !c.Full() {
		_, d.Interaction = interaction(x.Method, &a, query, req)
		return fhirBrief(c, x, d, req, res)
	}
	d.MediaType = mediaType(firstOf(analyze.Get(x.Response, "content-type"), analyze.Get(x.Request, "content-type")))
	e.Activity, d.Interaction = interaction(x.Method, &a, query, req)
	d.SearchKeys = keys(query)
	if a.search && strings.Contains(analyze.Get(x.Request, "content-type"), "x-www-form-urlencoded") {
		for _, k := range keys(string(x.RequestBody)) {
			d.SearchKeys = addOnce(d.SearchKeys, k, maxList)
		}
	}
	if a.id != "" {
		if a.kind == "Patient" {
			d.PatientRef = patientRef(c, a.id, "")
			d.ResourceRef = d.PatientRef
		} else {
			d.ResourceRef = c.Pseudonym(pseudonym.Other, a.kind+"/"+a.id)
		}
	}
	if a.patient != "" {
		d.PatientRef = patientRef(c, a.patient, "")
	}
	for _, k := range []string{"patient", "subject", "subject:Patient", "_id"} {
		if v := param(query, k); v != "" && d.PatientRef == "" && (k != "_id" || a.kind == "Patient") {
			v = strings.NewReplacer("%2F", "/", "%2f", "/").Replace(v)
			d.PatientRef = patientRef(c, v[strings.LastIndexByte(v, '/')+1:], "")
		}
	}
	for _, r := range []*fhir.Resource{req, res} {
		if r == nil {
			continue
		}
		if d.Resource == "" && r.Type != "OperationOutcome" {
			d.Resource = r.Type
		}
		d.Version = firstOf(d.Version, analyze.CleanN([]byte(r.FHIRVersion), 16))
		d.Software = firstOf(d.Software, strings.TrimSpace(clean(r.SoftwareName)+" "+clean(r.SoftwareVersion)))
		if len(r.Issues) > 0 {
			d.Issue = firstOf(d.Issue, code(clean(r.Issues[0])))
		}
		if len(r.Patients) > 0 && d.PatientRef == "" {
			p := r.Patients[0]
			d.PatientRef = patientRef(c, strings.TrimPrefix(p, "Patient/"), "")
		}
		d.Objects = max(d.Objects, r.Entries)
		if len(r.Devices) > 0 && d.Device == nil {
			d.Device = fhirDevice(&r.Devices[0])
		}
	}
	d.Bytes = uint64(max(x.RequestLength, 0) + max(x.ResponseLength, 0))
	status(e, x, d.Issue)
	fhirEvidence(c, x, d, req, res)
	e.Message = "FHIR " + strings.TrimSpace(d.Interaction+" "+d.Resource)
	if d.Operation != "" {
		e.Message += " " + d.Operation
	}
	c.Emit(e)
	return "fhir"
}

// fhirBrief does for an exchange that nobody reads in full what remains: evidence,
// and the device that it names.
func fhirBrief(c *analyze.Conn, x *analyze.Exchange, d *event.Rest, req, res *fhir.Resource) string {
	fhirEvidence(c, x, d, req, res)
	for _, r := range []*fhir.Resource{req, res} {
		if r != nil && len(r.Devices) > 0 && d.Device == nil {
			d.Device = fhirDevice(&r.Devices[0])
		}
	}
	if d.Device == nil {
		c.NoteAt(event.ClassFHIR, x.Time, "fhir")
		return "fhir"
	}
	c.Emit(&event.Event{Time: x.Time, Protocol: "fhir", Detail: d})
	return "fhir"
}

func fhirEvidence(c *analyze.Conn, x *analyze.Exchange, d *event.Rest, req, res *fhir.Resource) {
	serverEvidence(c, res)
	c.Evidence(analyze.Client, device.AttrUses, "fhir", "fhir", device.Claimed)
	if x.Status > 0 && x.Status < 500 {
		c.Evidence(analyze.Server, device.AttrService, "fhir/tcp:"+port(c), "fhir", device.Claimed)
	}
	// A Device that a client writes is the client or stands behind it.
	if req != nil && len(req.Devices) == 1 && (d.Interaction == "create" || d.Interaction == "update") {
		deviceEvidence(c, &req.Devices[0])
	}
}

func isFHIRType(v string) bool {
	if v == "" {
		return false
	}
	v = strings.ToLower(v)
	return strings.Contains(v, "application/fhir+") || strings.Contains(v, "application/json+fhir") || strings.Contains(v, "application/xml+fhir")
}

func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return analyze.CleanN([]byte(v), short)
}

func resource(h []analyze.Header, body []byte) *fhir.Resource {
	if len(body) == 0 {
		return nil
	}
	r, err := fhir.Parse(decode(h, body))
	if err != nil {
		return nil
	}
	return r
}

// address is what the path of a FHIR request names.
type address struct {
	kind, id, operation, patient       string
	metadata, history, version, search bool
}

// addressOf reads [base]/Type/id/_history/vid, [base]/metadata, [base]/$op. The
// base is not known: the last segment that can be a type is taken for one.
func addressOf(path string) address {
	var a address
	segs := strings.Split(strings.Trim(path, "/"), "/")
	if len(segs) > 32 {
		return a
	}
	at := -1
	for i := len(segs) - 1; i >= 0; i-- {
		if fhir.IsType(segs[i]) && known[segs[i]] {
			at = i
			break
		}
	}
	rest := segs
	if at >= 0 {
		a.kind = segs[at]
		rest = segs[at+1:]
		// A compartment: Patient/1/Observation searches what is about the patient.
		if at >= 2 && segs[at-2] == "Patient" && fhir.IsID(segs[at-1]) {
			a.patient = segs[at-1]
		}
	}
	for i, s := range rest {
		switch {
		case s == "metadata" && i == len(rest)-1:
			a.metadata = true
		case s == "_search":
			a.search = true
		case s == "_history":
			a.history = true
		case strings.HasPrefix(s, "$"):
			if op := keyName(s); op != "" {
				a.operation = op
			}
		case at >= 0 && i == 0 && fhir.IsID(s):
			a.id = s
		case a.history && fhir.IsID(s):
			a.version = true
		}
	}
	return a
}

// interaction names what is done (FHIR R5 §3.2.0) with its OCSF activity.
func interaction(method string, a *address, query string, req *fhir.Resource) (uint8, string) {
	switch {
	case a.metadata:
		return 7, "capabilities"
	case a.operation != "":
		return 6, "operation"
	}
	switch method {
	case "GET", "HEAD":
		switch {
		case a.history && a.version:
			return 1, "vread"
		case a.history && a.id != "":
			return 1, "history-instance"
		case a.history:
			return 1, "history"
		case a.id != "":
			return 1, "read"
		}
		return 2, "search"
	case "POST":
		switch {
		case a.search:
			return 2, "search"
		case a.kind == "" && req != nil && req.Type == "Bundle":
			if req.BundleType == "batch" {
				return 8, "batch"
			}
			return 8, "transaction"
		}
		return 3, "create"
	case "PUT":
		return 4, "update"
	case "PATCH":
		return 4, "patch"
	case "DELETE":
		return 5, "delete"
	}
	return 0, "other"
}

func status(e *event.Event, x *analyze.Exchange, issue string) {
	switch {
	case x.Status == 0:
	case x.Status < 400:
		e.Status = event.StatusSuccess
	default:
		e.Status, e.StatusDetail = event.StatusFailure, issue
		if x.Status == 401 || x.Status == 403 {
			e.Severity = finding.Low
		}
	}
	if x.Status > 0 {
		e.StatusCode = itoa(x.Status)
	}
}

func itoa(n int) string {
	if n < 0 || n > 999 {
		return ""
	}
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// serverEvidence says what a capability statement tells of its server.
func serverEvidence(c *analyze.Conn, r *fhir.Resource) {
	if r == nil || r.Type != "CapabilityStatement" && r.Type != "Conformance" {
		return
	}
	banner := strings.TrimSpace(clean(r.SoftwareName) + " " + clean(r.SoftwareVersion))
	c.Evidence(analyze.Server, device.AttrBanner, banner, "fhir.capability.software", device.Structured)
	if r.SoftwareName != "" {
		c.Evidence(analyze.Server, device.AttrFirmware, clean(r.SoftwareVersion), "fhir.capability.software", device.Claimed)
	}
}

func fhirDevice(v *fhir.Device) *event.HL7Device {
	return &event.HL7Device{
		UDI: firstOf(clean(v.UDI), clean(v.DI)), Vendor: clean(v.Manufacturer), Model: firstOf(clean(v.Name), clean(v.Model)),
		Serial: clean(v.Serial), Lot: clean(v.Lot), Type: firstOf(clean(v.Type), strings.Join(v.TypeCodes, " ")), Source: "Device", DeviceID: clean(v.ID),
	}
}

func deviceEvidence(c *analyze.Conn, v *fhir.Device) {
	d := fhirDevice(v)
	serial, source := d.Serial, "fhir.device.serial-number"
	if u, err := udi.Parse(d.UDI); err == nil && serial == "" {
		serial, source = u.Serial, "fhir.device.udi-carrier"
	}
	evidence(c, analyze.Client, device.Claimed,
		string(device.AttrUDI), d.UDI, "fhir.device.udi-carrier",
		string(device.AttrVendor), d.Vendor, "fhir.device.manufacturer",
		string(device.AttrModel), d.Model, "fhir.device.device-name",
		string(device.AttrSerial), serial, source,
		string(device.AttrFirmware), clean(v.Version), "fhir.device.version",
		string(device.AttrRegistration), d.DeviceID, "fhir.device.id")
	for _, code := range v.TypeCodes {
		if cl := classOfMDC(code, v.Type); cl != "" {
			c.Evidence(analyze.Client, device.AttrClass, string(cl), "fhir.device.type", device.Claimed)
			return
		}
	}
	if cl := classOfText(v.Type); cl != "" {
		c.Evidence(analyze.Client, device.AttrClass, string(cl), "fhir.device.type", device.Claimed)
	}
}

// known are the resource types that traffic is recognised by: those of care and
// devices, R4 and R5. A type that is not here is recognised by its media type.
var known = func() map[string]bool {
	m := make(map[string]bool)
	for _, t := range strings.Fields(`Account AllergyIntolerance Appointment AuditEvent Basic Binary Bundle CapabilityStatement CarePlan CareTeam ChargeItem Claim Communication
		Composition ConceptMap Condition Conformance Consent Coverage DetectedIssue Device DeviceAlert DeviceAssociation DeviceDefinition DeviceMetric DeviceRequest DeviceUsage DeviceUseStatement
		DiagnosticReport DocumentManifest DocumentReference Encounter Endpoint EpisodeOfCare Flag Goal Group HealthcareService ImagingSelection ImagingStudy Immunization Library Location
		Measure Media Medication MedicationAdministration MedicationDispense MedicationRequest MedicationStatement MessageHeader NutritionOrder Observation OperationDefinition OperationOutcome
		Organization Parameters Patient PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RiskAssessment Schedule
		SearchParameter ServiceRequest Slot Specimen StructureDefinition Subscription SubscriptionStatus SubscriptionTopic Substance Task Transport ValueSet`) {
		m[t] = true
	}
	return m
}()

// SPDX-License-Identifier: Apache-2.0

package custody

// Tables of shapes, made once and never changed.
var (
	byKind   = kindShapes()
	byRecord = recordShapes()
)

// kindShapes are the details of every kind but Operation.
func kindShapes() map[Kind]Shape {
	transfer := Shape{
		{Name: "protocol", Form: Token, Required: true, Max: 32, Doc: "how it came or went: dicom, https, file, usb"},
		{Name: "from", Form: Text, Max: 128, Doc: "who sent it, by the protocol's own name (an AE title, a host)"},
		{Name: "to", Form: Text, Max: 128, Doc: "who took it"},
		{Name: "media_type", Form: Token, Max: 128, Doc: "application/dicom, model/gltf-binary"},
		{Name: "sop_class", Form: Token, Max: 64, Doc: "DICOM SOP class UID"},
		{Name: "transfer_syntax", Form: Token, Max: 64, Doc: "DICOM transfer syntax UID"},
		{Name: "bytes", Form: Whole, Max: maxExact, Doc: "length of the artefact"},
		{Name: "session", Form: Token, Max: 128, Doc: "the connection or association, by an ID of ours"},
		{Name: "route", Form: Token, Max: 128, Doc: "the route by which a guard let it through"},
		{Name: "tls", Form: Token, Max: 32, Doc: "TLSv1.3, TLSv1.2; absent: in clear"},
		{Name: "peer_certificate", Form: Hash, Doc: "SHA-256 of the peer's certificate (DER)"},
		{Name: "status", Form: Token, Max: 64, Doc: "what the peer answered"},
		{Name: "verdict", Form: Token, OneOf: []string{"pass", "flag", "sanitise", "quarantine", "refuse"}, Doc: "what a content firewall made of it"},
		{Name: "rules", Form: Token, List: true, Max: 64, Doc: "the rules of the firewall that met"},
		{Name: "policy", Form: Hash, Doc: "SHA-256 of the firewall's policy in force"},
	}
	return map[Kind]Shape{
		Received:  transfer,
		Forwarded: transfer,
		Altered: {
			{Name: "operation", Form: Token, Required: true, Max: 64, Doc: "coercion, de-identification, transcoding, segmentation, reconstruction, inference"},
			{Name: "fields", Form: Token, List: true, Doc: "what was changed: DICOM tags, JSON paths"},
			{Name: "rule", Form: Token, Doc: "the rule that asked for it"},
			{Name: "model", Form: Hash, Doc: "the model that did it"},
			{Name: "parameters", Form: Hash, Doc: "SHA-256 of the parameters, where they are kept elsewhere"},
		},
		Displayed: {
			{Name: "display", Form: Text, Max: 128, Doc: "on what: a monitor, a headset"},
			{Name: "session", Form: Token, Max: 128},
			{Name: "media_type", Form: Token, Max: 128},
			{Name: "frames", Form: Whole, Max: maxExact, Doc: "how many frames of it"},
			{Name: "from", Form: When, Doc: "when it appeared"},
			{Name: "until", Form: When, Doc: "when it went"},
			{Name: "registration_error_mm", Form: Number, Max: 1000, Unit: "mm", Doc: "target registration error, where it was laid over the patient"},
		},
		Configuration: {
			{Name: "what", Form: Token, Required: true, Doc: "file, setting or policy: proxy.yaml, theatre/OR-3/state"},
			{Name: "action", Form: Token, Required: true, OneOf: []string{"set", "loaded", "removed", "approved", "rolled-back"}},
			{Name: "version", Form: Token, Max: 64},
			{Name: "before", Form: Hash, Doc: "SHA-256 of what was there before"},
			{Name: "order", Form: Hash, Doc: "SHA-256 of the signed order by which a console asked for it; the actor's certificate signed it"},
		},
		Certificate: {
			{Name: "action", Form: Token, Required: true, OneOf: []string{"issued", "renewed", "revoked", "code-made", "code-used", "code-withdrawn", "authority-made", "authority-rotated"}},
			{Name: "serial", Form: Token, Max: 64, Doc: "hexadecimal, lower case, no leading zeros"},
			{Name: "profile", Form: Token, Max: 64},
			{Name: "spiffe", Form: Token, Max: 256},
			{Name: "issuer", Form: Token, Max: 64, Doc: "subject key ID of the issuing authority"},
			{Name: "not_before", Form: When}, {Name: "not_after", Form: When},
			{Name: "via", Form: Token, Max: 64, Doc: "est-code, est-renewal, manufacturer, csr-file, scep"},
			{Name: "revocation_reason", Form: Token, Max: 64, Doc: "RFC 5280 §5.3.1, as keyCompromise"},
			{Name: "crl_number", Form: Whole, Max: maxExact},
		},
		Decision: {
			{Name: "what", Form: Token, Required: true, Doc: "what was asked: dicom-store, api-call, model-load, stream-open"},
			{Name: "outcome", Form: Token, Required: true, OneOf: []string{"allowed", "denied", "quarantined", "degraded", "cut", "alarmed"}},
			{Name: "rules", Form: Token, List: true, Max: 32, Doc: "the rules that decided"},
			{Name: "policy", Form: Hash, Doc: "SHA-256 of the policy in force"},
			{Name: "why", Form: Text, Max: 500},
			{Name: "session", Form: Token, Max: 128}, {Name: "route", Form: Token, Max: 128},
			{Name: "order", Form: Hash, Doc: "SHA-256 of the signed order by which a console asked for it; the actor's certificate signed it"},
		},
		Override: {
			{Name: "what", Form: Token, Required: true, Doc: "the guard that was passed"},
			{Name: "outcome", Form: Token, Max: 64, Doc: "what happened instead"},
			{Name: "approved_by", Form: Text, Max: 128, Doc: "the second person, an account name"},
			{Name: "until", Form: When},
			{Name: "order", Form: Hash, Doc: "SHA-256 of the signed order by which a console asked for it; the actor's certificate signed it"},
		},
	}
}

// RecordType says whose operation record it is.
type RecordType string

// The types of operation record.
const (
	TableRecord RecordType = "surgical-table"
	RobotRecord RecordType = "surgical-robot"
	XRRecord    RecordType = "xr-session"
)

// RecordTypes returns all types.
func RecordTypes() []RecordType { return []RecordType{TableRecord, RobotRecord, XRRecord} }

// Shape returns the schema of a type's detail, nil for no type of ours.
func (t RecordType) Shape() Shape { return byRecord[t] }

func typeField() Field {
	return Field{Name: "type", Form: Token, Required: true, OneOf: []string{string(TableRecord), string(RobotRecord), string(XRRecord)}}
}

// recordShapes are the details of operation records. Angles follow the table's
// own convention: positive Trendelenburg is head down, positive tilt is to the
// patient's left.
func recordShapes() map[RecordType]Shape {
	fault := Field{Name: "fault", Form: Object, Fields: []Field{
		{Name: "code", Form: Token, Required: true, Max: 64, Doc: "the manufacturer's code"},
		{Name: "severity", Form: Token, OneOf: []string{"information", "warning", "recoverable", "unrecoverable"}},
		{Name: "component", Form: Token, Max: 64},
	}}
	duration := Field{Name: "duration_ms", Form: Whole, Max: 7 * 24 * 3600 * 1000, Unit: "ms", Doc: "how long it took"}
	software := Field{Name: "software", Form: Text, Max: 64, Doc: "version of the device's software"}
	sequence := Field{Name: "sequence", Form: Whole, Max: maxExact, Doc: "the device's own counter of records: a gap is a lost record"}
	degrees := func(name string, least, most float64, doc string) Field {
		return Field{Name: name, Form: Number, Min: least, Max: most, Unit: "degrees", Doc: doc}
	}
	return map[RecordType]Shape{
		TableRecord: {
			typeField(), sequence, software, fault, duration,
			{Name: "action", Form: Token, Required: true, OneOf: []string{"position", "level", "transfer", "lock", "unlock", "brake", "release", "power-on", "power-off", "battery", "collision", "limit", "fault", "maintenance"}},
			{Name: "control", Form: Token, OneOf: []string{"hand-control", "foot-switch", "override-panel", "remote", "network", "automatic"}, Doc: "what moved it"},
			{Name: "orientation", Form: Token, OneOf: []string{"normal", "reverse"}},
			{Name: "height_mm", Form: Number, Min: 300, Max: 1500, Unit: "mm"},
			{Name: "slide_mm", Form: Number, Min: -1000, Max: 1000, Unit: "mm", Doc: "longitudinal"},
			{Name: "shift_mm", Form: Number, Min: -500, Max: 500, Unit: "mm", Doc: "lateral"},
			degrees("trendelenburg_deg", -60, 60, "positive: head down"), degrees("tilt_deg", -60, 60, "positive: to the patient's left"),
			degrees("back_deg", -90, 100, ""), degrees("leg_left_deg", -120, 120, ""), degrees("leg_right_deg", -120, 120, ""),
			{Name: "locked", Form: Flag, Doc: "the base is locked to the floor"},
			{Name: "battery_percent", Form: Number, Max: 100, Unit: "percent"},
		},
		RobotRecord: {
			typeField(), sequence, software, fault, duration,
			{Name: "action", Form: Token, Required: true, OneOf: []string{"power-on", "power-off", "self-test", "dock", "undock", "instrument-attach", "instrument-detach", "teleoperation-start",
				"teleoperation-stop", "mode", "energy", "camera", "calibration", "collision", "limit", "fault", "emergency-stop", "recover", "software-update", "maintenance"}},
			{Name: "console", Form: Token, Max: 64}, {Name: "mode", Form: Token, Max: 64},
			{Name: "arm", Form: Whole, Min: 1, Max: 16},
			{Name: "instrument", Form: Object, Fields: []Field{
				{Name: "model", Form: Text, Required: true, Max: 64}, {Name: "serial", Form: Token, Max: 64},
				{Name: "udi", Form: Text, Max: 128, Doc: "unique device identifier"}, {Name: "uses_left", Form: Whole, Max: 100000}}},
			{Name: "energy", Form: Object, Fields: []Field{
				{Name: "modality", Form: Token, Required: true, OneOf: []string{"monopolar-cut", "monopolar-coagulation", "bipolar", "vessel-sealing", "ultrasonic", "laser", "other"}},
				{Name: "power_w", Form: Number, Max: 500, Unit: "W"}, {Name: "duration_ms", Form: Whole, Max: 3600 * 1000, Unit: "ms"}}},
			{Name: "force_n", Form: Number, Max: 1000, Unit: "N"}, {Name: "deviation_mm", Form: Number, Max: 1000, Unit: "mm", Doc: "commanded against measured position"},
			{Name: "latency_ms", Form: Number, Max: 60000, Unit: "ms", Doc: "from console to arm"},
		},
		XRRecord: {
			typeField(), sequence, software, fault, duration,
			{Name: "action", Form: Token, Required: true, OneOf: []string{"start", "stop", "calibration", "registration", "model-loaded", "model-hidden", "overlay-shown", "overlay-hidden", "annotation", "tracking-lost",
				"tracking-recovered", "stream-opened", "stream-stalled", "stream-recovered", "stream-closed", "mode", "fault", "maintenance"}},
			{Name: "session", Form: Token, Max: 128}, {Name: "mode", Form: Token, Max: 64},
			{Name: "model", Form: Hash, Doc: "SHA-256 of the hologram or the AI model that was loaded"},
			{Name: "image", Form: Hash, Doc: "SHA-256 of the image that it was made from"},
			{Name: "registration_error_mm", Form: Number, Max: 1000, Unit: "mm", Doc: "target registration error"},
			{Name: "tracking", Form: Token, OneOf: []string{"good", "limited", "lost"}},
			{Name: "latency_ms", Form: Number, Max: 60000, Unit: "ms", Doc: "motion to photon, or of the stream"},
			{Name: "frame_rate", Form: Number, Max: 1000, Unit: "frames/s"}, {Name: "frames_dropped", Form: Whole, Max: maxExact},
			{Name: "opacity", Form: Number, Max: 1},
		},
	}
}

// KindShape returns the schema of a kind's detail, nil for Operation: its types
// have one each.
func KindShape(k Kind) Shape { return byKind[k] }

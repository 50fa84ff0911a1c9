// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/ocsf/downlevel"
	"github.com/asepsis/asepsis/ocsf/validate"
)

// protocols says what emits a class.
var protocols = map[event.Class]string{
	event.ClassNetwork:          "every flow (TCP, UDP, ICMP and other IP protocols); TLS, DTLS and QUIC handshakes",
	event.ClassHTTP:             "HTTP/1.0, HTTP/1.1, the HTTP/2 clear text preface, SSDP and UPnP over HTTP",
	event.ClassDNS:              "DNS over UDP and TCP, mDNS, LLMNR, NetBIOS name service",
	event.ClassDHCP:             "DHCPv4, DHCPv6",
	event.ClassRDP:              "RDP",
	event.ClassSMB:              "SMB 1, 2 and 3",
	event.ClassSSH:              "SSH",
	event.ClassFTP:              "FTP",
	event.ClassNTP:              "NTP, SNTP",
	event.ClassDICOMAssociation: "the DICOM upper layer protocol, in clear",
	event.ClassDICOMOperation:   "DIMSE",
	event.ClassHL7Message:       "HL7 v2 over MLLP",
	event.ClassMedicalDevice:    "IEEE 11073 SDC (WS-Discovery, metadata), POCT1-A, LIS2-A2 and ASTM E1381",
	event.ClassFHIR:             "HL7 FHIR and DICOMweb over HTTP, each beside its HTTP Activity",
	event.ClassApplication:      "protocols without a class of their own: ARP, LLDP, CDP, EAPOL, RADIUS, SNMP, syslog, MQTT, ADB, RTSP, STUN, VNC, Telnet, TFTP, Modbus, BACnet, LDAP, Kerberos, SSDP, database greetings",
	event.ClassDeviceEvidence:   "every analyser that learns something about a device",
	event.ClassSensorHealth:     "the sensor itself",
	event.ClassTheatre:          "detection, from schedules, worklists and performed procedure steps",
}

// unmapped says what the names below unmapped mean.
var unmapped = map[string]string{
	"activity_id":                     "The activity, when the class has no such activity; `activity_id` of the event is then 99.",
	"vlan_ids":                        "All VLAN IDs, outermost first, when there is more than one. The endpoints carry the innermost.",
	"tunnel":                          "The innermost encapsulation, for example `vxlan:42`.",
	"src_hops":                        "Routers between the sensor and the source, estimated from the time to live.",
	"dst_hops":                        "Routers between the sensor and the destination, estimated from the time to live.",
	"is_src_dst_assignment_known":     "`false` when the opening was not seen and the roles are a guess, in classes that have no attribute for it.",
	"is_encrypted":                    "Seen inside or as part of TLS, DTLS or QUIC, in classes that have no attribute for it.",
	"conn_state":                      "State of the connection as Zeek names it: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR, OTH.",
	"payload_bytes_out":               "Transport payload from the source, in bytes.",
	"payload_bytes_in":                "Transport payload from the destination, in bytes.",
	"tcp_flags_out":                   "Union of the TCP flags seen from the source.",
	"tcp_flags_in":                    "Union of the TCP flags seen from the destination.",
	"is_evicted":                      "Ended by the memory bound of the sensor, not by the peers.",
	"is_mid_stream":                   "The opening was not seen.",
	"alpn":                            "The application protocol chosen (ALPN), or the first offered when the answer is hidden.",
	"tls_alert":                       "The alert as text: level and description.",
	"quic_version":                    "QUIC version.",
	"is_resumed":                      "The session was resumed.",
	"is_client_certificate_requested": "The server asked for a certificate (TLS 1.2 and below).",
	"is_handshake_complete":           "Both sides finished, as far as can be seen.",
	"server_certificates":             "The server's certificates in full, leaf first: `subject`, `issuer`, `serial_number`, `sans`, `created_time`, `expiration_time` (ms), `fingerprint_sha256`, `key_type`, `signature_algorithm`, `is_self_signed`, `is_ca`.",
	"client_certificates":             "The client's certificates, likewise.",
	"http_method":                     "The method, when OCSF's enumeration does not have it.",
	"auth_scheme":                     "Authentication scheme; never the credential.",
	"suspicious":                      "Traces of an attack in the request, by name; never the text.",
	"default_credential":              "Name of the published default credential that was sent; never the credential.",
	"upgrade":                         "The protocol of an Upgrade.",
	"has_credential_in_url":           "A parameter that names a credential is in the query.",
	"request_body_length":             "Length of the body, in bytes, when it does not fit in 32 bits.",
	"response_body_length":            "Length of the body, in bytes, when it does not fit in 32 bits.",
	"is_response_seen":                "An answer was seen.",
	"dns_flags":                       "Header flags: AA, TC, RD, RA, AD, CD.",
	"answer_names":                    "Owner name of each answer, in the order of `answers`.",
	"question_count":                  "Number of questions, when there is more than one.",
	"is_truncated":                    "More records than are listed.",
	"transaction_id":                  "Message ID, when there is no `query` to carry it.",
	"dhcp_version":                    "4 or 6.",
	"message_type":                    "Message type as the RFC writes it.",
	"client_mac":                      "Hardware address in the message.",
	"client_id":                       "Client identifier or DUID, hexadecimal.",
	"client_ip":                       "Address offered, assigned or asked for.",
	"server_id":                       "Server identifier.",
	"hostname":                        "Host name (option 12).",
	"fqdn":                            "Fully qualified name (option 81, DHCPv6 option 39).",
	"vendor_class":                    "Vendor class (option 60, DHCPv6 option 16).",
	"user_class":                      "User class (option 77, DHCPv6 option 15).",
	"parameter_list":                  "Parameter request list (option 55) or option request option, in order.",
	"routers":                         "Routers (option 3).",
	"dns_servers":                     "Name servers.",
	"domain":                          "Domain name.",
	"relay":                           "Relay agent, as stated.",
	"client_version":                  "Client identification string (RFC 4253 §4.2).",
	"server_version":                  "Server identification string.",
	"kex_algorithm":                   "Key exchange method negotiated.",
	"host_key_algorithm":              "Host key algorithm negotiated.",
	"cipher":                          "Cipher negotiated.",
	"mac_algorithm":                   "MAC algorithm negotiated.",
	"ntlm_domain":                     "NTLMSSP target or domain.",
	"ntlm_workstation":                "NTLMSSP workstation.",
	"os_version":                      "Operating system version that NTLMSSP or SMB 1 states.",
	"signing":                         "`required`, `enabled` or `none`.",
	"is_smb_encrypted":                "SMB 3 encryption was seen.",
	"is_ntlmv1":                       "NTLM version 1 was used.",
	"is_ransom_note":                  "The name of the file, before it was replaced, is one that notes of extortion bear.",
	"renamed_to":                      "Path that a file was renamed to; names that may be a patient's are replaced, what was appended to one stays.",
	"is_guest":                        "The session is a guest's.",
	"server_guid":                     "Server GUID.",
	"requested_security":              "Security protocols requested.",
	"selected_security":               "Security protocol selected.",
	"negotiation_failure":             "Failure code of the negotiation.",
	"client_name":                     "Client name (GCC client core data), when it is not encrypted.",
	"client_build":                    "Client build.",
	"is_cleartext_login":              "Credentials went over in clear.",
	"stratum":                         "Stratum as sent.",
	"reference_id":                    "Reference identifier.",
	"clock_offset_ms":                 "Server's transmit time less the time of capture, in milliseconds.",
}

const head = `# Events

<!-- Written by scripts/gen-ocsf. Change the schema in ocsf/, the structs in core/event or the text in the script. -->

Asepsis emits what it sees as events of the Open Cybersecurity Schema Framework (OCSF) %s, one JSON object each.
What OCSF has no class for is in classes of the Asepsis extension (name ` + "`%s`, uid %d, version %s" + `), whose schema is published
in [ocsf/](../ocsf/README.md). Every event is held to that schema by the tests.

## What every event carries

| attribute | meaning |
|---|---|
| ` + "`time`" + ` | When it was seen, in milliseconds since the Unix epoch. ` + "`metadata.original_time`" + ` has the nanoseconds. |
| ` + "`class_uid`, `activity_id`, `type_uid`, `category_uid`" + ` | What it is. ` + "`type_uid`" + ` is class_uid * 100 + activity_id; names stand beside the numbers. |
| ` + "`severity_id`" + ` | 1 Informational unless the thing itself is an error. Findings, not events, say what is wrong. |
| ` + "`status_id`, `status_code`, `status_detail`" + ` | Outcome, with the protocol's own code and words. |
| ` + "`message`" + ` | One sentence for a person. |
| ` + "`metadata.uid`" + ` | Unique for each event. |
| ` + "`src_endpoint`, `dst_endpoint`" + ` | Initiator and responder: address, port, MAC, VLAN. An endpoint without IP address has its MAC as ` + "`uid`" + `; one of which nothing is known is named ` + "`unknown`" + `. |
| ` + "`connection_info`" + ` | Protocol, direction, boundary, ` + "`uid`" + ` of the flow and community ID, by which the events of one conversation are joined. |
| ` + "`app_protocol_name`" + ` | The protocol, found by content. |
| ` + "`observation_point_id`, `network_observation_point`" + ` | 3 (Neither) and the name of the sensor. |
| ` + "`observables`" + ` | Addresses, names and fingerprints once more, with their paths, for search. |
| ` + "`unmapped`" + ` | What OCSF has no attribute for, under the names [below](#unmapped). |

Directions follow from which addresses are the site's: private, link-local, loopback and multicast addresses unless configured
otherwise. ` + "`is_src_dst_assignment_known`" + ` is false where the opening of a conversation was not seen.

## Privacy

- No event carries a patient identifier in clear. Patient IDs, names, accession, visit, order, appointment and specimen numbers are
  replaced by pseudonyms: ` + "`p:`" + ` and 32 hexadecimal digits, an HMAC-SHA-256 under a key of the site. The same identifier of the same kind
  gives the same pseudonym, so events can be joined; without the key it tells nothing.
- Of queries, the names of the keys are recorded, never the values. Of observations, the codes, never the values.
- Of credentials, the kind is recorded, never the value. User names in protocols are pseudonyms.
- Query strings of URLs keep the names of the parameters only.

## Older versions of OCSF

Events can be exported for OCSF %s. What the older version lacks moves to ` + "`unmapped`" + `, below the path that it had; classes of the
extension become Network Activity (Traffic) or Base Event, with the original class in ` + "`unmapped.asepsis`" + `. The documentation of
the package ` + "`ocsf/downlevel`" + ` lists the differences and where they are known from.

## Classes

`

// reference writes docs/events.md.
func reference(w io.Writer, s *validate.Schema, samples string) error {
	var b bytes.Buffer
	x := s.Extensions[0]
	fmt.Fprintf(&b, head, s.Version, x.Name, x.UID, x.Version, strings.Join(downlevel.Versions(), " and "))

	emitted, extra, err := attributes()
	if err != nil {
		return err
	}
	uids := slices.Sorted(maps.Keys(emitted))
	fmt.Fprintf(&b, "| class | class_uid | emitted for |\n|---|---|---|\n")
	for _, uid := range uids {
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %s |\n", s.Classes[uid].Caption, anchor(s.Classes[uid].Caption), uid, protocols[event.Class(uid)])
	}
	for _, uid := range uids {
		c := s.Classes[uid]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", c.Caption, plain(c.Description))
		fmt.Fprintf(&b, "`class_uid` %d, `%s`. Emitted for: %s.\n\n", uid, c.Name, protocols[event.Class(uid)])
		if protocols[event.Class(uid)] == "" {
			return fmt.Errorf("class %d: no protocols are named", uid)
		}
		fmt.Fprintf(&b, "| activity | | |\n|---|---|---|\n")
		for _, id := range ids(c.Attributes["activity_id"].Enum) {
			v := c.Attributes["activity_id"].Enum[strconv.FormatInt(id, 10)]
			if id != 0 && id != 99 {
				fmt.Fprintf(&b, "| %d | %s | %s |\n", id, v.Caption, plain(v.Description))
			}
		}
		fmt.Fprintf(&b, "\n| attribute | type | requirement | meaning |\n|---|---|---|---|\n")
		names := emitted[uid]
		for _, n := range slices.Sorted(maps.Keys(names)) {
			a := c.Attributes[n]
			if a == nil {
				return fmt.Errorf("class %d has no attribute %q", uid, n)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", n, typeName(a), a.Requirement, plain(a.Description))
		}
		objects(&b, s, c, names)
		list, err := examples(s, uid, samples)
		if err != nil {
			return err
		}
		for _, e := range list {
			fmt.Fprintf(&b, "\n```json\n%s```\n", e)
		}
	}
	fmt.Fprintf(&b, "\n## Unmapped\n\n| name | in | meaning |\n|---|---|---|\n")
	for _, n := range slices.Sorted(maps.Keys(extra)) {
		if unmapped[n] == "" {
			return fmt.Errorf("unmapped.%s has no description", n)
		}
		where := "every class"
		if len(extra[n]) < len(uids)/2 {
			var in []string
			for _, uid := range slices.Sorted(maps.Keys(extra[n])) {
				in = append(in, s.Classes[uid].Caption)
			}
			where = strings.Join(in, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", n, where, unmapped[n])
	}
	for n := range unmapped {
		if extra[n] == nil {
			return fmt.Errorf("unmapped.%s is described but never emitted", n)
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

// common are the attributes that the head of the document describes.
var common = []string{
	"activity_id", "activity_name", "app_protocol_name", "category_name", "category_uid", "class_name", "class_uid", "connection_info", "dst_endpoint",
	"is_src_dst_assignment_known", "message", "metadata", "network_observation_point", "observables", "observation_point", "observation_point_id",
	"severity", "severity_id", "src_endpoint", "status", "status_code", "status_detail", "status_id", "time", "type_name", "type_uid", "unmapped",
}

// attributes encodes events with every field set, in the variants that lead to
// different attributes, and returns what appears: attributes and names below
// unmapped, by class.
func attributes() (emitted map[int64]map[string]bool, extra map[string]map[int64]bool, err error) {
	emitted, extra = map[int64]map[string]bool{}, map[string]map[int64]bool{}
	for _, d := range eventtest.Details() {
		eventtest.Fill(d)
		for _, variant := range []func(*event.Event){
			func(*event.Event) {},
			func(e *event.Event) { e.Activity = 200 },
			func(e *event.Event) {
				e.Activity = 2
				switch d := d.(type) {
				case *event.DNS:
					d.Query = ""
				case *event.HTTP:
					d.RequestLength, d.ResponseLength, d.Method = 1<<40, 1<<40, "GET"
				case *event.DHCP:
					d.Relay = "192.0.2.1"
				}
			},
		} {
			e := &event.Event{Detail: d, Activity: 1, Status: 1, Encrypted: true, Flow: &event.Flow{}}
			eventtest.Fill(e.Flow)
			variant(e)
			b, err := e.AppendOCSF(nil, eventtest.Producer())
			if err != nil {
				return nil, nil, err
			}
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				return nil, nil, err
			}
			uid := int64(d.Class())
			if emitted[uid] == nil {
				emitted[uid] = map[string]bool{}
			}
			for n := range m {
				if !slices.Contains(common, n) {
					emitted[uid][n] = true
				}
			}
			u, _ := m["unmapped"].(map[string]any)
			for n := range u {
				if extra[n] == nil {
					extra[n] = map[int64]bool{}
				}
				extra[n][uid] = true
			}
		}
	}
	return emitted, extra, nil
}

// objects writes the extension's own objects that a class refers to.
func objects(b *bytes.Buffer, s *validate.Schema, c *validate.Class, names map[string]bool) {
	if c.Extension == "" {
		return
	}
	done := map[string]bool{"network_endpoint": true, "key_value_object": true}
	var write func(name string)
	write = func(name string) {
		o := s.Objects[name]
		if o == nil || done[name] {
			return
		}
		done[name] = true
		fmt.Fprintf(b, "\n`%s`: %s\n\n| attribute | type | requirement | meaning |\n|---|---|---|---|\n", name, plain(o.Description))
		for _, n := range slices.Sorted(maps.Keys(o.Attributes)) {
			a := o.Attributes[n]
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", n, typeName(a), a.Requirement, plain(a.Description))
		}
		for _, n := range slices.Sorted(maps.Keys(o.Attributes)) {
			write(o.Attributes[n].Type)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		write(c.Attributes[n].Type)
	}
}

// examples returns the golden samples of a class.
func examples(s *validate.Schema, uid int64, dir string) (out []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var e struct {
			Class int64 `json:"class_uid"`
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if e.Class == uid {
			return []string{string(b)}, nil // one is enough to show the shape
		}
	}
	return nil, fmt.Errorf("no sample of class %d in %s", uid, dir)
}

func typeName(a *validate.Attribute) string {
	if a.IsArray {
		return a.Type + "[]"
	}
	return a.Type
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plain turns a description into one line of Markdown: the schema's are HTML.
func plain(s string) string {
	s = strings.NewReplacer("<code>", "`", "</code>", "`", "<br>", " ", "<p>", " ", "</p>", " ").Replace(s)
	s = html.UnescapeString(tags.ReplaceAllString(s, ""))
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func anchor(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "-") }

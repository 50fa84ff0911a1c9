// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
)

var dicomComparison = comparison{
	name: "dicom",
	fields: "per association: calling and called AE title, protocol version, application context, implementation class UID, version and maximum PDU of both sides, user identity type; " +
		"each presentation context with its abstract syntax, transfer syntaxes, result and accepted transfer syntax; reject result, source and reason; abort source and reason; releases. " +
		"Per DIMSE operation: command, message ID, affected or requested SOP class and instance, move destination, move originator, event and action type, number of pending responses with a data set, sub-operations, status",
	ours: dicomOurs, theirs: dicomTheirs,
}

func dicomOurs(events []*event.Event) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	details(events, func(e *event.Event, d *event.DICOMAssociation) {
		if e.Activity <= 3 && (d.ProtocolVersion != 0 || len(d.Contexts) > 0) && d.CallingAE+d.CalledAE != "" && d.ContextsProposed > 0 {
			add("request %q > %q version %d context %s impl %s %q max %d identity %q", d.CallingAE, d.CalledAE, d.ProtocolVersion, d.ApplicationContext, d.ImplUID, d.ImplVersion, d.MaxPDU, d.UserIdentityType)
			for _, c := range d.Contexts {
				add("propose %d %s %v", c.ID, c.AbstractSyntax, c.TransferSyntaxes)
			}
		}
		switch e.Activity {
		case 2:
			add("accept impl %s %q max %d", d.AcceptorImplUID, d.AcceptorImplVersion, d.AcceptorMaxPDU)
			for _, c := range d.Contexts {
				if c.Result != "" {
					add("answer %d %s %s", c.ID, c.Result, c.Accepted)
				}
			}
		case 3:
			add("reject %s", e.StatusCode)
		case 4:
			add("release")
		case 5:
			add("abort %s", e.StatusCode)
		}
	})
	details(events, func(_ *event.Event, d *event.DICOMOperation) {
		sub := ""
		for _, n := range []*uint16{d.Completed, d.Failed, d.Warning} {
			if n != nil {
				sub += fmt.Sprintf(" %d", *n)
			} else {
				sub += " -"
			}
		}
		add("operation %s %d class %s instance %s to %q from %q event %d action %d results %d sub%s answered %v status %#04x",
			d.Command, d.MessageID, d.SOPClass, d.SOPInstance, d.MoveDestination, d.MoveOriginator, d.EventType, d.ActionType, d.Results, sub, d.Answered, d.Status)
	})
	return out
}

// contextResults are those of PS3.8 §9.3.3.2, table 9-18.
var contextResults = []string{"acceptance", "user-rejection", "no-reason", "abstract-syntax-not-supported", "transfer-syntaxes-not-supported"}

var identityTypes = map[string]string{"": "", "1": "username", "2": "username-passcode", "3": "kerberos", "4": "saml", "5": "jwt"}

// dimseOperation is what a capture says of one, put together from tshark's commands.
type dimseOperation struct {
	command                    string
	id                         uint16
	class, instance            string
	to, from                   string
	event, action              uint16
	results                    int
	completed, failed, warning string
	answered                   bool
	status                     uint16
}

func (o *dimseOperation) String() string {
	return fmt.Sprintf("operation %s %d class %s instance %s to %q from %q event %d action %d results %d sub %s %s %s answered %v status %#04x",
		o.command, o.id, o.class, o.instance, o.to, o.from, o.event, o.action, o.results, o.completed, o.failed, o.warning, o.answered, o.status)
}

var dimseCommands = map[uint16]string{0x0001: "C-STORE", 0x0010: "C-GET", 0x0020: "C-FIND", 0x0021: "C-MOVE", 0x0030: "C-ECHO", 0x0100: "N-EVENT-REPORT",
	0x0110: "N-GET", 0x0120: "N-SET", 0x0130: "N-ACTION", 0x0140: "N-CREATE", 0x0150: "N-DELETE", 0x0fff: "C-CANCEL"}

func dicomTheirs(packets []*dissected) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	var ops []*dimseOperation
	open := map[string]*dimseOperation{}
	releases := map[string][2]int{}
	for _, p := range packets {
		conv, sender := p.conversation()
		for _, n := range p.of("dicom") {
			// Each PDU begins with its type; a segment may hold several in one tree.
			switch typ := n.get("dicom.pdu.type"); typ {
			case "0x01":
				ident := ""
				for _, k := range n.all("dicom.userinfo.user_identify.type") {
					ident = k.show
				}
				add("request %q > %q version %s context %s impl %s %q max %s identity %q", strings.TrimSpace(n.get("dicom.assoc.ae.calling")), strings.TrimSpace(n.get("dicom.assoc.ae.called")),
					n.get("dicom.assoc.version"), first(n, "dicom.actx"), first(n, "dicom.userinfo.uid"), first(n, "dicom.userinfo.version"), or(n.get("dicom.max_pdu_len"), "0"), identityTypes[ident])
				for _, pc := range presentationContexts(n) {
					add("propose %d %s %v", number(pc.get("dicom.pctx.id")), first(pc, "dicom.pctx.abss.syntax"), texts(pc, "dicom.pctx.xfer.syntax"))
				}
			case "0x02":
				add("accept impl %s %q max %s", first(n, "dicom.userinfo.uid"), first(n, "dicom.userinfo.version"), or(n.get("dicom.max_pdu_len"), "0"))
				for _, pc := range presentationContexts(n) {
					result, accepted := number(pc.get("dicom.pctx.result")), ""
					if result == 0 {
						accepted = first(pc, "dicom.pctx.xfer.syntax")
					}
					add("answer %d %s %s", number(pc.get("dicom.pctx.id")), contextResults[result], accepted)
				}
			case "0x03":
				add("reject %s/%s/%s", n.get("dicom.assoc.reject.result"), n.get("dicom.assoc.reject.source"), n.get("dicom.assoc.reject.reason"))
			case "0x05", "0x06": // one of them may not have been captured
				r := releases[conv]
				r[number(typ)-5]++
				releases[conv] = r
			case "0x07":
				add("abort %s/%s", n.get("dicom.assoc.abort.source"), n.get("dicom.assoc.abort.reason"))
			}
			n.walk(func(pdv *node) {
				if cmd := commandSet(pdv); cmd != nil {
					ops = dimse(ops, open, conv, sender, p, cmd)
				}
			})
		}
	}
	for _, r := range releases {
		for range max(r[0], r[1]) {
			add("release")
		}
	}
	for _, o := range ops {
		add("%v", o)
	}
	return out
}

func presentationContexts(n *node) (out []*node) {
	n.walk(func(k *node) {
		if strings.HasPrefix(k.show, "Presentation Context") && k.name == "" {
			out = append(out, k)
		}
	})
	return out
}

// commandSet returns the elements of group 0000 below a PDV, nil when it has none.
func commandSet(pdv *node) map[uint16][]byte {
	if !strings.HasPrefix(pdv.show, "PDV") || pdv.name != "" {
		return nil
	}
	var out map[uint16][]byte
	for _, k := range pdv.kids {
		b, err := hex.DecodeString(k.value)
		if !strings.HasPrefix(k.show, "(0000,") || err != nil || len(b) < 8 {
			continue
		}
		if out == nil {
			out = map[uint16][]byte{}
		}
		out[binary.LittleEndian.Uint16(b[2:])] = b[8:]
	}
	return out
}

func dimse(ops []*dimseOperation, open map[string]*dimseOperation, conv, sender string, p *dissected, cmd map[uint16][]byte) []*dimseOperation {
	us := func(tag uint16) uint16 {
		if v := cmd[tag]; len(v) >= 2 {
			return binary.LittleEndian.Uint16(v)
		}
		return 0
	}
	str := func(tags ...uint16) string {
		for _, t := range tags {
			if v, ok := cmd[t]; ok {
				return strings.Trim(string(v), "\x00 ")
			}
		}
		return ""
	}
	count := func(tag uint16) string {
		if _, ok := cmd[tag]; !ok {
			return "-"
		}
		return strconv.Itoa(int(us(tag)))
	}
	field := us(0x0100)
	receiver := p.field("tcp.dstport")
	if field&0x8000 == 0 {
		o := &dimseOperation{command: dimseCommands[field], id: us(0x0110), class: str(0x0002, 0x0003), instance: str(0x1000, 0x1001), to: str(0x0600), from: str(0x1030),
			event: us(0x1002), action: us(0x1008), completed: "-", failed: "-", warning: "-"}
		if field == 0x0fff {
			o.id = us(0x0120)
			return append(ops, o)
		}
		open[conv+sender+strconv.Itoa(int(o.id))] = o
		return append(ops, o)
	}
	key := conv + receiver + strconv.Itoa(int(us(0x0120)))
	o := open[key]
	if o == nil {
		o = &dimseOperation{command: dimseCommands[field&^0x8000], id: us(0x0120), class: str(0x0002, 0x0003), instance: str(0x1000, 0x1001), event: us(0x1002), action: us(0x1008), completed: "-", failed: "-", warning: "-"}
		open[key] = o
		ops = append(ops, o)
	}
	o.answered, o.status = true, us(0x0900)
	if o.instance == "" {
		o.instance = str(0x1000, 0x1001)
	}
	for _, n := range []struct {
		tag uint16
		v   *string
	}{{0x1021, &o.completed}, {0x1022, &o.failed}, {0x1023, &o.warning}} {
		if s := count(n.tag); s != "-" {
			*n.v = s
		}
	}
	if o.status == 0xff00 || o.status == 0xff01 {
		if us(0x0800) != 0x0101 {
			o.results++
		}
	} else {
		delete(open, key)
	}
	return ops
}

func first(n *node, name string) string {
	for _, k := range n.all(name) {
		return k.text()
	}
	return ""
}

func texts(n *node, name string) []string {
	out := []string{}
	for _, k := range n.all(name) {
		out = append(out, k.text())
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func number(s string) int {
	n, _ := strconv.ParseInt(s, 0, 64)
	return int(n)
}

var hl7Comparison = comparison{
	name: "hl7",
	fields: "per message: MSH-3 to MSH-6, message type and trigger, control ID, processing ID, version, the names of all segments in order; " +
		"per acknowledgement: MSA-1 and MSA-2",
	ours: hl7Ours, theirs: hl7Theirs,
}

func hl7Ours(events []*event.Event) (out []string) {
	details(events, func(e *event.Event, d *event.HL7Message) {
		if e.Activity != 3 {
			var names []string
			for _, s := range d.Segments {
				name, times, ok := strings.Cut(s, "*")
				n := 1
				if ok {
					n = number(times)
				}
				names = append(names, slices.Repeat([]string{name}, n)...)
			}
			out = append(out, fmt.Sprintf("message %q %q > %q %q %s^%s id %q %q version %q %v", d.SendingApp, d.SendingFacility, d.ReceivingApp, d.ReceivingFacility, d.Type, d.Trigger, d.ControlID, d.ProcessingID, d.Version, names))
		}
		if d.AckCode != "" && d.AckCode != "MLLP NAK" {
			out = append(out, fmt.Sprintf("ack %s %q", d.AckCode, d.AckControlID))
		}
	})
	return out
}

func hl7Theirs(packets []*dissected) (out []string) {
	for _, p := range packets {
		for _, n := range p.of("hl7") {
			var segments []string
			for _, s := range n.all("hl7.segment") {
				segments = append(segments, strings.TrimRight(s.text(), "\r\n"))
			}
			if len(segments) == 0 || len(segments[0]) < 8 {
				continue
			}
			sep := segments[0][3:4]
			f := append(strings.Split(segments[0], sep), slices.Repeat([]string{""}, 16)...)
			typ := append(strings.Split(f[8], segments[0][4:5]), "", "")
			var names []string
			ack := ""
			for _, s := range segments {
				g := append(strings.Split(s, sep), "", "", "")
				names = append(names, g[0])
				if g[0] == "MSA" {
					ack = fmt.Sprintf("ack %s %q", g[1], g[2])
				}
			}
			if ack != "" {
				out = append(out, ack)
				continue
			}
			app := func(hd string) string { // the namespace of a hierarchic designator, §2.A.33
				hd, _, _ = strings.Cut(hd, segments[0][4:5])
				return hd
			}
			out = append(out, fmt.Sprintf("message %q %q > %q %q %s^%s id %q %q version %q %v", app(f[2]), app(f[3]), app(f[4]), app(f[5]), typ[0], typ[1], f[9], f[10], f[11], names))
		}
	}
	return out
}

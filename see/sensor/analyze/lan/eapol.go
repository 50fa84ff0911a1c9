// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/eapol"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/printable"
)

// eapolProtocol reports network logins: who starts, with which method, and how
// they end. The fragments of methods over TLS are not reported one by one.
func eapolProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "eapol",
		Select: func(p *packet.Packet) bool { return p.EtherType == packet.EtherTypeEAPOL && p.IPVersion == 0 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			f, err := eapol.Parse(p.Payload)
			if err != nil && p.Missing == 0 {
				return
			}
			s := frameSubject(p)
			version := strconv.Itoa(int(f.Version))
			e := f.EAP
			fromAuthenticator := f.Type == eapol.TypeEAP && e.Code != eapol.EAPResponse
			switch {
			case f.Type == eapol.TypeMKA:
				fact(c, s, device.AttrUses, "macsec", "eapol.mka", device.Structured)
				return
			case f.Type != eapol.TypeEAP && f.Type != eapol.TypeStart && f.Type != eapol.TypeLogoff:
				return
			case fromAuthenticator:
				fact(c, s, device.AttrCapability, "authenticator", "eapol.eap", device.Structured)
				fact(c, s, device.AttrClass, string(device.ClassNetwork), "eapol.eap", device.Hint)
			default:
				fact(c, s, device.AttrUses, "eapol", "eapol."+f.TypeName(), device.Structured)
			}
			attrs := pairs{}
			op, text, activity, status := f.TypeName(), "", uint8(message), event.StatusUnknown
			supplicant := device.MAC(p.SrcMAC)
			if fromAuthenticator {
				supplicant = device.MAC(p.DstMAC)
			}
			switch {
			case f.Type == eapol.TypeStart:
				text = fmt.Sprintf("%s asks to log in to the network", supplicant)
				activity = request
			case f.Type == eapol.TypeLogoff:
				text = fmt.Sprintf("%s logs off from the network", supplicant)
			case e.Code == eapol.EAPSuccess:
				op, text, activity, status = "success", "The network accepts a login", response, event.StatusSuccess
			case e.Code == eapol.EAPFailure:
				op, text, activity, status = "failure", "The network refuses a login", response, event.StatusFailure
			case e.Code == eapol.EAPResponse && e.Method == 1:
				shown, host, fqdn := identity(c, printable.Text(e.Identity, 253))
				attrs.add("identity", shown)
				fact(c, s, device.AttrHostname, host, "eap.identity", device.Claimed)
				fact(c, s, device.AttrFQDN, fqdn, "eap.identity", device.Claimed)
				op, text, activity = "identity", fmt.Sprintf("%s says who logs in", supplicant), response
			case e.Code == eapol.EAPResponse && e.Method == 3:
				var want []string
				for _, m := range e.Wanted {
					want = append(want, eapol.MethodName(m))
				}
				attrs.add("methods_wanted", join(want))
				op, text, activity = "nak", fmt.Sprintf("%s wants another login method: %s", supplicant, join(want)), response
			case e.Code == eapol.EAPRequest && e.Method > 3 && (e.TLSFlags&0x20 != 0 || !methodOverTLS(e.Method)):
				attrs.add("method", eapol.MethodName(e.Method))
				op, text, activity = "method", fmt.Sprintf("The network offers login by %s", eapol.MethodName(e.Method)), request
			default:
				return
			}
			c.Emit(&event.Event{Activity: activity, Status: status, Message: text,
				Detail: &event.Application{Name: "eapol", Version: version, Operation: op, Attributes: attrs}})
		},
	}
}

func methodOverTLS(m uint8) bool { return m == 13 || m == 21 || m == 25 || m == 43 || m == 55 }

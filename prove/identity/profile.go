// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

// policyArc is where the profiles' policy OIDs hang: the UUID
// 6f1c3b52-8c5d-4f0e-9a55-2d6c1a7e4b90 as an OID (ITU-T X.667), so that no
// registration is needed and nobody else has it.
const policyArc = "2.25.147690895046481283496692011812574350224"

// eapOverLAN is id-kp-eapOverLAN (RFC 4334 §2).
var eapOverLAN = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 14}

// Spec is what a profile means.
type Spec struct {
	Profile Profile
	Title   string
	// Policy is the OID of the certificate policy (RFC 5280 §4.2.1.4) by which a
	// certificate says its profile.
	Policy string
	// Client and Server say which end of TLS the certificate may be.
	Client, Server bool
	// LAN adds id-kp-eapOverLAN.
	LAN bool
	// Lifetime is how long a certificate is valid that its device renews by
	// itself.
	Lifetime time.Duration
	// LongLife is how long at most where the device cannot renew; 0: every device
	// of the profile has to.
	LongLife time.Duration
}

// Specs returns the profiles in the order of docs/identity.md.
func Specs() []Spec {
	const day = 24 * time.Hour
	list := []Spec{
		{Profile: DICOMNode, Title: "DICOM node", Client: true, Server: true, Lifetime: 7 * day, LongLife: 1095 * day},
		{Profile: XRHeadset, Title: "XR headset", Client: true, Lifetime: day},
		{Profile: SurgicalDevice, Title: "surgical device", Client: true, Server: true, Lifetime: 7 * day, LongLife: 1095 * day},
		{Profile: APIClient, Title: "API client", Client: true, Lifetime: day},
		{Profile: APIServer, Title: "API server", Server: true, Lifetime: 7 * day},
		{Profile: EAPSupplicant, Title: "802.1X supplicant", Client: true, LAN: true, Lifetime: 14 * day, LongLife: 1095 * day},
		{Profile: RADIUSServer, Title: "RADIUS server", Server: true, LAN: true, Lifetime: 14 * day, LongLife: 398 * day},
		{Profile: Infrastructure, Title: "infrastructure", Client: true, Server: true, Lifetime: 2 * day},
	}
	for i := range list {
		list[i].Policy = fmt.Sprintf("%s.%d", policyArc, i+1)
	}
	return list
}

// SpecOf returns what a profile means.
func SpecOf(p Profile) (Spec, error) {
	for _, s := range Specs() {
		if s.Profile == p {
			return s, nil
		}
	}
	var names []string
	for _, s := range Specs() {
		names = append(names, string(s.Profile))
	}
	return Spec{}, refuse(BadProfile, fmt.Sprintf("one of %v", names), "there is no profile %q", p)
}

// ProfileOf reads the profile that a certificate says it has, "" for none.
func ProfileOf(c *x509.Certificate) Profile {
	if len(c.Policies) != 1 {
		return ""
	}
	have := c.Policies[0].String()
	if i := slices.IndexFunc(profilePolicies, func(p string) bool { return p == have }); i >= 0 {
		return profileOrder[i]
	}
	return ""
}

// profileOrder and profilePolicies are Specs as two lists, read for each
// handshake. They are never written.
var (
	profileOrder    = []Profile{DICOMNode, XRHeadset, SurgicalDevice, APIClient, APIServer, EAPSupplicant, RADIUSServer, Infrastructure}
	profilePolicies = func() []string {
		var out []string
		for _, s := range Specs() {
			out = append(out, s.Policy)
		}
		return out
	}()
)

// usages are the extended key usages: those that crypto/x509 knows, and the rest.
func (s Spec) usages() (known []x509.ExtKeyUsage, more []asn1.ObjectIdentifier) {
	if s.Client {
		known = append(known, x509.ExtKeyUsageClientAuth)
	}
	if s.Server {
		known = append(known, x509.ExtKeyUsageServerAuth)
	}
	if s.LAN {
		more = append(more, eapOverLAN)
	}
	return known, more
}

// usageOIDs are all of them as OIDs.
func (s Spec) usageOIDs() []string {
	known, more := s.usages()
	var out []string
	for _, u := range known {
		out = append(out, u.OID().String())
	}
	for _, u := range more {
		out = append(out, u.String())
	}
	return out
}

// RenewFrom is when whoever holds a certificate should begin to renew it.
func RenewFrom(c *x509.Certificate) time.Time {
	return renewFrom(c.NotBefore, c.NotAfter, c.SerialNumber.Bytes())
}

// renewShare is the part of a lifetime after which a client begins to renew, in
// percent. The rest is time to try, and to be noticed when it fails.
const renewShare = 66

// renewFrom spreads renewals over a tenth of the lifetime, by the serial number,
// so that devices which were enrolled together do not come together.
func renewFrom(notBefore, notAfter time.Time, serial []byte) time.Time {
	life := notAfter.Sub(notBefore)
	spread := time.Duration(0)
	if len(serial) >= 2 {
		spread = life / 10 * time.Duration(uint16(serial[len(serial)-2])<<8|uint16(serial[len(serial)-1])) / 65536
	}
	return notBefore.Add(life*renewShare/100 - spread/2).Truncate(time.Second)
}

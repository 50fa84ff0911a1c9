// SPDX-License-Identifier: Apache-2.0

package ul

// Associate is an A-ASSOCIATE-RQ or A-ASSOCIATE-AC (PS3.8 §9.3.2, §9.3.3).
type Associate struct {
	Type               Type
	ProtocolVersion    uint16 // bit 0 set: version 1
	CalledAE           string // in an AC these two only repeat the RQ's and "shall not be tested"
	CallingAE          string
	ApplicationContext string
	Contexts           []PresentationContext // at most MaxContexts
	ContextCount       int                   // as sent
	User               UserInformation
	Violations         []Violation // at most maxViolations
}

// PresentationContext is a proposal (RQ) or the answer to one (AC).
type PresentationContext struct {
	ID               uint8
	AbstractSyntax   string   // RQ
	TransferSyntaxes []string // RQ: proposed, at most MaxTransferSyntaxes; AC: the one accepted
	Result           uint8    // AC: one of the constants below
}

// Results of a presentation context (PS3.8 §9.3.3.2).
const (
	Acceptance                          = 0
	UserRejection                       = 1
	NoReason                            = 2
	AbstractSyntaxNotSupported          = 3
	TransferSyntaxesNotSupported        = 4
	applicationContextItem              = 0x10
	presentationContextRQItem           = 0x20
	presentationContextACItem           = 0x21
	abstractSyntaxItem                  = 0x30
	transferSyntaxItem                  = 0x40
	userInformationItem                 = 0x50
	maximumLengthItem                   = 0x51
	implementationClassUIDItem          = 0x52
	asyncOperationsItem                 = 0x53
	roleSelectionItem                   = 0x54
	implementationVersionItem           = 0x55
	extendedNegotiationItem             = 0x56
	commonExtendedItem                  = 0x57
	userIdentityItem                    = 0x58
	userIdentityResponseItem            = 0x59
	maxViolations                       = 8
	maxAETitle                          = 16
	maxUID                              = 64
	maxImplementationVersion            = 16
	dicomApplicationContext             = "1.2.840.10008.3.1.1.1"
	defaultAsync                 uint16 = 1
)

// ResultName returns the name of a presentation context's result.
func ResultName(r uint8) string {
	switch r {
	case Acceptance:
		return "acceptance"
	case UserRejection:
		return "user-rejection"
	case NoReason:
		return "no-reason"
	case AbstractSyntaxNotSupported:
		return "abstract-syntax-not-supported"
	case TransferSyntaxesNotSupported:
		return "transfer-syntaxes-not-supported"
	}
	return unassigned(r)
}

// UserInformation is the user information item (PS3.8 annex D, PS3.7 annex D).
type UserInformation struct {
	MaxLength      uint32 // of a P-DATA-TF that the sender is able to receive; 0: no limit
	ImplUID        string
	ImplVersion    string
	Async          bool // asynchronous operations window was sent
	AsyncInvoked   uint16
	AsyncPerformed uint16
	Roles          []RoleSelection
	Extended       []ExtendedNegotiation
	CommonExtended []CommonExtendedNegotiation
	Identity       *UserIdentity
	IdentityReply  []byte // server response; aliases the parsed bytes
	IdentityAck    bool   // an answer to a user identity was sent
	Unknown        int    // sub-items of other types
}

// RoleSelection is SCP/SCU role selection (PS3.7 §D.3.3.4).
type RoleSelection struct {
	SOPClass string
	SCU, SCP bool
}

// ExtendedNegotiation is SOP class extended negotiation (PS3.7 §D.3.3.5).
type ExtendedNegotiation struct {
	SOPClass string
	Info     []byte // service class application information; aliases the parsed bytes
}

// CommonExtendedNegotiation is SOP class common extended negotiation (PS3.7 §D.3.3.6).
type CommonExtendedNegotiation struct {
	SOPClass     string
	ServiceClass string
	Related      []string // related general SOP classes
}

// UserIdentity is a user identity request (PS3.7 §D.3.3.7).
type UserIdentity struct {
	Type              uint8
	ResponseRequested bool
	Primary           []byte // user name, ticket, assertion or token; aliases the parsed bytes
	Secondary         []byte // passcode; aliases the parsed bytes
}

// TypeName returns what sort of credential the identity is.
func (u *UserIdentity) TypeName() string {
	switch u.Type {
	case 1:
		return "username"
	case 2:
		return "username-passcode"
	case 3:
		return "kerberos"
	case 4:
		return "saml"
	case 5:
		return "jwt"
	}
	return unassigned(u.Type)
}

// Violation is something that breaks the standard but can still be read.
type Violation struct{ Section, What string }

// String returns "what (section)".
func (v Violation) String() string { return v.What + " (" + v.Section + ")" }

func (a *Associate) violate(section, what string) {
	for _, v := range a.Violations {
		if v.Section == section && v.What == what {
			return
		}
	}
	if len(a.Violations) < maxViolations {
		a.Violations = append(a.Violations, Violation{section, what})
	}
}

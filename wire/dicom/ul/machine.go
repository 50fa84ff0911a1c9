// SPDX-License-Identifier: Apache-2.0

package ul

import "fmt"

// State is a state of the upper layer protocol machine (PS3.8 §9.2.2, tables 9-1
// to 9-5). The numbers are the standard's.
type State uint8

// The states. There is no state 0: the zero State is not a state.
const (
	Idle                      State = 1 + iota // Sta1: no association
	AwaitingRequest                            // Sta2: connection open, A-ASSOCIATE-RQ awaited
	AwaitingLocalResponse                      // Sta3: the local user decides about a request
	AwaitingConnection                         // Sta4: connection requested
	AwaitingResponse                           // Sta5: A-ASSOCIATE-AC or -RJ awaited
	Established                                // Sta6: data transfer
	AwaitingReleaseResponse                    // Sta7: A-RELEASE-RP awaited
	AwaitingLocalRelease                       // Sta8: the local user is to answer a release
	CollisionRequestorLocal                    // Sta9: release collision, requestor: the local user is to answer
	CollisionAcceptorAwaiting                  // Sta10: release collision, acceptor: A-RELEASE-RP awaited
	CollisionRequestorAwait                    // Sta11: release collision, requestor: A-RELEASE-RP awaited
	CollisionAcceptorLocal                     // Sta12: release collision, acceptor: the local user is to answer
	AwaitingClose                              // Sta13: the connection is to be closed
)

const states = int(AwaitingClose)

var stateNames = [states + 1]string{"no state", "idle", "awaiting A-ASSOCIATE-RQ", "awaiting the local answer to an association", "awaiting the connection",
	"awaiting A-ASSOCIATE-AC or -RJ", "established", "awaiting A-RELEASE-RP", "awaiting the local answer to a release", "release collision, requestor, local answer",
	"release collision, acceptor, awaiting A-RELEASE-RP", "release collision, requestor, awaiting A-RELEASE-RP", "release collision, acceptor, local answer", "awaiting the close of the connection"}

// String returns the standard's number and what the state means.
func (s State) String() string {
	if int(s) > states {
		s = 0
	}
	return fmt.Sprintf("Sta%d (%s)", uint8(s), stateNames[s])
}

// Happening is an event of the upper layer protocol machine (PS3.8 §9.2.3, table
// 9-10). The numbers are the standard's.
type Happening uint8

// The events.
const (
	RequestAssociation      Happening = 1 + iota // Evt1: A-ASSOCIATE request, local user
	ConnectionConfirmed                          // Evt2: the connection that was asked for is open
	ReceivedAssociateAC                          // Evt3
	ReceivedAssociateRJ                          // Evt4
	ConnectionIndicated                          // Evt5: a peer opened a connection
	ReceivedAssociateRQ                          // Evt6
	AcceptAssociation                            // Evt7: A-ASSOCIATE response (accept), local user
	RejectAssociation                            // Evt8: A-ASSOCIATE response (reject), local user
	SendData                                     // Evt9: P-DATA request, local user
	ReceivedPData                                // Evt10
	RequestRelease                               // Evt11: A-RELEASE request, local user
	ReceivedReleaseRQ                            // Evt12
	ReceivedReleaseRP                            // Evt13
	AnswerRelease                                // Evt14: A-RELEASE response, local user
	RequestAbort                                 // Evt15: A-ABORT request, local user
	ReceivedAbort                                // Evt16
	ConnectionClosed                             // Evt17
	TimerExpired                                 // Evt18: the ARTIM timer
	ReceivedUnrecognisedPDU                      // Evt19: unrecognised or invalid PDU
)

const happenings = int(ReceivedUnrecognisedPDU)

// String returns the standard's number.
func (h Happening) String() string { return fmt.Sprintf("Evt%d", uint8(h)) }

// Action is what the machine does on an event (PS3.8 §9.2.1, tables 9-6 to 9-9).
type Action uint8

// The actions, by the standard's names.
const (
	None Action = iota // the event cannot happen in the state
	AE1                // open a connection
	AE2                // send A-ASSOCIATE-RQ
	AE3                // tell the user that the association is accepted
	AE4                // tell the user that it is rejected, close
	AE5                // take the connection, start ARTIM
	AE6                // stop ARTIM; hand the request to the user, or reject it
	AE7                // send A-ASSOCIATE-AC
	AE8                // send A-ASSOCIATE-RJ, start ARTIM
	DT1                // send P-DATA-TF
	DT2                // hand the data to the user
	AR1                // send A-RELEASE-RQ
	AR2                // tell the user that the peer releases
	AR3                // tell the user that the release is confirmed, close
	AR4                // send A-RELEASE-RP, start ARTIM
	AR5                // stop ARTIM
	AR6                // hand over data that came after the release was asked for
	AR7                // send P-DATA-TF before the release is answered
	AR8                // both sides released: tell the user
	AR9                // send A-RELEASE-RP
	AR10               // tell the user that the release is confirmed
	AA1                // send A-ABORT (source: service-user), start ARTIM
	AA2                // stop ARTIM, close
	AA3                // tell the user that the peer aborted, close
	AA4                // tell the user that the connection was lost
	AA5                // stop ARTIM
	AA6                // ignore the PDU
	AA7                // send A-ABORT
	AA8                // send A-ABORT (source: service-provider), tell the user, start ARTIM
)

var actionNames = [...]string{"none", "AE-1", "AE-2", "AE-3", "AE-4", "AE-5", "AE-6", "AE-7", "AE-8", "DT-1", "DT-2",
	"AR-1", "AR-2", "AR-3", "AR-4", "AR-5", "AR-6", "AR-7", "AR-8", "AR-9", "AR-10", "AA-1", "AA-2", "AA-3", "AA-4", "AA-5", "AA-6", "AA-7", "AA-8"}

// String returns the standard's name, "AE-1".
func (a Action) String() string { return actionNames[a] }

// next is the state after each action; AE-6 and AR-8 have two, see Next.
var next = [...]State{AE1: 4, AE2: 5, AE3: 6, AE4: 1, AE5: 2, AE6: 3, AE7: 6, AE8: 13, DT1: 6, DT2: 6,
	AR1: 7, AR2: 8, AR3: 1, AR4: 13, AR5: 1, AR6: 7, AR7: 8, AR8: 9, AR9: 11, AR10: 12,
	AA1: 13, AA2: 1, AA3: 1, AA4: 1, AA5: 1, AA6: 13, AA7: 13, AA8: 13}

// transitions is table 9-10: a row for each event, a column for each state.
var transitions = [happenings + 1][states + 1]Action{
	RequestAssociation:      {1: AE1},
	ConnectionConfirmed:     {4: AE2},
	ReceivedAssociateAC:     {2: AA1, 3: AA8, 5: AE3, 6: AA8, 7: AA8, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA6},
	ReceivedAssociateRJ:     {2: AA1, 3: AA8, 5: AE4, 6: AA8, 7: AA8, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA6},
	ConnectionIndicated:     {1: AE5},
	ReceivedAssociateRQ:     {2: AE6, 3: AA8, 5: AA8, 6: AA8, 7: AA8, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA7},
	AcceptAssociation:       {3: AE7},
	RejectAssociation:       {3: AE8},
	SendData:                {6: DT1, 8: AR7},
	ReceivedPData:           {2: AA1, 3: AA8, 5: AA8, 6: DT2, 7: AR6, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA6},
	RequestRelease:          {6: AR1},
	ReceivedReleaseRQ:       {2: AA1, 3: AA8, 5: AA8, 6: AR2, 7: AR8, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA6},
	ReceivedReleaseRP:       {2: AA1, 3: AA8, 5: AA8, 6: AA8, 7: AR3, 8: AA8, 9: AA8, 10: AR10, 11: AR3, 12: AA8, 13: AA6},
	AnswerRelease:           {8: AR4, 9: AR9, 12: AR4},
	RequestAbort:            {3: AA1, 4: AA2, 5: AA1, 6: AA1, 7: AA1, 8: AA1, 9: AA1, 10: AA1, 11: AA1, 12: AA1},
	ReceivedAbort:           {2: AA2, 3: AA3, 5: AA3, 6: AA3, 7: AA3, 8: AA3, 9: AA3, 10: AA3, 11: AA3, 12: AA3, 13: AA2},
	ConnectionClosed:        {2: AA5, 3: AA4, 4: AA4, 5: AA4, 6: AA4, 7: AA4, 8: AA4, 9: AA4, 10: AA4, 11: AA4, 12: AA4, 13: AR5},
	TimerExpired:            {2: AA2, 13: AA2},
	ReceivedUnrecognisedPDU: {2: AA1, 3: AA8, 5: AA8, 6: AA8, 7: AA8, 8: AA8, 9: AA8, 10: AA8, 11: AA8, 12: AA8, 13: AA7},
}

// Next is the upper layer protocol machine: what to do when h happens in state s,
// and the state after it. requestor says which side asked for the association; only AR-8
// depends on it. AE-6 leads to AwaitingLocalResponse here: a request that is
// refused at once is a RejectAssociation from there, with the same PDU on the wire.
// ok is false when h cannot happen in s: the state stays, and for what the local user
// asked for it is a mistake of the caller.
func Next(s State, h Happening, requestor bool) (a Action, to State, ok bool) {
	if int(s) > states || int(h) > happenings {
		return None, s, false
	}
	a = transitions[h][s]
	if a == None {
		return None, s, false
	}
	to = next[a]
	if a == AR8 && !requestor {
		to = CollisionAcceptorAwaiting
	}
	return a, to, true
}

// Received returns the event that the arrival of a PDU is.
func Received(t Type) Happening {
	switch t {
	case TypeAssociateRQ:
		return ReceivedAssociateRQ
	case TypeAssociateAC:
		return ReceivedAssociateAC
	case TypeAssociateRJ:
		return ReceivedAssociateRJ
	case TypePData:
		return ReceivedPData
	case TypeReleaseRQ:
		return ReceivedReleaseRQ
	case TypeReleaseRP:
		return ReceivedReleaseRP
	case TypeAbort:
		return ReceivedAbort
	}
	return ReceivedUnrecognisedPDU
}

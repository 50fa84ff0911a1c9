// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Activity is a request that has ended. It holds no identifier of a patient.
type Activity struct {
	At       time.Time
	Took     time.Duration
	Service  string // "stow", "qido", "wado"; "" where the request was for none
	Resource string // of wado: Instances, Metadata ...
	Level    string // "studies", "series", "instances"
	Sender   instance.Sender
	Status   int // of HTTP
	Study    string
	// Instances counts those stored or given out, Failed those refused or withheld, Matches the
	// results of a query, Bytes those of the body that came or went.
	Instances int
	Failed    int
	Matches   int
	Bytes     int64
	// Keys are the names of the attributes that a query matched.
	Keys []string
	// SOPClasses of the instances stored or given out, each once, at most 32.
	SOPClasses []string
	// Problem is a code, What and Hint are its words; empty where all went well.
	Problem string
	What    string
	Hint    string
	// Cause is for the log of whoever runs the gateway; it is not for a client.
	Cause error
}

// maxClasses bounds Activity.SOPClasses.
const maxClasses = 32

func (a *Activity) class(uid string) {
	if len(a.SOPClasses) == maxClasses {
		return
	}
	for _, c := range a.SOPClasses {
		if c == uid {
			return
		}
	}
	a.SOPClasses = append(a.SOPClasses, uid)
}

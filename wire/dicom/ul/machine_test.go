// SPDX-License-Identifier: Apache-2.0

package ul

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// table910 is PS3.8 table 9-10 as it is printed: an event a line, then a column for
// each of Sta1 to Sta13 with the action and the next state; "-" where the
// standard leaves the cell empty.
const table910 = `
1    AE-1/4  -       -       -       -       -       -       -       -       -        -       -       -
2    -       -       -       AE-2/5  -       -       -       -       -       -        -       -       -
3    -       AA-1/13 AA-8/13 -       AE-3/6  AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-6/13
4    -       AA-1/13 AA-8/13 -       AE-4/1  AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-6/13
5    AE-5/2  -       -       -       -       -       -       -       -       -        -       -       -
6    -       AE-6/3  AA-8/13 -       AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-7/13
7    -       -       AE-7/6  -       -       -       -       -       -       -        -       -       -
8    -       -       AE-8/13 -       -       -       -       -       -       -        -       -       -
9    -       -       -       -       -       DT-1/6  -       AR-7/8  -       -        -       -       -
10   -       AA-1/13 AA-8/13 -       AA-8/13 DT-2/6  AR-6/7  AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-6/13
11   -       -       -       -       -       AR-1/7  -       -       -       -        -       -       -
12   -       AA-1/13 AA-8/13 -       AA-8/13 AR-2/8  AR-8/*  AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-6/13
13   -       AA-1/13 AA-8/13 -       AA-8/13 AA-8/13 AR-3/1  AA-8/13 AA-8/13 AR-10/12 AR-3/1  AA-8/13 AA-6/13
14   -       -       -       -       -       -       -       AR-4/13 AR-9/11 -        -       AR-4/13 -
15   -       -       AA-1/13 AA-2/1  AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13 AA-1/13  AA-1/13 AA-1/13 -
16   -       AA-2/1  AA-3/1  -       AA-3/1  AA-3/1  AA-3/1  AA-3/1  AA-3/1  AA-3/1   AA-3/1  AA-3/1  AA-2/1
17   -       AA-5/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1   AA-4/1  AA-4/1  AR-5/1
18   -       AA-2/1  -       -       -       -       -       -       -       -        -       -       AA-2/1
19   -       AA-1/13 AA-8/13 -       AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13 AA-8/13  AA-8/13 AA-8/13 AA-7/13
`

func TestEveryTransitionIsThatOfTheStandard(t *testing.T) {
	seen := 0
	for row := range strings.Lines(strings.TrimSpace(table910)) {
		cells := strings.Fields(row)
		evt, err := strconv.Atoi(cells[0])
		if err != nil || len(cells) != 14 {
			t.Fatalf("row %q", row)
		}
		for i, want := range cells[1:] {
			for _, requestor := range []bool{true, false} {
				seen++
				a, to, ok := Next(State(i+1), Happening(evt), requestor)
				got := "-"
				if ok {
					got = fmt.Sprintf("%v/%d", a, to)
				} else if to != State(i+1) || a != None {
					t.Errorf("Evt%d in Sta%d cannot happen, but leads to %v by %v", evt, i+1, to, a)
				}
				w := want
				if w == "AR-8/*" { // table 9-8: "If association-requestor, next state is Sta9, otherwise Sta10"
					w = map[bool]string{true: "AR-8/9", false: "AR-8/10"}[requestor]
				}
				if got != w {
					t.Errorf("Evt%d in Sta%d (requestor %v): %s, the standard says %s", evt, i+1, requestor, got, w)
				}
			}
		}
	}
	if seen != 2*happenings*states {
		t.Errorf("%d cells compared, want %d", seen, 2*happenings*states)
	}
}

func TestNoStateIsADeadEnd(t *testing.T) {
	for s := Idle + 1; s <= AwaitingClose; s++ {
		if a, to, ok := Next(s, ConnectionClosed, true); !ok || to != Idle {
			t.Errorf("%v: the loss of the connection leads to %v by %v", s, to, a)
		}
	}
	for h := RequestAssociation; h <= ReceivedUnrecognisedPDU; h++ {
		if _, _, ok := Next(0, h, true); ok {
			t.Errorf("%v happens in no state", h)
		}
	}
	if _, _, ok := Next(AwaitingClose+1, ReceivedPData, false); ok {
		t.Error("a state beyond the last has a transition")
	}
}

func TestEachPDUIsItsEvent(t *testing.T) {
	for typ, want := range map[Type]Happening{TypeAssociateRQ: 6, TypeAssociateAC: 3, TypeAssociateRJ: 4, TypePData: 10, TypeReleaseRQ: 12, TypeReleaseRP: 13, TypeAbort: 16, 0x5A: 19} {
		if got := Received(typ); got != want {
			t.Errorf("%v is %v, want %v", typ, got, want)
		}
	}
	if s := Established.String(); s != "Sta6 (established)" {
		t.Errorf("the state's name is %q", s)
	}
}

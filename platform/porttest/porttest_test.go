// SPDX-License-Identifier: Apache-2.0

package porttest

import (
	"errors"
	"net"
	"strconv"
	"testing"
)

func TestAPortThatIsFoundIsNoneThatTheSystemGives(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		seen[port] = true
		if port < first || port >= end {
			t.Errorf("%d was found", port)
		}
	}
	if len(seen) < 150 {
		t.Errorf("200 looks found only %d ports", len(seen))
	}
	for said, want := range map[string]int{
		"32768\t60999\n": 32768, "20000\t60999\n": 20000, "49152\t65535\n": end, "1024\t65535\n": end, "10000 65535": end, "": end, "many\t\n": end, "\n": end,
	} {
		if got := given([]byte(said)); got != want {
			t.Errorf("where the system gives %q, ports end at %d, want %d", said, got, want)
		}
	}
}

func TestAPortOnWhichSomebodyListensIsNotFound(t *testing.T) {
	port, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got, err := free(port, port+1); !errors.Is(err, ErrNone) {
		t.Errorf("%d is found though somebody listens on %d: %v", got, port, err)
	}
}

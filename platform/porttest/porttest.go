// SPDX-License-Identifier: Apache-2.0

// Package porttest finds ports for servers that tests and benchmarks start as others would: with a port in their
// configuration, which has to be known before they listen.
//
// A port of which the system was asked for any, and which was given back, may be given to the next who asks, here or in
// another process: before its server listens, while the server is stopped to be started again, or at any time where nobody
// is to listen. The ports of this package lie below those that the system gives, so that nobody gets one by chance but
// another caller of this package. It does not reserve them: two callers get the same one if neither listens yet, with a
// chance of one in many thousands.
package porttest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// The ports: above those of services that a machine has, and below those that the system gives by itself.
const (
	first = 10_000
	end   = 32_768 // of Linux, where nothing else is said; other systems begin higher
)

// ErrNone says that no port was found.
var ErrNone = errors.New("no port of the loopback is free")

// Free returns a port of the loopback on which nobody listens.
func Free() (int, error) {
	b, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // elsewhere there is none
	return free(first, given(b))
}

// given is the lowest port that the system gives, by what it says (ip(7), ip_local_port_range). Where it gives nearly
// all, none is better than another.
func given(said []byte) int {
	low, err := strconv.Atoi(string(append(bytes.Fields(said), nil)[0]))
	if err != nil || low < first+1000 {
		return end
	}
	return min(low, end)
}

// free looks from one port up to another, which is not among them.
func free(from, to int) (int, error) {
	var last error
	for range 100 {
		port := from + rand.IntN(to-from)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("%w: %w", ErrNone, last)
}

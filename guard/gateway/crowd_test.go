// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"net"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/prove/identity"
)

func TestNoAddressKeepsTheOthersOut(t *testing.T) {
	gatewaytest.Need(t, "echoscu")
	p := newPlace(t, options{config: func(c *Config) { c.PerAddress = 3 }})
	d := p.enrol(identity.DICOMNode, "ct-1")
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", p.g.Addr(KindTLS).String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	echo := func() error {
		_, err := gatewaytest.Run(t, "echoscu", append(d.TLS(), "-aet", "CT1", "-aec", "ASEPSIS", "127.0.0.1", p.port(KindTLS))...)
		return err
	}
	if echo() == nil {
		t.Error("a fourth connection was served")
	}
	gatewaytest.Until(t, "it to be shown", func() bool { return len(p.ended()) == 1 })
	if got := p.ended()[0]; got.Problem != TooMany || got.Hint == "" {
		t.Errorf("%+v", got)
	}
	_ = held[0].Close()
	held = held[1:]
	gatewaytest.Until(t, "the place to be free", func() bool { return echo() == nil })
}

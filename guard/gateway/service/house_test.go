// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest/whole"
	"github.com/asepsis/asepsis/guard/gateway/service"
)

// house is a hospital whose gateway sends everything to a processor, which is not up yet.
func house(t testing.TB, change func(*service.Config)) (*whole.House, *gatewaytest.StoreSCP) {
	t.Helper()
	x := gatewaytest.NewStoreSCP(t, "XR1")
	return whole.New(t, bindings(), func(c *service.Config) {
		sendTo(x.Port)(c)
		if change != nil {
			change(c)
		}
	}), x
}

func sendTo(port string) func(*service.Config) {
	return func(c *service.Config) {
		c.Forward.Destinations = []forward.Destination{whole.To("xr", "XR1", port)}
		c.Forward.Routes = []forward.Route{{Name: "all", To: []string{"xr"}, Fail: forward.FailClosed}}
	}
}

func bindings() []control.Binding {
	return []control.Binding{
		{Device: "ct-1", CallingAE: []string{"CT1"}, SOPClasses: []string{"ct", "encapsulated"}, Operations: []string{"echo", "store"}, Theatre: "or-3"},
		{Device: "us-old", Plain: true, CallingAE: []string{"US1"}, Addresses: []string{"127.0.0.1"}, Operations: []string{"echo", "store"}},
	}
}

// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/atna"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/journal"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Config is a whole gateway.
type Config struct {
	gateway.Config `yaml:",inline"`

	Dir        string          `yaml:"dir" doc:"Directory of the gateway: journal, bindings, policy, and a ledger of its own where it runs alone. Empty: gateway in the data directory."`
	PolicyFile string          `yaml:"policy_file" doc:"Policy of the content firewall; read again when it changes. Empty: policy.yaml in the gateway's directory, and without that file the policy that comes with the program."`
	Trust      trust.Config    `yaml:"trust" doc:"The gateway's certificate and the site's root. Not needed where the site's authority runs in the same process: then it gets one by itself."`
	Orders     string          `yaml:"orders" doc:"Whose requests it carries out that come over the bus. signed: what changes anything, reaches out or shows a patient only under the signature of a service in orders_from. all: everything, reading too. bus: everything from whoever reaches the bus, in any person's name. A console in the same process asks without the bus."`
	OrdersFrom []string        `yaml:"orders_from" doc:"Names of the services whose signature counts, as their certificates of the profile infrastructure have them; console is also console-east."`
	OrdersSkew time.Duration   `yaml:"orders_skew" doc:"How far the time of an order may be from the gateway's clock."`
	Devices    []Device        `yaml:"devices" doc:"What is known of devices besides their certificates; what an instance says of its maker is compared with it."`
	Forward    forward.Config  `yaml:"forward" doc:"Where instances go: destinations and routes."`
	Query      query.Config    `yaml:"query" doc:"What is asked of archives and worklists."`
	Web        dicomweb.Config `yaml:"web" doc:"DICOMweb, of listeners of that kind."`
	Deid       deid.Config     `yaml:"deidentification" doc:"Profiles by which destinations get instances without what identifies patients."`
	Audit      atna.Config     `yaml:"audit" doc:"DICOM audit messages to the site's audit repository (PS3.15 §A.5)."`
	Journal    journal.Config  `yaml:"journal" doc:"Where instances are kept on their way."`
	Ledger     ledger.Config   `yaml:"ledger" doc:"The gateway's own ledger, where it runs alone. In a process with the site's ledger it writes that one."`
}

// Device is what is known of a device.
type Device struct {
	Device       string   `yaml:"device" doc:"Device ID."`
	Manufacturer string   `yaml:"manufacturer" doc:"As its images say."`
	Models       []string `yaml:"models" doc:"Manufacturer's model names."`
	Serials      []string `yaml:"serials" doc:"Device serial numbers."`
	Stations     []string `yaml:"stations" doc:"Station names."`
}

// Default returns the defaults: no listener, so no gateway.
func Default() Config {
	return Config{Config: gateway.Default(), Trust: trust.Default(), Orders: control.OrdersSigned, OrdersFrom: []string{order.Console}, OrdersSkew: defaultSkew, Forward: forward.Default(), Query: query.Default(), Web: dicomweb.Default(), Deid: deid.Default(), Audit: atna.Default(), Journal: journal.Default(), Ledger: ledger.Default()}
}

// Validate implements config.Validator: what the parts cannot know of each other.
func (c Config) Validate() error {
	var errs []error
	errs = append(errs, c.Config.Validate())
	if !slices.Contains([]string{control.OrdersSigned, control.OrdersAll, control.OrdersBus}, c.Orders) {
		errs = append(errs, config.Invalid("orders", "signed", "must be signed, all or bus, is %q", c.Orders))
	}
	if len(c.OrdersFrom) == 0 && c.Orders != control.OrdersBus {
		errs = append(errs, config.Invalid("orders_from", "[console]", "is empty: nobody could steer the gateway over the bus"))
	}
	if c.OrdersSkew < order.MinSkew || c.OrdersSkew > order.MaxSkew {
		errs = append(errs, config.Invalid("orders_skew", "2m", "must be from %s to %s, is %s", order.MinSkew, order.MaxSkew, c.OrdersSkew))
	}
	known := map[string]bool{}
	for i, d := range c.Forward.Destinations {
		known[d.Name] = true
		if _, ok := c.Deid.Profiles[d.Deid]; d.Deid != "" && !ok {
			errs = append(errs, config.Invalid(fmt.Sprintf("forward.destinations[%d].deid", i), "gateway.deidentification.profiles has them", "there is no de-identification profile %q", d.Deid))
		}
	}
	for i, d := range c.Query.Destinations {
		if !known[d.Destination] {
			errs = append(errs, config.Invalid(fmt.Sprintf("query.move_destinations[%d].destination", i), "name one of gateway.forward.destinations", "there is no destination %q", d.Destination))
		}
	}
	routes := map[string]bool{}
	for i, r := range c.Forward.Routes {
		if routes[r.Name] = true; slices.Contains([]string{query.RouteGet, query.RouteMove, gateway.RouteRetrieve}, r.Name) {
			errs = append(errs, config.Invalid(fmt.Sprintf("forward.routes[%d].name", i), "choose another name", "%q is the route of what devices retrieve", r.Name))
		}
	}
	for i, r := range c.Retrievals.Routes {
		if routes[r.Name] {
			errs = append(errs, config.Invalid(fmt.Sprintf("retrievals.routes[%d].name", i), "the console shows both in one list", "%q is a route of gateway.forward too", r.Name))
		}
	}
	seen := map[string]bool{}
	for i, d := range c.Devices {
		if d.Device == "" || seen[d.Device] {
			errs = append(errs, config.Invalid(fmt.Sprintf("devices[%d].device", i), "", "%q is missing or there twice", d.Device))
		}
		seen[d.Device] = true
	}
	return errors.Join(errs...)
}

// secure reports whether anything of the gateway needs a certificate.
func (c *Config) secure() bool {
	return slices.ContainsFunc(c.Listeners, func(l gateway.Listener) bool { return l.Kind != gateway.KindPlain }) ||
		slices.ContainsFunc(c.Forward.Destinations, func(d forward.Destination) bool { return d.TLS == forward.TLSSite }) ||
		slices.ContainsFunc(c.Query.Archives, func(a query.Archive) bool { return a.TLS }) ||
		c.Audit.Address != "" && c.Audit.CAFile == "" || slices.ContainsFunc(c.Query.Callbacks, func(a query.Callback) bool { return a.TLS })
}

func (c *Config) dir(data string) string { return cmp.Or(c.Dir, filepath.Join(data, "gateway")) }

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/inventory"
)

// exportFormats are the forms of `asepsis inventory export`, in the order of
// its help.
var exportFormats = []string{"csv", "json", "netbox-devices", "netbox-interfaces", "netbox-macs", "netbox-addresses", "netbox-json"}

// exporter returns what writes devices in a form, nil for an unknown one.
func exporter(format, site string) func(io.Writer, []device.Device) error {
	n := inventory.NetBox{Site: site}
	switch format {
	case "csv":
		return inventory.WriteCSV
	case "json":
		return inventory.WriteJSON
	case "netbox-devices":
		return n.WriteDevicesCSV
	case "netbox-interfaces":
		return n.WriteInterfacesCSV
	case "netbox-macs":
		return n.WriteMACsCSV
	case "netbox-addresses":
		return n.WriteAddressesCSV
	case "netbox-json":
		return n.WriteREST
	}
	return nil
}

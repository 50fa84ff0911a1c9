// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/asepsis/asepsis/see/inventory"
)

func exporters(inv *inventory.Inventory) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{"json": func(w io.Writer) error { return writeJSON(w, inv.Devices()) }}
}

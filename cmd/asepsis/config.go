// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/live"
)

// settings is the configuration file. The rooms' own Config types document
// each field; `asepsis config show-defaults` prints all of them.
type settings struct {
	Site struct {
		KeyFile string `yaml:"key_file"`
	} `yaml:"site"`
	Sensor    sensor.Config    `yaml:"sensor"`
	Live      live.Config      `yaml:"live"`
	Inventory inventory.Config `yaml:"inventory"`
}

func defaults() settings {
	return settings{Sensor: sensor.Default(), Live: live.Default(), Inventory: inventory.Default()}
}

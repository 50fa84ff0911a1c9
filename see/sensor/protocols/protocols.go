// SPDX-License-Identifier: Apache-2.0

// Package protocols lists every analyser that Asepsis has, so that each
// program that runs a sensor runs the same ones.
package protocols

import (
	"slices"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/clinical"
	"github.com/asepsis/asepsis/see/sensor/analyze/imaging"
	"github.com/asepsis/asepsis/see/sensor/analyze/lan"
	"github.com/asepsis/asepsis/see/sensor/analyze/remote"
	"github.com/asepsis/asepsis/see/sensor/analyze/web"
)

// All returns a fresh list of all analysers.
func All() []analyze.Protocol {
	return slices.Concat(
		imaging.Protocols(),
		clinical.Protocols(),
		lan.Protocols(),
		web.Protocols(slices.Concat(clinical.Interpreters(), lan.Interpreters())...),
		remote.Protocols(),
	)
}

// Names returns the names of all analysers, sorted, each once.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

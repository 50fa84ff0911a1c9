// SPDX-License-Identifier: Apache-2.0

// Package ocsf holds the Asepsis medical extension of the Open Cybersecurity
// Schema Framework (OCSF 1.8.0), in OCSF's own file format: extension.json,
// dictionary.json, objects/ and events/. README.md says how to load it.
//
// The files are what the Go structs of core/event are held to: a test compares
// them by reflection, in both directions.
package ocsf

import "embed"

// Files is the extension as a file tree: extension.json, dictionary.json,
// objects/*.json and events/*/*.json.
//
//go:embed extension.json dictionary.json objects events
var Files embed.FS

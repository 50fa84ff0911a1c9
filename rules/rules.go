// SPDX-License-Identifier: Apache-2.0

// Package rules holds the detections as content: one YAML file for each rule,
// rules/<family>/<name>.yaml, and the indicator lists in rules/lists. What a rule
// is made of and how to write one is in docs/rules.md; who reads them is see/detect.
package rules

import "embed"

// FS is the content as it was when the program was built.
//
//go:embed */*.yaml
var FS embed.FS

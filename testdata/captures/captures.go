// SPDX-License-Identifier: Apache-2.0

// Package captures embeds the recorded morning of a theatre, for the demo that
// the program carries with it. README.md says how it was recorded.
package captures

import _ "embed"

// Theatre is theatre.pcapng: a morning of theatre 3 of a hospital that does not
// exist, in a minute.
//
//go:embed theatre.pcapng
var Theatre []byte

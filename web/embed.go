// SPDX-License-Identifier: Apache-2.0

// Package web holds the console's built files, so that a plain go build has the
// console in it. The sources are in src; dist is built from them, committed, and
// compared byte by byte in continuous integration.
//
// Nothing here knows HTTP: respond/api serves what Dist gives.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist returns the built console: index.html at its root, everything else under
// names that its build chose.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("BUG: the embedded directory is named dist: " + err.Error())
	}
	return sub
}

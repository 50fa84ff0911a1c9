// SPDX-License-Identifier: Apache-2.0

// Package downlevel converts events to older OCSF versions.
package downlevel

func Versions() []string { return nil }
func Convert(b []byte, v string) ([]byte, error) { return b, nil }

// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "errors"

// latency needs a sensor on an interface.
func latency(int, int, map[string]any) error {
	return errors.New("the sensor watches interfaces on Linux only")
}

// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

// programs are what the test binary is when it is called by their names.
func programs() map[string]func() { return map[string]func(){"asepsis": main} }

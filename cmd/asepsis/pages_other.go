// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

// largePages does nothing where pages cannot be asked for.
func largePages() {}

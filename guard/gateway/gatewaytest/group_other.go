// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package gatewaytest

import "os/exec"

func grouped(*exec.Cmd) {}

func killGroup(c *exec.Cmd) { _ = c.Process.Kill() }

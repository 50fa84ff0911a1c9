// SPDX-License-Identifier: Apache-2.0

//go:build unix

package gatewaytest

import (
	"os/exec"
	"syscall"
)

// grouped has a program in a group of its own, with what it forks.
func grouped(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a program that was started, and all that it forked.
func killGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DropPrivileges gives up, in all threads of the process and for good, what a
// sensor no longer needs once its captures are open.
//
// As root it changes to the account (a name, "UID" or "UID:GID"; "" means
// [DefaultUser]) with that account's primary group and no other. Not as root, it
// stays the user that it is. In both cases every capability is dropped and no
// program started later can gain any (PR_SET_NO_NEW_PRIVS); as root the bounding
// set is emptied too. The result is read back from the kernel for every thread,
// and it is tried to become root again: unless all of it holds, an *Error with
// ErrPrivileges is returned, and the process must not go on.
//
// In a binary linked with cgo the runtime cannot make a system call in all
// threads. There, no_new_privs travels with a seccomp filter that allows
// everything, the bounding set is emptied in one thread only (which no_new_privs
// makes harmless), and capabilities given to a user other than root cannot be
// dropped: an error is returned. The released binaries are built without cgo.
func DropPrivileges(account string) error {
	if account == "" {
		account = DefaultUser
	}
	uid := os.Geteuid()
	if uid == 0 {
		var gid int
		var err error
		if uid, gid, err = lookup(account); err != nil {
			return privilegeError("find the account", err, "name an existing account other than root, or UID:GID")
		}
		if err := become(uid, gid); err != nil {
			return privilegeError("become "+account, err, "root without CAP_SETUID, CAP_SETGID and CAP_SETPCAP cannot change its user: start as a user that only has CAP_NET_RAW")
		}
	}
	if err := dropCapabilities(); err != nil {
		return privilegeError("drop capabilities", err, "build without cgo: CGO_ENABLED=0")
	}
	if err := forbidNewPrivileges(); err != nil {
		return privilegeError("set no_new_privs", err, "the kernel must be 4.14 or newer")
	}
	if err := verifyDropped(uid); err != nil {
		return privilegeError("verify", err, "start as root, or build without cgo (CGO_ENABLED=0); /proc must be mounted")
	}
	return nil
}

func privilegeError(doing string, err error, hint string) error {
	return &Error{Err: fmt.Errorf("%w: %s: %w", ErrPrivileges, doing, err), hint: hint}
}

func lookup(account string) (uid, gid int, err error) {
	us, gs, numeric := strings.Cut(account, ":")
	if !numeric {
		gs = us
	}
	if n, err := strconv.ParseUint(us, 10, 31); err == nil {
		g, err := strconv.ParseUint(gs, 10, 31)
		if err != nil {
			return 0, 0, fmt.Errorf("group %q is no number", gs)
		}
		uid, gid = int(n), int(g)
	} else {
		u, err := user.Lookup(account)
		if err != nil {
			return 0, 0, err
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return 0, 0, err
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return 0, 0, err
		}
	}
	if uid == 0 || gid == 0 {
		return 0, 0, fmt.Errorf("%s is root", account)
	}
	return uid, gid, nil
}

// become changes user and groups in all threads. The bounding set goes first, as
// it takes CAP_SETPCAP to change it.
func become(uid, gid int) error {
	for c := range 64 {
		err := allThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c), 0)
		if errors.Is(err, unix.EINVAL) {
			break // past the kernel's last capability
		}
		if err != nil {
			return fmt.Errorf("empty the bounding set: %w", err)
		}
	}
	if err := syscall.Setgroups([]int{}); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("setresgid: %w", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("setresuid: %w", err)
	}
	return nil
}

func dropCapabilities() error {
	if err := allThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("clear the ambient set: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}

func forbidNewPrivileges() error {
	if err := allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return err
	}
	if !linkedWithCgo() {
		return nil
	}
	// seccomp(2): with TSYNC the caller's no_new_privs is set in all threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	allow := [1]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	program := unix.SockFprog{Len: 1, Filter: &allow[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(&allow)
	if errno != 0 {
		return errno
	}
	if thread != 0 {
		return fmt.Errorf("thread %d has another seccomp filter", thread)
	}
	return nil
}

// linkedWithCgo reports whether the runtime refuses calls in all threads.
func linkedWithCgo() bool {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0)
	return errno == syscall.ENOTSUP
}

// allThreads makes a system call in every thread, or with cgo in this one.
//
//go:uintptrescapes
func allThreads(trap, a1, a2, a3 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, a3, 0, 0, 0)
	if errno == syscall.ENOTSUP {
		_, _, errno = syscall.RawSyscall6(trap, a1, a2, a3, 0, 0, 0)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// verifyDropped reads the state of every thread and tries to get root back.
func verifyDropped(uid int) error {
	for _, try := range []struct {
		name string
		err  error
	}{
		{"setuid", syscall.Setuid(0)},
		{"setgid", syscall.Setgid(0)},
	} {
		if try.err == nil {
			return fmt.Errorf("%s to root still works", try.name)
		}
	}
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(paths) == 0 {
		return errors.New("/proc/self/task is not readable")
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		if err := checkStatus(string(b), uid); err != nil {
			return fmt.Errorf("thread %s: %w", filepath.Base(filepath.Dir(path)), err)
		}
	}
	return nil
}

// checkStatus checks a /proc/PID/task/TID/status, proc(5).
func checkStatus(status string, uid int) error {
	id := strconv.Itoa(uid)
	want := map[string]string{
		"Uid:":        strings.Join([]string{id, id, id, id}, " "),
		"CapInh:":     "0000000000000000",
		"CapPrm:":     "0000000000000000",
		"CapEff:":     "0000000000000000",
		"CapAmb:":     "0000000000000000",
		"NoNewPrivs:": "1",
	}
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if w, ok := want[fields[0]]; ok {
			if got := strings.Join(fields[1:], " "); got != w {
				return fmt.Errorf("%s %s, want %s", fields[0], got, w)
			}
			delete(want, fields[0])
		}
	}
	for field := range want {
		return fmt.Errorf("the kernel does not report %s", field)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/wire/capture"
)

// iface is what must be known of an interface to capture on it.
type iface struct {
	name     string
	index    int
	link     capture.LinkType
	loopback bool
}

// findInterface looks an interface up, which takes no privilege.
func findInterface(name string) (iface, error) {
	ni, err := net.InterfaceByName(name)
	if err != nil {
		return iface{}, noInterface(name)
	}
	if ni.Flags&net.FlagUp == 0 {
		return iface{}, &Error{Interface: name, Err: ErrInterfaceDown, hint: "ip link set dev " + name + " up"}
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return iface{}, noInterface(name)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // any socket will do
	if err != nil {
		return iface{}, openError(name, "open a socket", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, req); err != nil {
		return iface{}, &Error{Interface: name, Err: fmt.Errorf("read the hardware type: %w", err), hint: "check that the interface still exists: ip -br link"}
	}
	// The address family of ifr_hwaddr is the hardware type, netdevice(7).
	hardware := req.Uint16()
	link, ok := linkOfHardware(hardware)
	if !ok {
		return iface{}, &Error{Interface: name, Err: fmt.Errorf("%w: hardware type %d", ErrUnsupportedLink, hardware),
			hint: "capture on an Ethernet interface; for other kinds record with tcpdump -w and analyse the file"}
	}
	return iface{name: name, index: ni.Index, link: link, loopback: ni.Flags&net.FlagLoopback != 0}, nil
}

// linkOfHardware maps an ARPHRD_ number to what a raw packet socket delivers.
func linkOfHardware(hardware uint16) (capture.LinkType, bool) {
	switch hardware {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return capture.LinkEthernet, true
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT:
		return capture.LinkRaw, true
	}
	return 0, false
}

func noInterface(name string) error {
	hint := "ip -br link lists the interfaces"
	if all, err := net.Interfaces(); err == nil && len(all) > 0 {
		var names []string
		nearest, least := "", len(name)/2+1
		for _, i := range all {
			names = append(names, i.Name)
			if d := distance(name, i.Name); d < least {
				nearest, least = i.Name, d
			}
		}
		hint = "there are: " + strings.Join(names, ", ")
		if nearest != "" {
			hint = "did you mean " + nearest + "? " + hint
		}
	}
	if name == "any" {
		hint = "capture on one interface; " + hint
	}
	return &Error{Interface: name, Err: ErrNoInterface, hint: hint}
}

// distance is the number of insertions, deletions and replacements between two
// names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func openError(name, doing string, err error) error {
	hint := "check the kernel's log: dmesg"
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &Error{Interface: name, Err: fmt.Errorf("%w: %s: %w", ErrPermission, doing, err),
			hint: "run as root, or give the program the one capability it needs: setcap cap_net_raw+ep $(command -v asepsis)"}
	case errors.Is(err, unix.ENETDOWN):
		return &Error{Interface: name, Err: ErrInterfaceDown, hint: "ip link set dev " + name + " up"}
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return noInterface(name)
	case errors.Is(err, unix.ENOMEM), errors.Is(err, unix.ENOBUFS):
		hint = "there is not enough contiguous memory for the ring: lower ring_bytes or workers"
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EINVAL):
		hint = "the kernel lacks packet sockets (CONFIG_PACKET) or is older than 4.14"
	}
	return &Error{Interface: name, Err: fmt.Errorf("%s: %w", doing, err), hint: hint}
}

// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/wire/capture"
)

// The sensor is passive: nothing here may transmit. Write is allowed on the event
// descriptor only.
func TestTheSourceHasNoCallThatTransmits(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source")
	}
	checked := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		checked++
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || pkg.Name != "unix" && pkg.Name != "syscall" && pkg.Name != "net" && pkg.Name != "os" {
				return true
			}
			name := sel.Sel.Name
			for _, word := range []string{"Send", "SYS_SEND", "SYS_WRITE", "TX_RING", "QDISC_BYPASS", "Splice", "Dial", "Listen", "NewFile", "Pwrite", "Writev"} {
				if strings.Contains(name, word) {
					t.Errorf("%s: %s.%s", fset.Position(sel.Pos()), pkg.Name, name)
				}
			}
			return true
		})
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Write" {
				if arg, ok := call.Args[0].(*ast.SelectorExpr); !ok || arg.Sel.Name != "wake" {
					t.Errorf("%s: Write on something else than the event descriptor", fset.Position(call.Pos()))
				}
			}
			return true
		})
	}
	if checked < 5 {
		t.Errorf("only %d files were looked at", checked)
	}
}

func TestHardwareTypesBecomeLinkTypes(t *testing.T) {
	for hardware, want := range map[uint16]capture.LinkType{
		unix.ARPHRD_ETHER:    capture.LinkEthernet,
		unix.ARPHRD_LOOPBACK: capture.LinkEthernet,
		unix.ARPHRD_NONE:     capture.LinkRaw,
		unix.ARPHRD_RAWIP:    capture.LinkRaw,
	} {
		if got, ok := linkOfHardware(hardware); !ok || got != want {
			t.Errorf("hardware %d: %v %v, want %v", hardware, got, ok, want)
		}
	}
	for _, hardware := range []uint16{unix.ARPHRD_IEEE80211_RADIOTAP, unix.ARPHRD_CAN, unix.ARPHRD_IPGRE, unix.ARPHRD_NETLINK} {
		if _, ok := linkOfHardware(hardware); ok {
			t.Errorf("hardware %d is accepted", hardware)
		}
	}
}

func TestAnInterfaceThatDoesNotExistIsAnsweredWithThoseThatDo(t *testing.T) {
	cfg := Default()
	cfg.Interface = "l0"
	_, err := Open(context.Background(), cfg)
	var e *Error
	if !errors.Is(err, ErrNoInterface) || !errors.As(err, &e) {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.Hint(), "did you mean lo? there are: ") || err.Error() != "live capture on l0: no such interface" {
		t.Errorf("%q, hint %q", err, e.Hint())
	}
	cfg.Interface = "any"
	if _, err = Open(context.Background(), cfg); !errors.As(err, &e) || !strings.Contains(e.Hint(), "capture on one interface") {
		t.Errorf("%v", err)
	}
}

func TestDistanceCountsEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"eth0", "eth0", 0}, {"eth0", "eth1", 1}, {"eth", "eth0", 1}, {"l0", "lo", 1}, {"en0", "enp3s0", 3}, {"", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTheStatusOfAThreadIsReadStrictly(t *testing.T) {
	good := "Name:\tx\nUid:\t65534\t65534\t65534\t65534\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
	if err := checkStatus(good, 65534); err != nil {
		t.Error(err)
	}
	for _, bad := range [][2]string{
		{"NoNewPrivs:\t1", "NoNewPrivs:\t0"},
		{"CapEff:\t0000000000000000", "CapEff:\t0000000000002000"},
		{"CapPrm:\t0000000000000000", "CapPrm:\t0000000000002000"},
		{"65534\t65534\t65534\t65534", "65534\t65534\t0\t65534"},
		{"CapAmb:", "Other:"},
	} {
		if err := checkStatus(strings.Replace(good, bad[0], bad[1], 1), 65534); err == nil {
			t.Errorf("accepted: %s", bad[1])
		}
	}
}

func TestAnAccountIsANameOrNumbersButNeverRoot(t *testing.T) {
	for account, want := range map[string][2]int{"65534": {65534, 65534}, "1000:2000": {1000, 2000}} {
		if uid, gid, err := lookup(account); err != nil || uid != want[0] || gid != want[1] {
			t.Errorf("%s: %d %d %v", account, uid, gid, err)
		}
	}
	for _, account := range []string{"root", "0", "0:5", "5:0", "no-such-account", "5:", "5:x", "-1"} {
		if _, _, err := lookup(account); err == nil {
			t.Errorf("%s is accepted", account)
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: live capture needs root")
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("skipped: root may not open packet sockets here: %v", err)
	}
	unix.Close(fd)
}

// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/wire/capture"
)

// A thread's namespace and privileges are its own, so whatever needs others runs
// as a child: this binary again, with a role.
const helperEnv = "ASEPSIS_LIVE_TEST_ROLE"

func TestMain(m *testing.M) {
	role := map[string]func() error{
		"capture": captureRole,
		"send":    sendRole,
		"http":    httpRole,
		"tun":     tunRole,
		"drop":    dropRole,
		"open":    openRole,
	}[os.Getenv(helperEnv)]
	if role == nil {
		os.Exit(m.Run())
	}
	if err := role(); err != nil {
		log.Fatal(err)
	}
}

func self(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Frames of the local experimental EtherType carry a word that tests wait for.
const markerType = 0x88b5

func markerFrame(word string) []byte {
	b := append(bytes.Repeat([]byte{0xff}, 6), 2, 0, 0, 0, 0, 9, markerType>>8, markerType&0xff)
	return append(append(b, word...), make([]byte, 60)...)
}

func markerOf(b []byte) string {
	if len(b) < 15 || b[12] != markerType>>8 || b[13] != markerType&0xff {
		return ""
	}
	word, _, _ := bytes.Cut(b[14:], []byte{0})
	return string(word)
}

// captureRole captures until its input ends. It says "ready", "saw WORD DELAY"
// for each marker, and "result JSON". Options: "drop" gives up root once open,
// "stall" takes no frame until a line comes.
func captureRole() error {
	var cfg Config
	if err := json.Unmarshal([]byte(os.Getenv("CONFIG")), &cfg); err != nil {
		return err
	}
	options := strings.Fields(os.Getenv("OPTIONS"))
	out, err := os.Create(os.Getenv("OUT"))
	if err != nil {
		return err
	}
	w := capture.NewNGWriter(out)
	if err := w.Flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h, err := Open(ctx, cfg)
	if err != nil {
		return report(result{}, err)
	}
	if slices.Contains(options, "drop") {
		if err := DropPrivileges(""); err != nil {
			return err
		}
		if os.Geteuid() == 0 {
			return errors.New("still root")
		}
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	if slices.Contains(options, "stall") {
		if _, err := input.ReadString('\n'); err != nil {
			return err
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, input)
		cancel()
	}()

	var mu sync.Mutex
	var first error
	var wait sync.WaitGroup
	for i, src := range h.Sources() {
		wait.Go(func() {
			var f capture.Frame
			for {
				err := src.Next(&f)
				now := time.Now().UnixNano()
				mu.Lock()
				if err != nil {
					if err != io.EOF && first == nil {
						first = err
					}
					mu.Unlock()
					return
				}
				if f.Tick {
					mu.Unlock()
					continue
				}
				f.Interface = i
				if err := w.WriteFrame(f); err != nil && first == nil {
					first = err
				}
				if word := markerOf(f.Data); word != "" {
					fmt.Println("saw", word, now-f.Time)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	var r result
	for _, src := range h.Sources() {
		r.Sources = append(r.Sources, src.Stats())
	}
	r.Received, r.Dropped, r.Freezes = h.Stats()
	if err := errors.Join(w.Flush(), out.Close(), h.Close()); err != nil {
		return err
	}
	return report(r, first)
}

func report(r result, err error) error {
	if err != nil {
		r.Error = err.Error()
		var e *Error
		if errors.As(err, &e) {
			r.Hint = e.Hint()
		}
		for name, is := range map[string]error{"permission": ErrPermission, "down": ErrInterfaceDown, "none": ErrNoInterface, "link": ErrUnsupportedLink} {
			if errors.Is(err, is) {
				r.Is = append(r.Is, name)
			}
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Println("result", string(b))
	return nil
}

// sendRole sends each line of hexadecimal bytes as a frame on IFACE; "COUNT HEX"
// sends it so many times. It answers each line with "sent".
func sendRole() error {
	ifi, err := net.InterfaceByName(os.Getenv("IFACE"))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	to := &unix.SockaddrLinklayer{Ifindex: ifi.Index, Halen: 6}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		n := 1
		text := lines.Text()
		if count, rest, ok := strings.Cut(text, " "); ok {
			if _, err := fmt.Sscan(count, &n); err != nil {
				return err
			}
			text = rest
		}
		frame, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		for range n {
			if err := unix.Sendto(fd, frame, 0, to); err != nil {
				return err
			}
		}
		fmt.Println("sent")
	}
	return nil
}

// httpRole serves at :80 until its input ends.
func httpRole() error {
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("theatre "), 500))
		}))
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// tunRole makes the tun device IFACE and, for each line of hexadecimal bytes, lets
// the host receive that packet on it.
func tunRole() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	if err != nil {
		fmt.Println("missing", err)
		return nil
	}
	req, err := unix.NewIfreq(os.Getenv("IFACE"))
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		fmt.Println("missing", err)
		return nil
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		packet, err := hex.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		if _, err := unix.Write(fd, packet); err != nil {
			return err
		}
		fmt.Println("sent")
	}
	return nil
}

// dropRole gives up its privileges with many threads running, and reports what
// each has left.
func dropRole() error {
	release := make(chan struct{})
	var held, done sync.WaitGroup
	for range 8 {
		held.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			held.Done()
			<-release
		})
	}
	held.Wait()
	if err := DropPrivileges(os.Getenv("ACCOUNT")); err != nil {
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrPrivileges) || e.Hint() == "" {
			return fmt.Errorf("untyped: %w", err)
		}
		fmt.Println("refused", err)
		return nil
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if err != nil {
			return err
		}
		var fields []string
		for line := range strings.Lines(string(b)) {
			for _, want := range []string{"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:", "CapBnd:", "NoNewPrivs:"} {
				if strings.HasPrefix(line, want) {
					fields = append(fields, strings.Join(strings.Fields(line), " "))
				}
			}
		}
		fmt.Println("thread", strings.Join(fields, "; "))
	}
	cfg := Default()
	cfg.Interface = "lo"
	if _, err := Open(context.Background(), cfg); !errors.Is(err, ErrPermission) {
		return fmt.Errorf("a socket can still be opened: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat("/etc/shadow", &stat); err == nil {
		if f, err := os.Open("/etc/shadow"); err == nil {
			f.Close()
			return errors.New("/etc/shadow is still readable")
		}
	}
	close(release)
	done.Wait()
	fmt.Println("dropped cgo", linkedWithCgo())
	return nil
}

// openRole opens a capture on IFACE and reports the error.
func openRole() error {
	cfg := Default()
	cfg.Interface = os.Getenv("IFACE")
	h, err := Open(context.Background(), cfg)
	if err == nil {
		err = h.Close()
	}
	return report(result{}, err)
}

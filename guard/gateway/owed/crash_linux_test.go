// SPDX-License-Identifier: Apache-2.0

package owed

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childDir is where a child process keeps what it owes.
const childDir = "ASEPSIS_TEST_OWED_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	b, err := Open(dir, roomy)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	at := b.State().Statements
	for n := range 500 { // several at once, told of as soon as each is promised
		go func() {
			if b.Add(noteOf(at+n)) == nil {
				fmt.Printf("%d\n", at+n)
			}
		}()
	}
	select {}
}

// A process is killed again and again while it takes statements: those that it promised to keep are there.
func TestNothingThatWasPromisedIsLostInAKill(t *testing.T) {
	dir, promised := t.TempDir(), map[string]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			promised[strings.TrimSpace(lines.Text())] = true
			if n == 20+10*round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
	}
	b := open(t, dir, Limits{Statements: 1 << 20, Bytes: 1 << 30})
	told := map[string]bool{}
	if err := b.Pay(t.Context(), b.Due(), func(_ context.Context, n Note) error { told[fmt.Sprint(n.Number)] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for n := range promised {
		if !told[n] {
			t.Errorf("%q was promised and is lost", n)
		}
	}
	if len(promised) < 100 || b.State().Unusable > 0 {
		t.Errorf("%d were promised; %+v", len(promised), b.State())
	}
}

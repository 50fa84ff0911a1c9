// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/asepsis/asepsis/platform/store/sqlite"
)

func TestMain(m *testing.M) {
	testscript.Main(m, programs())
}

// TestCommandLine runs the scripts in testdata: each is a session as a user
// would have it.
func TestCommandLine(t *testing.T) {
	captures, err := filepath.Abs("../../testdata/captures")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CAPTURES", captures)
			// one frame of IEEE 802.11, which is not decoded
			wifi := "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x69\x00\x00\x00" +
				"\x01\x00\x00\x60\x00\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x80\x00\x00\x00"
			if err := os.WriteFile(filepath.Join(e.WorkDir, "wifi.pcap"), []byte(wifi), 0o600); err != nil {
				return err
			}
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// newer DIR makes a data directory as a program of the future leaves it.
			"newer": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: newer DIR")
				}
				dir := ts.MkAbs(args[0])
				ts.Check(os.Mkdir(dir, 0o700))
				ts.Check(makeNewer(filepath.Join(dir, "store")))
			},
			"truncate": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 3 {
					ts.Fatalf("usage: truncate FROM TO BYTES")
				}
				b := ts.ReadFile(args[0])
				n := len(b)
				for i, c := range args[2] {
					if i == 0 {
						n = 0
					}
					n = n*10 + int(c-'0')
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b[:min(n, len(b))]), 0o600))
			},
		},
	})
}

// makeNewer makes a store and raises the version of its layout (PRAGMA
// user_version, SQLite file format §1.3.13).
func makeNewer(dir string) error {
	s, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir}, sqlite.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	const versionAt = 60
	f, err := os.OpenFile(filepath.Join(dir, "main.db"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(binary.BigEndian.AppendUint32(nil, 9999), versionAt)
	return errors.Join(err, f.Close())
}

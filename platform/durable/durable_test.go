// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/platform/durable"
)

func TestAFileIsReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bindings.yaml")
	if err := os.WriteFile(durable.Beside(path), []byte("left by a kill, and longer than what comes"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first, which is long", "second", ""} {
		if err := durable.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, text, 0o600)
	}
	alone(t, path)
}

func TestAFileHasTheModeThatItsWriterWants(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.crt")
	for _, mode := range []fs.FileMode{0o644, 0o600, 0o640} {
		if err := durable.WriteMode(path, []byte("certificate"), mode); err != nil {
			t.Fatal(err)
		}
		holds(t, path, "certificate", mode)
	}
}

// What lies under the name of the file that is being written may be anything: what a kill left of a
// file that everybody may read, or a link to another's file.
func TestWhatLiesWhereItIsWrittenIsNotWrittenInto(t *testing.T) {
	for name, lay := range map[string]func(t *testing.T, next, other string){
		"a file that everybody may read": func(t *testing.T, next, _ string) {
			if err := os.WriteFile(next, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(next, 0o666); err != nil {
				t.Fatal(err)
			}
		},
		"a file that nobody may open": func(t *testing.T, next, _ string) {
			if err := os.WriteFile(next, []byte("old"), 0o000); err != nil {
				t.Fatal(err)
			}
		},
		"a link": func(t *testing.T, next, other string) {
			if err := os.Symlink(other, next); err != nil {
				t.Fatal(err)
			}
		},
		"a link that leads nowhere": func(t *testing.T, next, other string) {
			if err := os.Symlink(other+"-none", next); err != nil {
				t.Fatal(err)
			}
		},
		"another name of another file": func(t *testing.T, next, other string) {
			if err := os.Link(other, next); err != nil {
				t.Fatal(err)
			}
		},
		"an empty directory": func(t *testing.T, next, _ string) {
			if err := os.Mkdir(next, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for verb, write := range map[string]func(string, []byte) error{
			"written": durable.Write,
			"made":    func(path string, b []byte) error { return durable.Create(path, b, 0o600) },
		} {
			t.Run(name+" where a file is "+verb, func(t *testing.T) {
				other := filepath.Join(t.TempDir(), "other")
				if err := os.WriteFile(other, []byte("another's"), 0o600); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "key")
				lay(t, durable.Beside(path), other)
				if err := write(path, []byte("secret")); err != nil {
					t.Fatal(err)
				}
				holds(t, path, "secret", 0o600)
				holds(t, other, "another's", 0o600)
				alone(t, path)
				alone(t, other)
			})
		}
	}
}

func TestWhatIsThereIsNotMadeAgain(t *testing.T) {
	for name, lay := range map[string]func(path string) error{
		"a file":                    func(path string) error { return os.WriteFile(path, []byte("first"), 0o600) },
		"a directory":               func(path string) error { return os.Mkdir(path, 0o700) },
		"a link that leads nowhere": func(path string) error { return os.Symlink(path+"-none", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.key")
			if err := lay(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := durable.Create(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%v, want %v", err, fs.ErrExist)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is another: %v, %v", after, err)
			}
			alone(t, path)
		})
	}
}

func TestWhereItFailsTheFileIsAsItWas(t *testing.T) {
	dir := t.TempDir()
	if err := durable.Write(filepath.Join(dir, "none", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file in a directory that is not there: %v", err)
	}
	path := filepath.Join(dir, "is-a-directory")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(path, []byte("x")); err == nil {
		t.Error("a file in the place of a directory")
	}
	alone(t, path)
	if err := durable.SyncDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there")
	}
	path = filepath.Join(dir, "blocked")
	if err := os.MkdirAll(filepath.Join(durable.Beside(path), "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(path, []byte("x")); err == nil {
		t.Error("a file where what is being written has no place")
	}
}

// Each of many writers returns without an error, and at no time is there a part of what one wrote, or of two.
func TestWritersOfOneFileWaitForEachOther(t *testing.T) {
	const writers, times, size = 8, 12, 1 << 16
	path := filepath.Join(t.TempDir(), "index")
	if err := durable.Write(path, bytes.Repeat([]byte{'z'}, size)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range byte(writers) {
		wg.Go(func() {
			for range times {
				if err := durable.Write(path, bytes.Repeat([]byte{'a' + i}, size)); err != nil {
					t.Error(err)
				}
				b, err := os.ReadFile(path)
				if err != nil || len(b) != size || bytes.Count(b, b[:1]) != size {
					t.Errorf("%d bytes, %v", len(b), err)
				}
			}
		})
	}
	wg.Wait()
	alone(t, path)
}

func TestOneOfManyMakesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made := make(chan string, 8)
	var wg sync.WaitGroup
	for i := range cap(made) {
		wg.Go(func() {
			text := fmt.Sprint("key ", i)
			switch err := durable.Create(path, []byte(text), 0o600); {
			case err == nil:
				made <- text
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Fatalf("%d made it", len(made))
	}
	holds(t, path, <-made, 0o600)
	alone(t, path)
}

func TestWhatCannotBeMadeToItsEndIsNotThere(t *testing.T) {
	path, broken := filepath.Join(t.TempDir(), "segment"), errors.New("what it is made of cannot be read")
	err := durable.CreateFrom(path, 0o444, func(w io.Writer) error {
		if _, err := w.Write([]byte("its first part")); err != nil {
			return err
		}
		if st, err := os.Stat(durable.Beside(path)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("while it is made: %v, %v", st, err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	for _, part := range []string{"first", "second"} {
		err = durable.CreateFrom(path, 0o444, func(w io.Writer) error {
			_, err := io.WriteString(w, part)
			return err
		})
	}
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	holds(t, path, "first", 0o444)
	alone(t, path)
}

func holds(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
	if st, err := os.Lstat(path); err != nil || st.Mode() != mode {
		t.Errorf("%s: %v, %v; want mode %v", path, st.Mode(), err, mode)
	}
}

// alone: nothing lies beside a file.
func alone(t *testing.T, path string) {
	t.Helper()
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 || list[0].Name() != filepath.Base(path) {
		t.Errorf("%v, %v; want %s alone", list, err, filepath.Base(path))
	}
}

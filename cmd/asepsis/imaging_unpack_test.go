// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/prove/receipt"
)

func TestABundleWritesNothingButReceipts(t *testing.T) {
	for name, x := range map[string]struct {
		files map[string]int // by name, with their size
		want  string         // of the error; "" for none
	}{
		"a bundle":                      {map[string]int{"README.txt": 9, "trust.json": 9, "index.json": 9, "receipts/receipt-1.json": 9, "receipts/receipt-22.json": 9}, ""},
		"a path out of the directory":   {map[string]int{"../trust.json": 9}, "no bundle of receipts has"},
		"a path out by a receipt":       {map[string]int{"receipts/../../receipt-1.json": 9}, "no bundle of receipts has"},
		"an absolute path":              {map[string]int{"/etc/trust.json": 9}, "no bundle of receipts has"},
		"a path of another system":      {map[string]int{`receipts\receipt-1.json`: 9}, "no bundle of receipts has"},
		"a file that is none of it":     {map[string]int{"receipts/receipt-1.json.exe": 9}, "no bundle of receipts has"},
		"a receipt larger than any":     {map[string]int{"receipts/receipt-1.json": receipt.MaxReceipt + 1}, "larger than"},
		"an index larger than any":      {map[string]int{"index.json": maxBundleFile + 1}, "larger than"},
		"a receipt as large as any can": {map[string]int{"receipts/receipt-1.json": receipt.MaxReceipt}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "b.zip"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z := zip.NewWriter(f)
			for name, n := range x.files {
				w, err := z.Create(name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(make([]byte, n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			n, err := unpackReceipts(f, filepath.Join(dir, "out"))
			if x.want == "" {
				if err != nil || n == 0 {
					t.Errorf("%d receipts, %v", n, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want an error about %q", err, x.want)
			}
			if list, _ := os.ReadDir(dir); len(list) > 1 {
				t.Errorf("outside of the directory is %v", list)
			}
		})
	}
}

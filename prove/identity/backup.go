// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity/seal"
)

// Bounds of a backup, as it is unpacked.
const (
	maxBackup     = 512 << 20
	maxBackupFile = 1 << 20
	maxDocument   = store.MaxDocument
)

const backupName = "identity backup"

// backupKinds are the documents that a backup has.
func backupKinds() []string {
	return []string{kindCert, kindOwner, kindCurrent, kindEnd, kindNumber, kindRevoked, kindCRL, kindCode, kindOutbox}
}

// Backup writes everything that is needed to go on elsewhere: the directory
// with its sealed keys, and the inventory. It is one file, sealed under the
// passphrase, and can be made while the authority runs: certificates that are
// issued meanwhile may or may not be in it.
//
// The root's key is in it only when it is still in the directory.
func (a *Authority) Backup(ctx context.Context, passphrase []byte, cost seal.Cost) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	add := func(name string, body []byte) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body)), ModTime: a.deps.Now(), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := t.Write(body)
		return err
	}
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !authorityFile(e.Name()) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(a.dir, e.Name()))
		if err == nil {
			err = add("ca/"+e.Name(), body)
		}
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
	}
	for _, kind := range backupKinds() {
		for after := ""; ; {
			docs, err := a.deps.Documents.DocumentsOf(ctx, kind, after, 500)
			if err != nil {
				return nil, fmt.Errorf("backup: %w", err)
			}
			for _, d := range docs {
				body, err := json.Marshal(struct {
					Kind, ID string
					Body     []byte
				}{d.Kind, d.ID, d.Body})
				if err == nil {
					err = add("documents/"+d.Kind, body)
				}
				if err != nil {
					return nil, fmt.Errorf("backup: %w", err)
				}
				after = d.ID
			}
			if len(docs) < 500 {
				break
			}
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return seal.Seal(backupName, b.Bytes(), passphrase, cmp.Or(cost, seal.DefaultCost()))
}

func authorityFile(name string) bool {
	switch filepath.Ext(name) {
	case ".crt", ".key", ".crl":
		return !strings.HasPrefix(name, ".")
	}
	return name == siteFile
}

// Restore puts a backup into an empty directory and a store without an
// inventory. ca.json is written last: what was restored in part is no authority.
//
// Certificates that were issued after the backup are unknown to the restored
// authority: OCSP says so. Revocations after it are lost and must be made again.
// CRL numbers follow the clock and do not go back.
func Restore(ctx context.Context, dir string, docs store.Documents, file, passphrase []byte) error {
	if left, err := docs.DocumentsOf(ctx, kindCert, "", 1); err != nil {
		return fmt.Errorf("restore: %w", err)
	} else if len(left) > 0 {
		return refuse(Already, "name another --data", "restore: the store has certificates already")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		return refuse(Already, "move it away", "restore: %s is not empty", dir)
	}
	plain, err := seal.Open(backupName, file, passphrase)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	t := tar.NewReader(io.LimitReader(z, maxBackup))
	var site []byte
	var writes []store.Write
	flush := func(least int) error {
		if len(writes) <= least {
			return nil
		}
		err := docs.Commit(ctx, writes, store.Audit{Time: time.Now().UnixNano(), Who: "system", Action: "identity.restore", Result: "done"})
		writes = nil
		return err
	}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		folder, name, _ := strings.Cut(h.Name, "/")
		limit := int64(maxBackupFile)
		if folder == "documents" {
			limit = 2 * maxDocument
		}
		body, err := io.ReadAll(io.LimitReader(t, limit+1))
		if err != nil || int64(len(body)) > limit {
			return fmt.Errorf("restore: %s: too large or cut off: %w", h.Name, err)
		}
		switch {
		case folder == "ca" && name == siteFile:
			site = body
		case folder == "ca" && authorityFile(name) && name == filepath.Base(name):
			err = durable.Write(filepath.Join(dir, name), body)
		case folder == "documents":
			var d struct {
				Kind, ID string
				Body     []byte
			}
			if err = json.Unmarshal(body, &d); err == nil {
				writes = append(writes, store.Write{Kind: d.Kind, ID: d.ID, Body: d.Body})
				err = flush(500)
			}
		default:
			err = errors.New("nothing that belongs here")
		}
		if err != nil {
			return fmt.Errorf("restore: %s: %w", h.Name, err)
		}
	}
	if err := flush(0); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if site == nil {
		return errors.New("restore: the backup has no " + siteFile)
	}
	return durable.Write(filepath.Join(dir, siteFile), site)
}

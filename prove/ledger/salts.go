// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger/internal/oslock"
)

// Salts keeps the secrets under which values are committed to, apart from the log.
// One secret belongs to one holder (a case, a patient, a study); the salt of each
// field is derived from it. Erasing a holder's secret makes every commitment made under
// it meaningless for ever, and changes nothing in the log.
//
// The file holds, for each holder, a keyed hash of its name and 32 random bytes, in a
// place of its own: erasing overwrites that place and syncs. What a disk or a file
// system keeps of former content (wear levelling, snapshots, backups) is beyond it: keep
// the file on an encrypted volume without snapshots, and leave it out of backups that
// outlive an erasure.
//
// Memory: about 48 bytes for each holder. Safe for use by several goroutines; one
// process at a time.
type Salts struct {
	mu    sync.Mutex
	f     *os.File
	tag   [32]byte          // key of the holders' hashes
	slots map[[16]byte]slot // by the hash of the holder
	next  int64
}

type slot struct {
	at     int64
	erased bool
}

// A file of salts: magic and key, then slots of a holder's hash and its secret. A
// secret of zeros was erased.
const (
	saltMagic  = "asepsis salts/1\n"
	saltHeader = int64(len(saltMagic) + 32)
	saltSlot   = int64(64)
	maxHolder  = 1024 // bytes of a holder's name
)

// ErrErased: the holder's secret was erased, and there will be no other.
var ErrErased error = &refusal{"the salt of this holder was erased", "what was committed to under it cannot be opened or added to any more; that is what erasing is for"}

// OpenSalts opens a file of salts, or makes it (mode 0600).
func OpenSalts(file string) (*Salts, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("salts: %w", err)
	}
	s := &Salts{f: f, slots: map[[16]byte]slot{}}
	if err := s.load(file); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("salts %s: %w", file, err)
	}
	return s, nil
}

func (s *Salts) load(file string) error {
	if err := oslock.Take(s.f); err != nil {
		return ErrLocked
	}
	st, err := s.f.Stat()
	if err != nil {
		return err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return &hinted{fmt.Errorf("others may read it (mode %04o)", st.Mode().Perm()), "chmod 600 " + file}
	}
	if st.Size() < saltHeader { // new, or cut in its first write
		_, _ = rand.Read(s.tag[:]) // never fails, see crypto/rand
		s.next = saltHeader
		return s.put(append([]byte(saltMagic), s.tag[:]...), 0)
	}
	r := io.NewSectionReader(s.f, 0, st.Size())
	head := make([]byte, saltHeader)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(saltMagic)]) != saltMagic {
		return errors.New("it is no file of salts")
	}
	s.tag = [32]byte(head[len(saltMagic):])
	buf := make([]byte, 1024*saltSlot)
	for s.next = saltHeader; s.next+saltSlot <= st.Size(); {
		n, err := s.f.ReadAt(buf[:min(int64(len(buf)), (st.Size()-s.next)/saltSlot*saltSlot)], s.next)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for b := buf[:int64(n)/saltSlot*saltSlot]; len(b) > 0; b = b[saltSlot:] {
			s.slots[[16]byte(b[:16])] = slot{s.next, bytes.Equal(b[32:64], make([]byte, 32))}
			s.next += saltSlot
		}
		if n == 0 {
			break
		}
	}
	return nil // a slot that a crash cut was never used, and is written over
}

// put writes and syncs.
func (s *Salts) put(b []byte, at int64) error {
	if _, err := s.f.WriteAt(b, at); err != nil {
		return diskError(err)
	}
	return s.f.Sync()
}

func (s *Salts) hash(holder string) [32]byte {
	m := hmac.New(sha256.New, s.tag[:])
	_, _ = m.Write([]byte(holder))
	return [32]byte(m.Sum(nil))
}

// Salt returns the salt of a holder's field, and makes the holder's secret where there
// is none.
//
// durable: a new secret is on disk before it is used.
func (s *Salts) Salt(holder, field string) ([]byte, error) {
	secret, err := s.secret(holder, true)
	if err != nil {
		return nil, err
	}
	return custody.FieldSalt(secret, field), nil
}

// Commit commits to a value of a holder's field. The same value gives the same
// commitment, as long as the secret is there.
func (s *Salts) Commit(holder, field, value string) (custody.Commitment, error) {
	salt, err := s.Salt(holder, field)
	if err != nil {
		return "", err
	}
	return custody.Commit(salt, value), nil
}

// Lookup is Commit that makes no secret: ErrNotFound where there is none.
func (s *Salts) Lookup(holder, field, value string) (custody.Commitment, error) {
	secret, err := s.secret(holder, false)
	if err != nil {
		return "", err
	}
	return custody.Commit(custody.FieldSalt(secret, field), value), nil
}

func (s *Salts) secret(holder string, create bool) ([]byte, error) {
	if holder == "" || len(holder) > maxHolder {
		return nil, fmt.Errorf("salts: a holder's name has 1 to %d bytes", maxHolder)
	}
	h := s.hash(holder)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.slots[[16]byte(h[:16])]
	switch {
	case ok && at.erased:
		return nil, fmt.Errorf("salts: %w", ErrErased)
	case ok:
		b := make([]byte, 32)
		if _, err := s.f.ReadAt(b, at.at+32); err != nil {
			return nil, fmt.Errorf("salts: %w", err)
		}
		return b, nil
	case !create:
		return nil, fmt.Errorf("salts: %w", ErrNotFound)
	}
	b := make([]byte, saltSlot)
	copy(b, h[:])
	_, _ = rand.Read(b[32:]) // never fails, see crypto/rand
	if err := s.put(b, s.next); err != nil {
		return nil, fmt.Errorf("salts: %w", err)
	}
	s.slots[[16]byte(h[:16])] = slot{at: s.next}
	s.next += saltSlot
	return b[32:], nil
}

// Erase makes everything that was committed to under a holder meaningless. It
// reports whether there was something to erase.
//
// durable: returns after the secret was overwritten and synced.
func (s *Salts) Erase(holder string) (bool, error) {
	h := s.hash(holder)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.slots[[16]byte(h[:16])]
	if !ok || at.erased {
		return false, nil
	}
	if err := s.put(make([]byte, 32), at.at+32); err != nil {
		return false, fmt.Errorf("salts: erase: %w", err)
	}
	at.erased = true
	s.slots[[16]byte(h[:16])] = at
	return true, nil
}

// Close gives the file back.
func (s *Salts) Close() error { return s.f.Close() }

// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func sealedKeys(t *testing.T) *identity.SealedKeys {
	t.Helper()
	return &identity.SealedKeys{Dir: t.TempDir(), Passphrase: []byte(identitytest.Passphrase), Cost: identitytest.Cheap}
}

// Whoever is told that a key was made finds that key: two who make one of a name at the same time
// do not write over each other's.
func TestOneOfManyMakesAKey(t *testing.T) {
	keys := sealedKeys(t)
	made := make(chan crypto.Signer, 8)
	var wg sync.WaitGroup
	for range cap(made) {
		wg.Go(func() {
			switch key, err := keys.Create("root", elliptic.P256()); {
			case err == nil:
				made <- key
			case identity.KindOf(err) != identity.Already:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Fatalf("%d were told that it was made", len(made))
	}
	kept, err := keys.Open("root")
	if err != nil {
		t.Fatal(err)
	}
	if pub := (<-made).Public().(*ecdsa.PublicKey); !pub.Equal(kept.Public()) {
		t.Error("another key is kept than was made")
	}
	if list, err := os.ReadDir(keys.Dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAKeyIsReadableByItsOwnerAloneWhateverWasLeftInItsPlace(t *testing.T) {
	keys := sealedKeys(t)
	next := filepath.Join(keys.Dir, "root.key.new")
	if err := os.WriteFile(next, []byte("left by a kill"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(next, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Create("root", elliptic.P256()); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open("root"); err != nil {
		t.Error(err)
	}
	if list, err := os.ReadDir(keys.Dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

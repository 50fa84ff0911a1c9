// SPDX-License-Identifier: Apache-2.0

//go:build pkcs11

package hsm

import (
	"crypto"
	"crypto/elliptic"
	"fmt"
	"io/fs"
	"time"

	"github.com/ThalesGroup/crypto11"

	"github.com/asepsis/asepsis/prove/identity"
)

// wait is how long a signature waits for a session of the token.
const wait = 10 * time.Second

// Open opens a token. The second result ends its sessions.
func Open(c Config) (identity.Keys, func() error, error) {
	ctx, err := crypto11.Configure(&crypto11.Config{Path: c.Module, TokenLabel: c.Token, Pin: c.PIN, PoolWaitTimeout: wait})
	if err != nil {
		return nil, nil, fmt.Errorf("PKCS #11 token %s: %w", c.Token, err)
	}
	return &keys{ctx}, ctx.Close, nil
}

type keys struct{ token *crypto11.Context }

var _ identity.Keys = (*keys)(nil)

// Create implements identity.Keys.
func (k *keys) Create(name string, curve elliptic.Curve) (crypto.Signer, error) {
	if have, err := k.token.FindKeyPairs(nil, []byte(name)); err != nil {
		return nil, fmt.Errorf("PKCS #11 key %s: %w", name, err)
	} else if len(have) > 0 {
		return nil, fmt.Errorf("PKCS #11 key %s: is there already", name)
	}
	s, err := k.token.GenerateECDSAKeyPairWithLabel([]byte(name), []byte(name), curve)
	if err != nil {
		return nil, fmt.Errorf("PKCS #11 key %s: %w", name, err)
	}
	return s, nil
}

// Open implements identity.Keys.
func (k *keys) Open(name string) (crypto.Signer, error) {
	s, err := k.token.FindKeyPairs(nil, []byte(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("PKCS #11 key %s: %w", name, err)
	case len(s) == 0:
		return nil, fmt.Errorf("PKCS #11 key %s: %w", name, fs.ErrNotExist)
	case len(s) > 1:
		return nil, fmt.Errorf("PKCS #11 key %s: the token has %d of that label", name, len(s))
	}
	return s[0], nil
}

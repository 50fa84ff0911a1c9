// SPDX-License-Identifier: Apache-2.0

//go:build !pkcs11

package hsm

import "github.com/asepsis/asepsis/prove/identity"

// Open returns ErrNotBuilt.
func Open(Config) (identity.Keys, func() error, error) { return nil, nil, ErrNotBuilt }

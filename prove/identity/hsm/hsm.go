// SPDX-License-Identifier: Apache-2.0

// Package hsm keeps an authority's keys in a hardware security module, over
// PKCS #11. It is built only with the tag "pkcs11" and with cgo, which the rest
// of the program does without:
//
//	CGO_ENABLED=1 go build -tags pkcs11 ./cmd/asepsis
//
// Keys are made inside the module, are not extractable, and are found by their
// label, which is the authority's name for them. The root's key may be made there as
// well, but then it is not off-line, and cannot be split.
package hsm

import "errors"

// Config names a token.
type Config struct {
	Module string // path of the PKCS #11 library
	Token  string // label of the token
	PIN    string
}

// ErrNotBuilt says that this program was built without PKCS #11.
var ErrNotBuilt = errors.New("built without PKCS #11: CGO_ENABLED=1 go build -tags pkcs11 ./cmd/asepsis")

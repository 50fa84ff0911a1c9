// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of documents.
const (
	MaxKind  = 64  // bytes
	MaxID    = 256 // bytes
	MaxAudit = 1000
)

// Check reports what is wrong with a write whatever is stored.
func (w *Write) Check() error {
	switch {
	case w.Kind == "" || w.ID == "":
		return fmt.Errorf("%w: document without a kind or ID", ErrInvalid)
	case len(w.Kind) > MaxKind:
		return fmt.Errorf("kind of document of %d bytes: %w: the most is %d", len(w.Kind), ErrTooLarge, MaxKind)
	case len(w.ID) > MaxID:
		return fmt.Errorf("%s: ID of %d bytes: %w: the most is %d", w.Kind, len(w.ID), ErrTooLarge, MaxID)
	case !utf8.ValidString(w.Kind+w.ID) || strings.ContainsRune(w.Kind+w.ID, 0):
		return fmt.Errorf("%w: kind or ID of a document is not text", ErrInvalid)
	case len(w.Body) > MaxDocument:
		return fmt.Errorf("%s %q of %d bytes: %w: the most is %d", w.Kind, w.ID, len(w.Body), ErrTooLarge, MaxDocument)
	}
	return nil
}

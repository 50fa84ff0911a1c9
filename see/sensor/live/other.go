// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package live

import (
	"context"

	"github.com/asepsis/asepsis/wire/capture"
)

// Handle is an open capture. There is none on this system.
type Handle struct{}

const hintOther = "record with tcpdump or Wireshark on this system and analyse the file, or run the sensor on Linux"

// Open returns ErrUnsupported.
func Open(_ context.Context, cfg Config) (*Handle, error) {
	return nil, &Error{Interface: cfg.Interface, Err: ErrUnsupported, hint: hintOther}
}

// Sources returns nothing.
func (h *Handle) Sources() []capture.Source { return nil }

// Stats returns zeros.
func (h *Handle) Stats() (received, dropped, freezes uint64) { return 0, 0, 0 }

// Close does nothing.
func (h *Handle) Close() error { return nil }

// DropPrivileges returns ErrUnsupported.
func DropPrivileges(string) error { return &Error{Err: ErrUnsupported, hint: hintOther} }

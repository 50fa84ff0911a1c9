# SPDX-License-Identifier: Apache-2.0
# Asepsis is pure Go: no C compiler is needed or used.
export CGO_ENABLED = 0
GO ?= go

.PHONY: run build test bench fuzz lint clean

# The main job on embedded defaults: which devices are in this theatre, what
# are they, who talks to whom, and what could not be seen?
run:
	$(GO) run ./cmd/asepsis analyze --fail-on never testdata/captures/theatre.pcapng

build:
	$(GO) build -trimpath -o bin/asepsis ./cmd/asepsis

# On Debian as root the real peers are installed first; elsewhere the tests
# that need them say so.
test:
	scripts/test

bench:
	scripts/bench

# make fuzz FUZZTIME=15m PKG=./wire/packet
FUZZTIME ?= 3m
PKG ?= all
fuzz:
	scripts/fuzz $(PKG) $(FUZZTIME)

lint:
	scripts/lint

clean:
	rm -rf bin

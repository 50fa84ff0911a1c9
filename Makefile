# SPDX-License-Identifier: Apache-2.0
# Asepsis is pure Go: no C compiler is needed or used.
export CGO_ENABLED = 0
GO ?= go

.PHONY: run analyze web build test test-slow bench fuzz lint clean

# The main job on embedded defaults: sensor, inventory, store and console, watching
# a hospital that does not exist. The link for the first account is printed.
# Built for being there soon: without inlining, which is a third of the compiler's work,
# without symbols and PostgreSQL, and with fewer collections in the compiler, of which the
# two largest packages need many. What is installed is what `make build` makes.
LISTEN ?= 127.0.0.1:8443
run:
	GOGC=400 $(GO) build -tags nopostgres -gcflags=all=-l -ldflags="-s -w" -o bin/run/asepsis ./cmd/asepsis
	bin/run/asepsis up --demo --listen $(LISTEN)

# Which devices are in this theatre, what are they, who talks to whom, and what could not be seen?
analyze:
	$(GO) run ./cmd/asepsis analyze --fail-on never testdata/captures/theatre.pcapng

# The console, built again from its sources. Needs Node 20 or later.
web:
	cd web && npm ci && npm run build

# With the profile that scripts/profile made, which is not named default.pgo: tests
# would compile everything a second time.
build:
	$(GO) build -trimpath -pgo=cmd/asepsis/asepsis.pgo -o bin/asepsis ./cmd/asepsis

# On Debian as root the real peers are installed first; elsewhere the tests
# that need them say so.
test:
	scripts/test

# What takes longer than every change should wait for: a NATS cluster whose leader
# is killed under load.
test-slow:
	ASEPSIS_TEST_SLOW=1 $(GO) test -count=1 -timeout 10m -run 'Cluster' ./platform/bus
	ASEPSIS_TEST_SLOW=1 $(GO) test -count=1 -timeout 20m -run 'Kill9' ./prove/ledger
	ASEPSIS_TEST_SLOW=1 $(GO) test -count=1 -timeout 20m -run 'Kill9' ./guard/gateway/journal
	ASEPSIS_TEST_SLOW=1 $(GO) test -count=1 -timeout 20m -run 'ThroughKills' ./guard/gateway/forward
	ASEPSIS_TEST_SLOW=1 $(GO) test -count=1 -timeout 20m -run 'Acknowledged' ./guard/gateway/service

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

// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// LooksServer tells whether b is what a server sends, from the beginning of a
// connection or from a message within: a run of messages that keep the rules, of which
// one is unmistakable or two are hard to mistake.
func LooksServer(b []byte) (yes, maybe bool) {
	points := 0
	for len(b) > 0 {
		if strings.IndexByte("123ACDEGHINRSTVWZcdnstv", b[0]) < 0 || len(b) > 1 && b[1] != 0 {
			return false, false // no server's message, or one of 16 MiB and more
		}
		n, err := Size(b)
		if err != nil {
			return false, false
		}
		if n == 0 {
			return false, true
		}
		if !fits(b[0], n) {
			return false, false
		}
		if n > len(b) {
			return false, true
		}
		p, ok := weigh(b[0], b[5:n])
		if !ok {
			return false, false
		}
		if points += p; points >= 2 {
			return true, false
		}
		b = b[n:]
	}
	return false, true
}

// fits reports a length that a message of the kind can have.
func fits(kind byte, n int) bool {
	switch kind {
	case 'Z':
		return n == 6
	case '1', '2', '3', 'I', 'n', 's', 'c':
		return n == 5
	case 'K':
		return n == 13
	case 'R':
		return n >= 9 && n < 1<<12
	case 'C', 'S':
		return n >= 7 && n < 1<<10
	case 'E', 'N':
		return n >= 8 && n < 1<<16
	case 'T', 'D', 't':
		return n >= 7
	}
	return n >= 5
}

// parameters are the names that servers report on their own (§54.2.7).
var parameters = []string{"application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby", "integer_datetimes", "IntervalStyle",
	"is_superuser", "scram_iterations", "search_path", "server_encoding", "server_version", "session_authorization", "standard_conforming_strings", "TimeZone"}

// commands are the first words of command tags.
var commands = []string{"ALTER", "ANALYZE", "BEGIN", "CALL", "CLOSE", "COMMENT", "COMMIT", "COPY", "CREATE", "DEALLOCATE", "DECLARE", "DELETE", "DISCARD", "DO", "DROP", "EXECUTE",
	"EXPLAIN", "FETCH", "GRANT", "INSERT", "LISTEN", "LOCK", "MERGE", "MOVE", "NOTIFY", "PREPARE", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT",
	"SELECT", "SET", "SHOW", "START", "TRUNCATE", "UNLISTEN", "UPDATE", "VACUUM"}

// weigh gives a message two points when nothing else looks like it, one when it is
// hard to mistake; ok is false when it breaks a rule of its kind.
func weigh(kind byte, body []byte) (points int, ok bool) {
	switch kind {
	case 'R':
		switch code := binary.BigEndian.Uint32(body); {
		case code == 10:
			a, err := ParseAuthentication(body)
			if err != nil || len(a.Mechanisms) == 0 || !bytes.HasSuffix(body, []byte{0, 0}) {
				return 0, false
			}
			return pick(strings.HasPrefix(a.Mechanisms[0], "SCRAM-"), 2), true
		case code == 5:
			return 1, len(body) == 8
		case code == 0, code == 2, code == 3, code == 6, code == 7, code == 9:
			return 1, len(body) == 4
		case code == 8, code == 11, code == 12:
			return 0, true
		}
		return 0, false
	case 'S':
		name, _, found := bytes.Cut(body, []byte{0})
		if !found || body[len(body)-1] != 0 {
			return 0, false
		}
		for _, p := range parameters {
			if string(name) == p {
				return 2, true
			}
		}
		return 0, len(name) > 0
	case 'C':
		if bytes.IndexByte(body, 0) != len(body)-1 {
			return 0, false
		}
		word, _, _ := bytes.Cut(body[:len(body)-1], []byte{' '})
		for _, c := range commands {
			if string(word) == c {
				return 1, true
			}
		}
		return 0, false
	case 'E', 'N':
		e := ParseError(body)
		return pick(len(e.Code) == 5 && e.Severity != "", 2), body[len(body)-1] == 0
	case 'Z':
		return 1, body[0] == 'I' || body[0] == 'T' || body[0] == 'E'
	}
	return 0, true
}

func pick(ok bool, points int) int {
	if ok {
		return points
	}
	return 0
}

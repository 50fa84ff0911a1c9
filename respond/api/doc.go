// SPDX-License-Identifier: Apache-2.0

// Package api serves /api/v1, the console's files, and what supervisors ask
// (/healthz, /readyz, /metrics), over what the store keeps and the bus tells.
//
// openapi.yaml describes every address; a test walks it and the server's routes
// against each other and holds real answers to its schemas. All that the
// console does goes through it, so that all of it can be scripted.
//
// # What is answered from where
//
// Devices, theatres, findings and settings are read into memory and kept up
// while the store says that they changed, so that a list of ten thousand devices
// costs no query. Events are never kept in memory: each question goes to the
// store with a budget, and an answer that the budget cut short says so and says
// how far it came. Streams read from the store what they send; a browser that
// reads slowly makes its own stream late and nothing else.
//
// # Guarantees
//
// A change is answered after the store has it on disk, with its entry in the audit
// trail. What somebody else changed meanwhile is a conflict (409), never
// overwritten. An event stream that is resumed with the ID that it ended at
// misses nothing and repeats nothing; what retention took away meanwhile is
// said as a gap. Every refusal is a problem (RFC 9457) that names the parameters
// or fields at fault and repeats no value.
//
// # Safety
//
// Everything is bounded: connections, requests at a time, streams, the size of
// headers, bodies, queries and answers, and the time each may take. A request for a
// host name that is not ours is refused (DNS rebinding). Pages may load
// nothing from elsewhere and may not be framed. Plain HTTP is served on loopback
// only, and only when it is configured.
//
// # What is not done
//
// No X-Forwarded-For: behind a proxy, its address is what the audit trail shows.
// No CORS: other origins use API tokens from their own servers.
package api

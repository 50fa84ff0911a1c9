// SPDX-License-Identifier: Apache-2.0

// Package query proxies what peers of the gateway ask of archives and worklists: C-FIND,
// C-MOVE and C-GET, modality worklists, performed procedure steps, storage commitment.
//
// AE titles are mapped both ways: a peer calls the gateway, and the archive is called by it.
// What a peer may ask for is bounded by a policy: which keys, how many answers, and not everybody at once. What is moved or got goes
// through the gateway's firewall and journal before it goes on: the archive sends it to the gateway, which forwards it to where it was asked for.
package query

// SPDX-License-Identifier: Apache-2.0

// Package inventory fuses evidence into one record per physical device.
//
// # How it works
//
// Evidence is filed under what carried it: a MAC, or an address together with
// the MAC of its frames. Which of these belong to one device is decided anew
// for each view, from all evidence there is: so what is learned late (this MAC
// is a router's, this lease belongs to that MAC) corrects what was filed early,
// and the order of observation does not matter. docs/devices.md states the
// rules of identity and class for users of the product.
//
// # Identity
//
//   - A MAC is one network interface. Addresses that its frames carry, or that
//     it claims by ARP, neighbour discovery or DHCP, are its own for that time.
//     A claim outweighs frames.
//   - An address that another MAC claims later is another device's from then
//     on. Two MACs that claim it by turns are a conflict.
//   - A router's MAC says nothing about the addresses behind it. These are
//     devices of their own, under their address, until a claim tells the MAC.
//   - Interfaces are one device when they have the same serial number, UDI with
//     serial number, EUI-64, chassis or device identifier; or the same host name
//     together with the same AE title or certificate; or when private MACs are
//     used one after the other under one host name by the same DHCP client
//     software. Each join is recorded with its reason.
//   - AE titles, HL7 applications and host names alone join nothing. Two
//     devices that share one are shown as a conflict.
//   - A device named by messages of another (HL7 PRT and OBX) is that other one
//     when it is the only one named, and a device behind it when there are
//     several. Records of a FHIR server are never the server.
//
// # Limits
//
// Every list is bounded by Config. What had to be left out is in Stats. Beyond
// MaxNodes, attachments seen briefly go first, then others without medical
// evidence, then medical ones, then those that a person edited.
//
// Not done: joining devices by behaviour alone, telling apart systems behind
// one NAT address (it is shown as a conflict), and following an address without
// MAC over a change of its holder that nothing in the capture shows.
package inventory

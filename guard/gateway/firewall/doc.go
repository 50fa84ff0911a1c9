// SPDX-License-Identifier: Apache-2.0

// Package firewall inspects the content of DICOM instances on their way through the gateway: whether the bytes are what they
// say, whether what they hold is dangerous to who shows, files or opens it, and whether it belongs here. What a rule
// finds is passed, flagged, sanitised, quarantined or refused, as a policy says.
//
// # Reading
//
// An inspection is fed a data set as it arrives, in any pieces, and comes to the same result however it was cut. It holds less than
// 256 kB, whatever the instance's size: values of text are looked at in windows of 4 KB that overlap by 256 bytes, pixel data
// is hashed and only the beginning of it and of its fragments is looked at, encapsulated documents are read as streams
// with bounded unpacking. Nothing is allocated from a length that was declared.
//
// An inspection keeps the policy that it began under; Set concerns those that begin later.
//
// # Digests
//
// Result.Pixel is the SHA-256 of the value of (7FE0,0010), (7FE0,0008) or (7FE0,0009) at the top level. Encapsulated, that is every item
// with its header, the basic offset table first, without the delimiter at the end. Of a deflated data set it is of the inflated bytes.
//
// # Privacy
//
// No hit, comment or error holds a value of a data set. Header does, in clear; see package instance.
//
// # Not done
//
// Pixel data is not decoded, so that nothing is said about what a picture shows. Names and scripts in private elements are found where
// the value is text. A word that is cut at a window's edge is found within 256 bytes; a text in a multi-byte set of ISO 2022
// of more than 4 KB is decoded from each window's beginning. PDF: nothing
// is decrypted; streams that hold neither objects nor files are not unpacked; strings are not searched. Elements that are out of order are found twice only where they stand for identity or size.
package firewall

// SPDX-License-Identifier: Apache-2.0

// Package dicomweb is the gateway's door for DICOM over HTTP (PS3.18): storing (STOW-RS),
// and asking and retrieving (QIDO-RS, WADO-RS) from one archive behind it; and the client by
// which instances go on to a destination with STOW-RS.
//
// # Who may
//
// A Server stands behind mutual TLS (prove/identity/trust): the certificate says which device
// sends a request, the device's binding which operations it may ask for. Nothing that a
// client says about itself in a header is believed or passed on.
//
// # Storing
//
// A body is read part by part, and each part goes into instance.Ingest while it arrives: an
// instance is never held in memory. An instance is listed as stored only where Ingest said
// so, which is after it is durable. When a body breaks off, what was stored before stays, and
// the answer says which instances that are, so that repeating the request does no harm.
// Bodies are not decompressed, at no level: a compressed body is refused.
//
// # Asking and retrieving
//
// Only requests that the standard knows are passed on, and they are written anew: path from
// parsed UIDs, parameters and media types from lists. Queries are held to Query: known keys,
// a bound on results, and no query that selects nobody. Of the answer only body and media
// type come back; addresses of the archive in it become those of the gateway, and addresses
// that point anywhere else are taken out.
//
// Instances that are retrieved are kept on the disk until every one of them was inspected
// whole: either all of the answer goes out, or nothing of it. What is a part of an instance
// (frames, bulk data, a rendering) goes out when the instance has passed the same inspection.
//
// # Limits
//
// Requests on HTTP/1.1 only. Header, body, parts, answers, time without a byte and rate are
// bounded, see Config; every connection holds about 200 KB while it stores.
//
// # Not done
//
// Storing metadata and bulk data apart (PS3.18 §10.5, application/dicom+json and +xml) is
// refused with 415. Worklist (UPS-RS), deleting, the retired URI service and WADL are not
// there. Sanitising does not happen on the way back: what would be sanitised is withheld.
package dicomweb

// SPDX-License-Identifier: Apache-2.0

// Package deid makes de-identified copies of DICOM data sets on their way to a destination: the Basic Application
// Level Confidentiality Profile of PS3.15 annex E, edition 2026d, and its options. The table of the standard
// is data (table/e1-1.txt); docs/deidentification.md says attribute by attribute what is done and is held to it by a test.
//
// # Guarantees
//
//   - A Set is made once from a Config and a site's key; its profiles may be used by any number of
//     goroutines at once. The same key, domain and input give the same output, byte for byte.
//   - The transfer syntax stays. Pixel data stays bit for bit unless a rule blackens part of it or overlay
//     planes were hidden in its unused bits. Of compressed pixel data, what its streams say beside the image becomes zeros (package
//     codestream), and no coded byte changes. Sequences and items are written with undefined length.
//   - Replacements are consistent: a UID, a patient or a date is replaced by the same everywhere, in every
//     instance, in references too, without a list being kept: by HMAC-SHA-256 under the site's key and the profile's domain. Two
//     domains cannot be joined, and without the key nothing can be traced back.
//   - What cannot be made safe is an error, never a copy: a *Refusal with a reason and a hint, free of values. What
//     was written until then is worthless.
//   - Memory is bounded: about 100 KB a transformation, and at most ScanLimit of the data set's head,
//     which is read before the first byte is written, because dates stand before the patient they are shifted for.
//   - An Altered lists paths and actions, never a value.
//
// # What goes beyond the table
//
// More is removed than the table asks for: elements that the dictionary does not know, person names,
// dates and URLs that the table does not list, whole overlay groups, encrypted originals, and a few
// attributes that say who or where (beyond.go). Free text that is not listed is cleaned as descriptors are. Text that
// stays is searched for the patient's name and ID, and emptied where it holds one.
//
// # Cleaning text
//
// A text is cleaned by keeping the words of a vocabulary of imaging (table/words.txt and the profile's own words)
// and small numbers; all others are dropped. A name that nobody thought of cannot pass, whatever language it is in.
//
// # Not done
//
// Recognizable visual features are not cleaned (no defacing). Text in pixels is not looked for: regions come
// from rules. RLE Lossless is the only compressed
// pixel data that is decoded: where a rule would blacken part of any other, the instance is refused. User data of video is found, not removed: the
// instance is refused. Media directories (DICOMDIR) are refused. Whether a sequence of Type 1, 2 or 3 is meant is not looked up: where the
// table offers a choice, the action that keeps every information object definition valid is taken.
package deid

// SPDX-License-Identifier: Apache-2.0

// Package dicom reads and writes the data structures of DICOM PS3.5 (2022a and later),
// with the data dictionary of PS3.6 (2026d) and the file meta information of PS3.10.
// The upper layer protocol is in package ul, the message service in dimse.
//
// # Data sets
//
// Tokenizer turns the bytes of a data set into tokens, in any pieces in which
// they arrive, and gives the same tokens for the same bytes however they were
// cut. It knows implicit and explicit VR, both byte orders, sequences and items
// of defined and undefined length (PS3.5 §7.5), encapsulated pixel data (§A.4),
// private elements and UN of undefined length (§6.2.2 note 2). It keeps nothing
// of a value: values pass through in pieces, and Skippable tells how many bytes
// need not be presented at all. Extractor stands on it, inflates the deflated
// transfer syntaxes and hands out the leading bytes of values that the caller
// asks for.
//
// Encoder is the opposite of Tokenizer: given its tokens it writes the same bytes again. Reader
// pulls tokens from a stream, Writer builds a data set element by element and holds a sender to the
// rules, Transcode changes the syntax of a data set that is not encapsulated, OpenFile and
// AppendFileHead are for files, PreamblePolicy for what stands before their prefix. None of them holds a value.
//
// # Limits
//
// Input is hostile. No length that a peer declares is allocated. Nesting is held
// on a fixed array (MaxDepth sequences), never on the call stack. Elements, items
// and fragments are counted against Limits.Elements. A value may not be longer than
// the item or sequence that holds it. Inflation is bounded in size and ratio.
// Every error is an *Error with the offset and the section that was broken.
//
// # Not done
//
// Pixel data is not decoded. Values are not converted to numbers or dates; text is read
// by CharacterSet, and written by Writer.CharacterSet, when asked for. Data element order and even
// lengths (PS3.5 §7.1) are checked and reported, not enforced, because real
// devices break them.
package dicom

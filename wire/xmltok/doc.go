// SPDX-License-Identifier: Apache-2.0

// Package xmltok is a pull tokenizer for XML 1.0 (Fifth Edition) documents that
// come from a hostile network, with Namespaces in XML 1.0 (Third Edition), and
// a splitter that finds the documents in a byte stream that has no framing.
//
// # What it is for
//
// Reading the few values that identify a device out of SOAP, WS-Discovery,
// POCT1-A and FHIR messages that may have been cut anywhere. Tokens come out
// until the bytes end or break a rule; what was read up to then is valid.
//
// # Limits
//
// MaxDepth elements deep, MaxAttrs attributes an element, MaxNames bytes a
// name, MaxBindings namespace declarations in scope, MaxTokens tokens a
// document. Past any of them Next returns an *Error. Time is linear in the
// input and nothing is allocated per token.
//
// # What is not done
//
// It is not a validator: it accepts some documents that are not well-formed
// (duplicate attributes, names with odd characters). A document type
// declaration is refused, so there are no entities beyond the five predefined
// ones and character references, hence no expansion. Encodings other than
// UTF-8 and its subsets are not converted; UTF-16 is refused.
package xmltok

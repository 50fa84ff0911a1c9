// SPDX-License-Identifier: Apache-2.0

// Package remote holds the analysers of remote access, file transfer,
// directories, databases and control.
package remote

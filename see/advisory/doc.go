// SPDX-License-Identifier: Apache-2.0

// Package advisory says which published vulnerabilities concern which devices: it maps
// advisories (CSAF) and the catalogue of known exploited vulnerabilities (KEV) to the
// inventory, with a verdict, a confidence and the evidence in words.
//
// # Verdicts
//
// Affected and NotAffected are said only when manufacturer, model and version are known
// and compared. Everything else that fits is Unknown, and Missing names the fact that
// would decide it: the version, the exact model, a part that is installed. A device that
// no advisory names has no verdict: that nothing is known is not that nothing is wrong.
// What people decided (Decision) stands above what was found, until it expires; what was
// found stays visible beside it.
//
// # Knowledge
//
// An Index is made from CSAF files and KEV (Compile), shipped with the program in small,
// and replaced from the originals without a network. Entry by entry it says what could
// not be understood; such an entry is never compared with a device.
//
// # The room
//
// Watcher keeps the verdicts of all devices up to date as the inventory changes and
// writes them as documents; New, Run and Ready have the shape of all rooms. A pass over
// ten thousand devices takes well under a second, because equal devices are judged once.
//
// # What is not done
//
// No advisory is fetched. A version that a device does not state is not guessed from its
// age. The parts of a device are known only from an imported SBOM.
package advisory

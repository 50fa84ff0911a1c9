// SPDX-License-Identifier: Apache-2.0

// Package detect finds what needs a person: it shows every event to the rules that
// ask for its like, and makes findings of what they say.
//
// Engine is the whole of it without I/O: rules, matchers, severity, grouping,
// suppression. It is used by one goroutine. Live detection (Room), the analysis of
// captures (Analysis), the samples of rules (RunSamples) and backtests (Backtest) run the same
// engine over events in their order.
//
// # Order and time
//
// Events are shown in the order of the store. The engine's clock is that of the events,
// and moves on by itself only while none come; it never goes back. An event that is
// late is still shown, and matchers tolerate it within ten seconds.
//
// # Exactly once
//
// A Room saves the state of the matchers together with the place in the store that it
// belongs to. After a kill it reads on from there, and finds again what it had found
// since. Each alert knows up to which event each partition's occurrences are in it
// (alert.Mark), so that nothing is counted twice and nothing is lost. What decides
// between two runs over the same events is the world (devices, rooms, policy) as it is then; an
// event that is judged differently the second time is not counted back.
//
// # Bounds
//
// State is bounded by match.Limits for each rule, new alerts by MaxNew for each rule,
// partition and hour: what comes beyond that is gathered in one alert that says so. A
// rule that fails, panics or costs too much for long is switched off and is a finding
// itself; it never takes the engine with it.
//
// # What is not done
//
// Nothing is blocked, and nobody is notified here: that is Respond's.
package detect

// SPDX-License-Identifier: Apache-2.0

package sensor

// Add adds the counts of another run, or of another sensor.
func (s *Stats) Add(o Stats) {
	if s.Protocols == nil {
		s.init()
	}
	s.add(&o)
}

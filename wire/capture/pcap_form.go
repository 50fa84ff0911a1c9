// SPDX-License-Identifier: Apache-2.0

package capture

import "math"

// Record headers longer than the standard one. All begin with the standard 16
// bytes; what follows (interface, protocol, packet type, CPU) is not needed.
const (
	nokiaRecordLen    = 20 // magic of plain pcap
	redHatRecordLen   = 24 // magic of plain pcap
	modifiedRecordLen = 24 // 0xa1b2cd34
	suseRecordLen     = 28 // 0xa1b2cd34
)

// pickRecordForm finds the length of the record headers. The magic does not
// tell it: a form fits when the first record is sane and the second follows
// where that form says. A misread second header is never sane: seconds since
// 1970 stand where a fraction or a length belongs. The usual form also fits
// when the input ends after one record; the rare ones do not, because a usual
// file cut within its second record header would look the same.
func (s *pcapSource) pickRecordForm() {
	forms := []int{recordLen, nokiaRecordLen, redHatRecordLen}
	s.format = "pcap"
	if s.form.modified {
		forms = []int{modifiedRecordLen, suseRecordLen}
		s.format = "modified pcap"
	}
	s.hlen = forms[0]
	for i, h := range forms {
		if s.fits(h, i == 0) {
			s.hlen = h
			break
		}
	}
	s.usual = s.hlen == recordLen && !s.form.big && s.swapped == capturedFirst
	switch {
	case s.hlen == nokiaRecordLen:
		s.format = "Nokia pcap"
	case s.hlen == redHatRecordLen && !s.form.modified:
		s.format = "Red Hat 6.1 pcap"
	case s.hlen == suseRecordLen:
		s.format = "SuSE 6.3 pcap"
	case s.form.nano:
		s.format = "pcap, nanoseconds"
	}
}

func (s *pcapSource) fits(hlen int, usual bool) bool {
	if !s.w.need(hlen) {
		return false
	}
	r := s.record(0)
	if !s.sane(r) {
		return false
	}
	next := hlen + int(r.cap)
	if !s.w.need(next + hlen) {
		return usual && s.w.have() == next
	}
	if _, ok := pcapMagic(s.w.at(next, 4)); ok {
		return true
	}
	if !usual {
		return s.plausible(s.record(next), r.sec)
	}
	return s.sane(s.record(next))
}

// sane reports whether a record header holds nothing impossible.
func (s *pcapSource) sane(r record) bool {
	unit := uint32(1e6)
	if s.form.nano {
		unit = 1e9
	}
	return uint64(r.cap) <= uint64(s.opts.MaxFrame) && r.cap <= r.orig && r.orig <= math.MaxInt32 && r.sub < unit
}

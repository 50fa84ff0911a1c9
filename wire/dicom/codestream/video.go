// SPDX-License-Identifier: Apache-2.0

package codestream

// video follows a stream of MPEG-2, AVC or HEVC video. All fragments together are one stream.
type video struct {
	*report
	family Family
	head   [8]byte
	held   int
	form   func(p []byte) error // nil before head is full
	whole  func() error
}

// mp4Boxes are those that the streams need (ISO/IEC 14496-12 table 1, 14496-15).
var mp4Boxes = map[string]deed{
	"ftyp": keepBox, "styp": keepBox, "pdin": keepBox, "mdat": streamBox,
	"moov": enterBox, "mvhd": timesBox, "iods": keepBox, "mvex": enterBox, "mehd": keepBox, "trex": keepBox,
	"trak": enterBox, "tkhd": timesBox, "tref": keepBox, "edts": enterBox, "elst": keepBox,
	"mdia": enterBox, "mdhd": timesBox, "hdlr": nameBox, "elng": keepBox,
	"minf": enterBox, "vmhd": keepBox, "smhd": keepBox, "hmhd": keepBox, "nmhd": keepBox, "dinf": keepBox,
	"stbl": enterBox, "stsd": keepBox, "stts": keepBox, "ctts": keepBox, "cslg": keepBox, "stss": keepBox, "stsh": keepBox, "sdtp": keepBox, "stsc": keepBox, "stsz": keepBox, "stz2": keepBox,
	"stco": keepBox, "co64": keepBox, "padb": keepBox, "subs": keepBox, "sbgp": keepBox, "sgpd": keepBox,
	"moof": enterBox, "mfhd": keepBox, "traf": enterBox, "tfhd": keepBox, "tfdt": keepBox, "trun": keepBox, "sidx": keepBox,
	"mfra": enterBox, "tfra": keepBox, "mfro": keepBox,
}

func (v *video) fragment() error { return nil }

func (v *video) walk(p []byte) error {
	if v.form != nil {
		return v.form(p)
	}
	n := copy(v.head[v.held:], p)
	if v.held += n; v.held < len(v.head) {
		return nil
	}
	if err := v.open(); err != nil {
		return err
	}
	// Of the first bytes nothing is ever blanked, so that a copy of them does.
	if err := v.form(v.head[:]); err != nil || n == len(p) {
		return err
	}
	return v.form(p[n:])
}

// open tells from the first bytes in what the video is wrapped.
func (v *video) open() error {
	v.frames = v.declared
	h := v.head
	switch {
	case h[0] == tsSync:
		t := &transport{family: v.family, size: tsPacket}
		v.form, v.whole = t.walk, t.end
	case string(h[4:]) == "ftyp":
		look := (&elementary{family: v.family}).walk
		if v.family != MPEG2 {
			look = (&samples{family: v.family}).walk
		}
		file := &boxes{report: v.report, first: "ftyp", does: mp4Boxes, stream: func(p []byte) (int, error) { return len(p), look(p) }}
		v.form = func(p []byte) error {
			_, err := file.walk(p)
			return err
		}
		v.whole = func() error {
			if !file.top() && !file.endless() && !(file.inside && (file.deed == streamBox || file.deed == blankBox)) {
				return cut("it ends within a box of MP4")
			}
			return nil
		}
	case h[0] == 0 && h[1] == 0 && (h[2] == 1 || h[2] == 0 && h[3] == 1): // an elementary or a program stream
		v.form, v.whole = (&elementary{family: v.family}).walk, func() error { return nil }
	case h[4] == tsSync: // with the arrival time of each packet, as on Blu-ray discs
		t := &transport{family: v.family, size: 4 + tsPacket}
		v.form, v.whole = t.walk, t.end
	default:
		return foreign("it begins as no video does")
	}
	return nil
}

func (v *video) end() error {
	if v.form == nil {
		return cut("it is shorter than any video")
	}
	return v.whole()
}

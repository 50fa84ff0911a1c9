// SPDX-License-Identifier: Apache-2.0

package firewall

// predictor undoes what was done to rows of bytes before they were packed (ISO 32000-1 §7.4.4.4): PNG's filters (RFC 2083 §6), and TIFF's difference
// of components of 8 bits.
type predictor struct {
	used bool
	tiff bool
	step int // bytes of a pixel
	size int // bytes of a row

	kind byte // of the row under way
	at   int  // bytes of the row that came; -1 before its kind
	row  [2][maxRow]byte
	cur  int
	out  [1024]byte
}

// maxRow bounds a row: those of objects and tables are of some ten bytes.
const maxRow = 4 << 10

// reset prepares for a stream; false when such rows are not read.
func (p *predictor) reset(f *filter) bool {
	colours, bits, columns := max(f.colours, 1), f.bits, max(f.columns, 1)
	if bits == 0 {
		bits = 8
	}
	size := (uint64(colours)*uint64(bits)*uint64(columns) + 7) / 8
	p.tiff = f.predictor == 2
	switch {
	case size > maxRow || colours > 32, bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16, f.predictor != 2 && (f.predictor < 10 || f.predictor > 15), p.tiff && bits != 8:
		return false
	}
	p.used, p.step, p.size, p.at, p.cur = true, int(max(1, colours*bits/8)), int(size), -1, 0
	if p.tiff {
		p.at, p.kind = 0, 1
	}
	clear(p.row[0][:])
	clear(p.row[1][:])
	return true
}

func (p *predictor) over() bool { return false }

func (p *predictor) decode(src []byte) ([]byte, int, error) {
	k := 0
	for i, c := range src {
		if k == len(p.out) {
			return p.out[:k], i, nil
		}
		if p.at < 0 {
			if c > 4 {
				return p.out[:k], i, errPacked
			}
			p.kind, p.at = c, 0
			continue
		}
		row, above := &p.row[p.cur], &p.row[p.cur^1]
		var left, corner byte
		if p.at >= p.step {
			left, corner = row[p.at-p.step], above[p.at-p.step]
		}
		switch p.kind {
		case 1:
			c += left
		case 2:
			c += above[p.at]
		case 3:
			c += byte((int(left) + int(above[p.at])) / 2)
		case 4:
			c += paeth(left, above[p.at], corner)
		}
		row[p.at], p.out[k] = c, c
		k++
		if p.at++; p.at == p.size {
			p.cur ^= 1
			if p.at = 0; !p.tiff {
				p.at = -1
			}
		}
	}
	return p.out[:k], len(src), nil
}

// paeth is the neighbour that is nearest to their sum (RFC 2083 §6.6).
func paeth(left, above, corner byte) byte {
	p := int(left) + int(above) - int(corner)
	a, b, c := distance(p, left), distance(p, above), distance(p, corner)
	switch {
	case a <= b && a <= c:
		return left
	case b <= c:
		return above
	}
	return corner
}

func distance(p int, of byte) int { return max(p-int(of), int(of)-p) }

// SPDX-License-Identifier: Apache-2.0

package dicom

import "github.com/asepsis/asepsis/wire/charset"

// CharacterSet is how the text of a data set is read, from the value of Specific
// Character Set (0008,0005). Its contract is that of charset.Set.
type CharacterSet = charset.Set

// ParseCharacterSet reads a value of (0008,0005).
func ParseCharacterSet(value []byte) CharacterSet { return charset.DICOM(value) }

// TrimString returns a value of the default repertoire as printable ASCII,
// without the padding that PS3.5 §6.2 allows (trailing spaces and NULs, leading
// spaces). Other bytes become '?'.
func TrimString(value []byte) string {
	i, j := 0, len(value)
	for i < j && (value[i] == ' ' || value[i] == 0) {
		i++
	}
	for i < j && (value[j-1] == ' ' || value[j-1] == 0) {
		j--
	}
	value = value[i:j]
	for k, b := range value {
		if b < 0x20 || b > 0x7E {
			clean := make([]byte, len(value))
			copy(clean, value[:k])
			for ; k < len(value); k++ {
				if clean[k] = value[k]; clean[k] < 0x20 || clean[k] > 0x7E {
					clean[k] = '?'
				}
			}
			return string(clean)
		}
	}
	return string(value)
}

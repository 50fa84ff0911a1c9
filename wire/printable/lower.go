// SPDX-License-Identifier: Apache-2.0

package printable

// LowerASCII returns s with A to Z in lower case and every other byte as it is,
// so that positions in it are positions in s. strings.ToLower gives no such
// promise: what is no UTF-8 grows, and so do some letters.
func LowerASCII[T string | []byte](s T) T {
	b := []byte(string(s))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return T(b)
}

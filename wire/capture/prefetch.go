// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package capture

// prefetch asks the processor to bring the line that p points into and the one
// behind it, which it does while other work goes on. It is a hint: it reads nothing
// and cannot fault, whatever p points to and whether its page is there or not.
//
//go:noescape
func prefetch(p *byte)

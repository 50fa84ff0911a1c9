// SPDX-License-Identifier: Apache-2.0

package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/asepsis/asepsis/wire/capture"
)

func Example() {
	var file bytes.Buffer
	w := capture.NewWriter(&file, capture.LinkEthernet)
	for i := range 3 {
		f := capture.Frame{Time: 1700000000_000000000 + int64(i), Data: make([]byte, 60), OrigLen: 60, Link: capture.LinkEthernet}
		if err := w.WriteFrame(f); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}

	cut := bytes.NewReader(file.Bytes()[:file.Len()-10])
	src, err := capture.NewReader(cut, capture.Options{Name: "theatre.pcap"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var f capture.Frame
	for {
		if err = src.Next(&f); err != nil {
			break
		}
		fmt.Println(f.Time, f.Link, len(f.Data))
	}
	fmt.Println(errors.Is(err, io.EOF), errors.Is(err, capture.ErrTruncated))
	fmt.Println(err)
	// Output:
	// 1700000000000000000 ETHERNET 60
	// 1700000000000000001 ETHERNET 60
	// false true
	// capture theatre.pcap at byte 176: record of 76 bytes, 66 are there: truncated
}

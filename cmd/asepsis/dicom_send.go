// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

func dicomSendCommand() *cobra.Command {
	var p dicomPeer
	var o dicomtool.SendOptions
	quiet, format := false, "table"
	c := &cobra.Command{Use: "send HOST:PORT FILE|DIRECTORY...", Short: "Send DICOM files to a peer (C-STORE)", Args: wants(2, 1<<20),
		Long: "Send DICOM files, and all that are in directories, to a peer. What was not stored is said file by file, and\n" +
			"the exit code is 2 then. A file goes out as it is where the peer takes its transfer syntax; otherwise it is\n" +
			"written in another uncompressed one. Compressed pixel data is never decoded.",
		Example: "  asepsis dicom send 10.20.3.100:104 --aec ARCHIVE ct.dcm\n  asepsis dicom send archive 2762 study/ --associations 4 --tls-cert ct.pem --tls-key ct.key --tls-ca ca.pem",
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "json"}, format) {
				return unknownFormat(format, "table", "json")
			}
			peer, paths, err := p.peer(args)
			if err != nil {
				return err
			}
			if len(paths) == 0 {
				return withHint(errors.New("dicom send: no file to send"), c.UseLine())
			}
			o.Paths = paths
			done := showSending(c.ErrOrStderr(), quiet || format == "json", &o)
			r, err := dicomtool.Send(c.Context(), peer, o)
			done()
			if err != nil && r == nil {
				return fmt.Errorf("dicom send: %w", err)
			}
			if format == "json" {
				err = json.NewEncoder(c.OutOrStdout()).Encode(r)
			} else {
				err = dicomtool.WriteSent(c.OutOrStdout(), r)
			}
			if err == nil && r.Failed > 0 {
				err = fmt.Errorf("dicom send: %d of %d files were not stored", r.Failed, len(r.Outcomes))
				if h := hint(r.FirstError()); h != "" {
					err = withHint(err, h)
				}
			}
			return err
		}}
	p.flags(c)
	c.Flags().IntVar(&o.Associations, "associations", 1, "associations at the same time")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress bar")
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

// showSending shows progress on a terminal.
func showSending(out io.Writer, quiet bool, o *dicomtool.SendOptions) (done func()) {
	f, ok := out.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("sending"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
	o.Progress = func(done, total int, _ int64) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	}
	return func() { _ = bar.Finish() }
}

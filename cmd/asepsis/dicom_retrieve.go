// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

// dicomRetrieval are the flags that get and move share.
type dicomRetrieval struct {
	p      dicomPeer
	keys   []string
	quiet  bool
	format string
}

func (r *dicomRetrieval) flags(c *cobra.Command, o *dicomtool.RetrieveOptions) {
	r.p.flags(c)
	f := c.Flags()
	f.StringVar(&o.Model, "model", "study", "information model: study or patient")
	f.StringArrayVarP(&r.keys, "key", "k", nil, "attribute that says what is retrieved (may be repeated)")
	f.IntVar(&o.Limit, "limit", 1000, "retrieve nothing when the keys match more; 0 for any number")
	f.DurationVar(&o.Wait, "wait", dicomtool.DefaultWait, "how long the peer may say and send nothing")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "no progress bar")
	f.StringVar(&r.format, "format", "table", "table or json")
}

// run reads the flags, retrieves and shows what became of it.
func (r *dicomRetrieval) run(c *cobra.Command, args []string, o *dicomtool.RetrieveOptions, retrieve func(context.Context, dicomtool.Peer) (*dicomtool.Retrieved, error)) error {
	name := "dicom " + c.Name()
	if !slices.Contains([]string{"table", "json"}, r.format) {
		return unknownFormat(r.format, "table", "json")
	}
	peer, rest, err := r.p.peer(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return withHint(fmt.Errorf("%s: %s is not needed", name, strings.Join(rest, " ")), c.UseLine())
	}
	for _, k := range r.keys {
		key, err := dicomtool.ParseKey(k)
		if err != nil {
			return fmt.Errorf("--%w", err)
		}
		o.Keys = append(o.Keys, key)
	}
	done := showRetrieving(c.ErrOrStderr(), r.quiet || r.format == "json", o)
	out, err := retrieve(c.Context(), peer)
	done()
	if out != nil {
		var werr error
		if r.format == "json" {
			werr = json.NewEncoder(c.OutOrStdout()).Encode(out)
		} else {
			werr = dicomtool.WriteRetrieved(c.OutOrStdout(), out)
		}
		if err == nil {
			err = out.Whole()
		}
		err = errors.Join(err, werr)
	}
	if err == nil {
		return nil
	}
	if h := hint(err); h != "" {
		return withHint(fmt.Errorf("%s: %w", name, err), h)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func dicomGetCommand() *cobra.Command {
	var r dicomRetrieval
	var o dicomtool.GetOptions
	var classes, syntaxes []string
	c := &cobra.Command{Use: "get HOST:PORT -k KEY=VALUE...", Short: "Retrieve from a peer over the same association (C-GET)", Args: wants(1, 2),
		Long: "Retrieve patients, studies, series or images. Where the keys are not unique keys alone, such as a study's UID, the peer\n" +
			"is first asked what they match. A file appears under its name when it is whole. What is missing is said, and the exit code is 2 then.",
		Example: "  asepsis dicom get archive:104 --aec ARCHIVE -k StudyInstanceUID=1.2.3 -o study\n" +
			"  asepsis dicom get archive:104 -k PatientID=FICT-0001 -k Modality=CT -k QueryRetrieveLevel=SERIES --tree -o files",
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range classes {
				uid, err := dicomtool.ParseClass(s)
				if err != nil {
					return err
				}
				o.Classes = append(o.Classes, uid)
			}
			for _, s := range syntaxes {
				uid, err := dicomtool.ParseSyntax(s)
				if err != nil {
					return err
				}
				o.TransferSyntaxes = append(o.TransferSyntaxes, uid)
			}
			return r.run(c, args, &o.RetrieveOptions, func(ctx context.Context, p dicomtool.Peer) (*dicomtool.Retrieved, error) {
				return dicomtool.Get(ctx, p, o)
			})
		}}
	r.flags(c, &o.RetrieveOptions)
	c.Flags().StringVarP(&o.Dir, "output", "o", ".", "directory for the files")
	c.Flags().BoolVar(&o.Tree, "tree", false, "a directory for each study, and in it one for each series")
	c.Flags().StringArrayVar(&classes, "class", nil, "storage SOP class to take, UID or keyword (may be repeated); all registered ones without it")
	c.Flags().StringArrayVar(&syntaxes, "transfer-syntax", nil, "transfer syntax to take, UID or keyword (may be repeated)")
	return c
}

func dicomMoveCommand() *cobra.Command {
	var r dicomRetrieval
	var o dicomtool.MoveOptions
	var plain bool
	c := &cobra.Command{Use: "move HOST:PORT --to AE -k KEY=VALUE...", Short: "Have a peer send to an AE title that it knows (C-MOVE)", Args: wants(1, 2),
		Long: "Have a peer send patients, studies, series or images to an AE title. With --listen this side is that AE title until the peer\n" +
			"is done, and keeps what comes; the peer must know its address. Who speaks TLS to the peer also listens with TLS, with the certificate\n" +
			"of --tls-cert; --listen-plain listens without. With --tls-ca, who connects must have a certificate of these authorities. Without it,\n" +
			"and without TLS, anybody who reaches the port can send: who connects is not authenticated.",
		Example: "  asepsis dicom move archive:104 --to WORKSTATION -k StudyInstanceUID=1.2.3\n" +
			"  asepsis dicom move archive:104 --aet CT_OR3 --to CT_OR3 --listen 11112 -k StudyInstanceUID=1.2.3 -o study",
		RunE: func(c *cobra.Command, args []string) error {
			if o.Destination == "" {
				return withHint(errors.New("dicom move: nothing says where to"), "give --to AE, an AE title that the peer knows")
			}
			if o.Listen != "" && !strings.Contains(o.Listen, ":") {
				o.Listen = "127.0.0.1:" + o.Listen // other addresses are named
			}
			who := "without TLS; who connects is not authenticated"
			if o.Listen != "" && !plain && r.p.speaksTLS() {
				config, err := r.p.files.Listener()
				if err != nil {
					return withHint(fmt.Errorf("dicom move: %w", err), hint(err))
				}
				if o.ListenTLS, who = config, "with TLS; who connects is not authenticated (--tls-ca)"; config.ClientCAs != nil {
					who = "with TLS; who connects needs a certificate of " + r.p.files.CA
				}
			}
			if o.Listen != "" && !r.quiet && r.format != "json" {
				o.Listening = func(a net.Addr) {
					_, _ = fmt.Fprintf(c.ErrOrStderr(), "listening on %v as %s, %s\n", a, o.Destination, who)
				}
			}
			return r.run(c, args, &o.RetrieveOptions, func(ctx context.Context, p dicomtool.Peer) (*dicomtool.Retrieved, error) {
				return dicomtool.Move(ctx, p, o)
			})
		}}
	r.flags(c, &o.RetrieveOptions)
	c.Flags().StringVar(&o.Destination, "to", "", "AE title that the peer sends to")
	c.Flags().StringVar(&o.Listen, "listen", "", "[HOST:]PORT on which this side is the AE title of --to; without HOST this machine alone reaches it")
	c.Flags().BoolVar(&plain, "listen-plain", false, "listen without TLS, although the peer is asked with it")
	c.Flags().StringVarP(&o.Dir, "output", "o", ".", "directory for the files, with --listen")
	c.Flags().BoolVar(&o.Tree, "tree", false, "a directory for each study, and in it one for each series")
	return c
}

// showRetrieving shows progress on a terminal.
func showRetrieving(out io.Writer, quiet bool, o *dicomtool.RetrieveOptions) (done func()) {
	f, ok := out.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("retrieving"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
	o.Progress = func(done, total int, _ int64) {
		if total > 0 {
			bar.ChangeMax(total)
		}
		_ = bar.Set(done)
	}
	return func() { _ = bar.Finish() }
}

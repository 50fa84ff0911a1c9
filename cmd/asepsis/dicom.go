// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

func dicomCommand() *cobra.Command {
	c := &cobra.Command{Use: "dicom", Short: "Look into DICOM files, and speak to DICOM peers by hand", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(dicomDumpCommand(), dicomEchoCommand(), dicomSendCommand(), dicomFindCommand(), dicomGetCommand(), dicomMoveCommand())
	return c
}

// dicomPeer are the flags that say who is spoken to.
type dicomPeer struct {
	calling, called string
	timeout         time.Duration
	tls             bool
	files           dicomtool.TLSFiles
}

func (p *dicomPeer) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.calling, "aet", "ASEPSIS", "AE title of this side (calling)")
	f.StringVar(&p.called, "aec", "ANY-SCP", "AE title of the peer (called)")
	f.DurationVar(&p.timeout, "timeout", 30*time.Second, "how long to wait for the connection, the association and each response")
	f.BoolVar(&p.tls, "tls", false, "speak TLS; implied by --tls-cert and --tls-ca")
	f.StringVar(&p.files.Cert, "tls-cert", "", "certificate of this side, PEM")
	f.StringVar(&p.files.Key, "tls-key", "", "key of the certificate, PEM")
	f.StringVar(&p.files.CA, "tls-ca", "", "certificates of the authorities that may have signed the peer's, PEM; without it those of the system")
	f.StringVar(&p.files.ServerName, "tls-name", "", "name that the peer's certificate must have, when it is not the host's")
}

func (p *dicomPeer) speaksTLS() bool { return p.tls || p.files != (dicomtool.TLSFiles{}) }

// peer reads the flags, and the address from the first arguments: HOST:PORT, or HOST PORT as DCMTK has it. It
// returns the arguments that follow.
func (p *dicomPeer) peer(args []string) (dicomtool.Peer, []string, error) {
	out := dicomtool.Peer{CallingAE: p.calling, CalledAE: p.called}
	for _, ae := range []string{p.calling, p.called} {
		if ae == "" || len(ae) > 16 {
			return out, nil, withHint(fmt.Errorf("AE title %q: it has %d characters", ae, len(ae)), "AE titles have 1 to 16 characters")
		}
	}
	host, port, err := net.SplitHostPort(args[0])
	rest := args[1:]
	if err != nil {
		if len(rest) == 0 {
			return out, nil, withHint(fmt.Errorf("%s: no port", args[0]), "write HOST:PORT or HOST PORT; DICOM's ports are 104 and 11112, and 2762 with TLS")
		}
		host, port, rest = strings.Trim(args[0], "[]"), rest[0], rest[1:]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return out, nil, withHint(fmt.Errorf("%s: no port number", port), "write HOST:PORT or HOST PORT")
	}
	out.Address = net.JoinHostPort(host, port)
	out.Timeouts.Connect, out.Timeouts.Associate, out.Timeouts.Response = p.timeout, p.timeout, p.timeout
	if p.speaksTLS() {
		if out.TLS, err = p.files.Config(); err != nil {
			return out, nil, err
		}
	}
	return out, rest, nil
}

func dicomEchoCommand() *cobra.Command {
	var p dicomPeer
	repeat, format := 1, "table"
	c := &cobra.Command{Use: "echo HOST:PORT", Short: "Verify that a DICOM peer answers (C-ECHO)", Args: wants(1, 2),
		Example: "  asepsis dicom echo 10.20.3.100:104 --aec ARCHIVE --aet CT_OR3\n  asepsis dicom echo archive 2762 --tls-cert ct.pem --tls-key ct.key --tls-ca ca.pem",
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "json"}, format) {
				return unknownFormat(format, "table", "json")
			}
			peer, _, err := p.peer(args)
			if err != nil {
				return err
			}
			r, err := dicomtool.Echo(c.Context(), peer, repeat)
			if err != nil {
				return fmt.Errorf("dicom echo: %w", err)
			}
			if format == "json" {
				return json.NewEncoder(c.OutOrStdout()).Encode(r)
			}
			plain := "plain, no TLS"
			if r.TLS != "" {
				plain = r.TLS
			}
			limit := fmt.Sprintf("PDUs to %d bytes", r.MaxPDU)
			if r.MaxPDU == 0 {
				limit = "PDUs of any length"
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s at %s answers (%s; %s %s, %s)\nassociation %.1f ms\n", r.CalledAE, r.Address, plain, r.Version, r.Implementation, limit, r.Connect)
			for i, ms := range r.Echoes {
				if err == nil {
					_, err = fmt.Fprintf(c.OutOrStdout(), "echo %d %.1f ms\n", i+1, ms)
				}
			}
			return err
		}}
	p.flags(c)
	c.Flags().IntVar(&repeat, "repeat", repeat, "C-ECHOs on the association")
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

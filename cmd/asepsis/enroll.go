// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/platform/telemetry"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/enroll"
)

func enrollCommand() *cobra.Command {
	var o enroll.Options
	var codeFile, makerCert, makerKey, hook string
	var keep, renew bool
	c := &cobra.Command{Use: "enroll [ADDRESS]", Short: "Get this device's certificate, and keep it fresh", Args: wants(0, 1),
		Long: "ADDRESS is what asepsis ca code prints: asepsis-enroll:?server=...&code=...&ca=...; flags\n" +
			"say the same. Writes cert.pem, key.pem and ca.pem into --dir, all three in one step.\n" +
			"With --keep it stays, renews before the certificate ends, each time with a new key, and\n" +
			"tells its consumers by --hook or --signal.",
		Example: "  asepsis enroll 'asepsis-enroll:?...' --dir /etc/asepsis/identity --keep --hook 'systemctl reload storescp'"}
	c.Flags().StringVar(&o.Server, "server", "", "address of the enrolment server: https://pki.st-example.internal:8447; not needed to renew")
	c.Flags().StringVar(&codeFile, "code-file", "", "file with the enrolment code, mode 0600")
	c.Flags().StringVar(&o.CA, "ca", "", "SHA-256 of the site's root, as asepsis ca show prints it; nothing else is trusted")
	c.Flags().StringVar(&o.Dir, "dir", "", "directory for the certificate (required)")
	c.Flags().StringVar(&o.KeyType, "key", "p256", "p256, p384, rsa2048 or rsa3072")
	c.Flags().StringVar(&makerCert, "manufacturer-cert", "", "the device's certificate by its manufacturer, with its chain, instead of a code")
	c.Flags().StringVar(&makerKey, "manufacturer-key", "", "its key, mode 0600")
	c.Flags().BoolVar(&keep, "keep", false, "stay and renew")
	c.Flags().BoolVar(&renew, "renew", false, "renew once, now, with the certificate that is there")
	c.Flags().StringVar(&hook, "hook", "", "program and arguments to run after each new certificate; no shell")
	c.Flags().StringVar(&o.PIDFile, "signal", "", "file with the number of a process that is sent SIGHUP after each new certificate")
	_ = c.MarkFlagRequired("dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			u, err := enroll.FromURI(args[0])
			if err != nil {
				return withHint(err, "asepsis ca code prints one; put it into quotes")
			}
			o.Server, o.Code, o.CA = u.Server, u.Code, u.CA
		}
		if codeFile != "" {
			b, err := secret(c, codeFile, "", false)
			if err != nil {
				return err
			}
			o.Code = strings.TrimSpace(string(b))
		}
		if makerCert != "" {
			pair, err := tls.LoadX509KeyPair(makerCert, makerKey)
			if err != nil {
				return fmt.Errorf("enroll: the manufacturer's certificate: %w", err)
			}
			o.Manufacturer = &pair
		}
		o.Hook = strings.Fields(hook)
		o.Log = telemetry.Default().Logger(c.ErrOrStderr(), terminal(c.ErrOrStderr()))
		a, err := enroll.New(o)
		if err != nil {
			return withHint(err, "asepsis enroll --help")
		}
		leaf, err := a.Current()
		switch {
		case errors.Is(err, fs.ErrNotExist) && renew:
			return withHint(errors.New("enroll: there is no certificate to renew"), "leave --renew out, and name a code")
		case errors.Is(err, fs.ErrNotExist):
			leaf, err = a.Enroll(c.Context())
		case err == nil && renew:
			leaf, err = a.Renew(c.Context())
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "certificate %s, good to %s, to be renewed from %s\n", identity.SerialString(leaf.SerialNumber), leaf.NotAfter.UTC().Format(time.RFC3339), identity.RenewFrom(leaf).UTC().Format(time.RFC3339)); err != nil || !keep {
			return err
		}
		return a.Run(c.Context())
	}
	return c
}

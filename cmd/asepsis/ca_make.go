// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/seal"
	"github.com/asepsis/asepsis/prove/identity/service"
)

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return b, err
}

func caInit(f *authorityFlags) *cobra.Command {
	var site identity.Site
	var rootPass, shares string
	c := &cobra.Command{Use: "init", Short: "Make the site's root and its issuing authority", Args: cobra.NoArgs,
		Long: "Makes a root, whose key belongs off this machine once it is there, and an issuing\n" +
			"authority, which signs every day. Both keys are encrypted under passphrases. With\n" +
			"--shares the root's passphrase is drawn by lot and split: each share goes to another\n" +
			"person, and so many of them open the root.",
		Example: "  asepsis ca init --trust-domain or.st-example.internal --organisation 'St. Example' \\\n      --base http://pki.st-example.internal --domain st-example.internal --network 10.20.0.0/16 --shares 2of3"}
	c.Flags().StringVar(&site.TrustDomain, "trust-domain", "", "name under which devices are known: spiffe://TRUST-DOMAIN/device/ID (required)")
	c.Flags().StringVar(&site.Organisation, "organisation", "", "the hospital's name, in every certificate (required)")
	c.Flags().StringVar(&site.Base, "base", "", "address at which others reach CRLs and OCSP (required); it is in every certificate")
	c.Flags().StringVar(&site.Curve, "curve", "P-256", "of the authorities' keys: P-256 or P-384")
	c.Flags().StringArrayVar(&site.Domains, "domain", nil, "DNS domain whose names may be certified; none: any")
	c.Flags().StringArrayVar(&site.Networks, "network", nil, "network whose addresses may be certified; none: any")
	c.Flags().StringVar(&rootPass, "root-passphrase-file", "", "file with another passphrase for the root's key (default: the same)")
	c.Flags().StringVar(&shares, "shares", "", "split the root's passphrase, 2of3: any two of three open it; shares are printed once")
	for _, name := range []string{"trust-domain", "organisation", "base"} {
		_ = c.MarkFlagRequired(name)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		set, data, dir, err := f.place()
		if err != nil {
			return err
		}
		o := identity.InitOptions{Dir: dir, Site: site}
		if shares != "" {
			k, n, ok := strings.Cut(shares, "of")
			var e1, e2 error
			o.Threshold, e1 = strconv.Atoi(k)
			o.Shares, e2 = strconv.Atoi(n)
			if !ok || e1 != nil || e2 != nil || rootPass != "" {
				return withHint(fmt.Errorf("--shares: %q", shares), "2of3, and without --root-passphrase-file")
			}
		}
		if o.Passphrase, err = secret(c, cmp.Or(f.passphrase, string(set.Identity.PassphraseFile)), "New passphrase of the issuing authority", true); err != nil {
			return err
		}
		if rootPass != "" {
			if o.RootPassphrase, err = secret(c, rootPass, "", false); err != nil {
				return err
			}
		}
		made, err := identity.Init(o)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(made.Root.Raw)
		type answer struct {
			Root    string   `json:"root"`
			SHA256  string   `json:"sha256"`
			Issuing string   `json:"issuing"`
			RootKey string   `json:"root_key"`
			Shares  []string `json:"shares,omitempty"`
		}
		v := answer{made.Root.Subject.String(), hex.EncodeToString(sum[:]), made.Issuing.Subject.String(), made.RootKey, made.Shares}
		if err := f.printed(c, v, func(w *tabwriter.Writer) {
			_, _ = fmt.Fprintf(w, "root\t%s\nSHA-256\t%s\nissuing\t%s\n", v.Root, v.SHA256, v.Issuing)
			for i, s := range v.Shares {
				_, _ = fmt.Fprintf(w, "share %d\t%s\n", i+1, s)
			}
			_, _ = fmt.Fprintf(w, "\nTake %s off this machine: signing needs the issuing key alone.\n", v.RootKey)
			if len(v.Shares) > 0 {
				_, _ = fmt.Fprintf(w, "Write each share down for another person. They are kept nowhere.\n")
			}
		}); err != nil {
			return err
		}
		// The first CRLs and the statements about what was made.
		st, err := f.documents(c.Context(), set, data)
		if err != nil {
			return err
		}
		a, err := identity.Open(dir, set.Identity.Authority, identity.Deps{Documents: st, Passphrase: o.Passphrase, Software: "asepsis/identity " + version})
		if err == nil {
			err = errors.Join(a.Announced(c.Context(), actor()), a.Publish(c.Context(), true))
		}
		return errors.Join(err, st.Close())
	}
	return c
}

func caShow(f *authorityFlags) *cobra.Command {
	var asPEM bool
	c := &cobra.Command{Use: "show", Short: "Show the authority, or print its certificates for relying parties", Args: cobra.NoArgs}
	c.Flags().BoolVar(&asPEM, "pem", false, "print the root and the issuing authorities as PEM")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(_ context.Context, a *identity.Authority) error {
			if asPEM {
				return saved(c, "", a.Bundle(), 0)
			}
			s := a.Site()
			sum := sha256.Sum256(a.Root().Raw)
			type authority struct {
				ID       string    `json:"id"`
				Subject  string    `json:"subject"`
				NotAfter time.Time `json:"not_after"`
				Active   bool      `json:"active"`
			}
			v := struct {
				identity.Site
				SHA256  string      `json:"sha256"`
				Issuing []authority `json:"issuing"`
			}{Site: s, SHA256: hex.EncodeToString(sum[:])}
			for _, i := range a.Issuing() {
				id := identity.KeyID(i.SubjectKeyId)
				v.Issuing = append(v.Issuing, authority{id, i.Subject.String(), i.NotAfter.UTC(), id == s.Active})
			}
			return f.printed(c, v, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "trust domain\t%s\norganisation\t%s\nserved at\t%s\nnames\t%s\naddresses\t%s\nroot\t%s, to %s\nSHA-256\t%s\n", s.TrustDomain, s.Organisation, s.Base, cmp.Or(joined(s.Domains), "any"), cmp.Or(joined(s.Networks), "any"),
					a.Root().Subject.CommonName, a.Root().NotAfter.Format(time.DateOnly), v.SHA256)
				for _, i := range v.Issuing {
					kind := "issued before"
					if i.Active {
						kind = "issuing"
					}
					_, _ = fmt.Fprintf(w, "%s\t%s, to %s, %s\n", kind, i.Subject, i.NotAfter.Format(time.DateOnly), i.ID)
				}
			})
		})
	}
	return c
}

// rootFlags say how the root's key is reached.
type rootFlags struct {
	key, passphrase string
	shares          []string
}

func (r *rootFlags) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.key, "root-key", "", "the root's sealed key, brought back for this (default: root.key in the authority's directory)")
	c.Flags().StringVar(&r.passphrase, "root-passphrase-file", "", "file with its passphrase, mode 0600")
	c.Flags().StringArrayVar(&r.shares, "share-file", nil, "file with a share of it, mode 0600; as many as were agreed")
}

func (r *rootFlags) access(c *cobra.Command) (identity.RootAccess, error) {
	a := identity.RootAccess{KeyFile: r.key}
	for _, file := range r.shares {
		b, err := secret(c, file, "", false)
		if err != nil {
			return a, err
		}
		a.Shares = append(a.Shares, string(b))
	}
	var err error
	if len(a.Shares) == 0 {
		a.Passphrase, err = secret(c, r.passphrase, "Passphrase of the root", false)
	}
	return a, err
}

func caRotate(f *authorityFlags) *cobra.Command {
	var r rootFlags
	c := &cobra.Command{Use: "rotate", Short: "Make a new issuing authority; the old one's certificates stay good", Args: cobra.NoArgs}
	r.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		access, err := r.access(c)
		if err != nil {
			return err
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			cert, err := a.Rotate(ctx, access, actor())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "issuing now: %s, to %s\n", cert.Subject.CommonName, cert.NotAfter.Format(time.DateOnly))
			return err
		})
	}
	return c
}

func caRevokeIssuing(f *authorityFlags) *cobra.Command {
	var r rootFlags
	var reason string
	c := &cobra.Command{Use: "revoke-issuing ID", Short: "End an issuing authority that was rotated away, and with it all that it issued", Args: wants(1, 1)}
	r.flags(c)
	c.Flags().StringVar(&reason, "reason", string(identity.Cessation), "keyCompromise, cessationOfOperation, superseded")
	c.RunE = func(c *cobra.Command, args []string) error {
		why, err := identity.ParseReason(reason)
		if err != nil {
			return err
		}
		access, err := r.access(c)
		if err != nil {
			return err
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			return a.RevokeIssuing(ctx, args[0], access, why, actor())
		})
	}
	return c
}

func caRootCRL(f *authorityFlags) *cobra.Command {
	var r rootFlags
	c := &cobra.Command{Use: "root-crl", Short: "Sign the root's CRL again, before it ends", Args: cobra.NoArgs}
	r.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		access, err := r.access(c)
		if err != nil {
			return err
		}
		return f.with(c, func(_ context.Context, a *identity.Authority) error { return a.RenewRootCRL(access) })
	}
	return c
}

func caBackup(f *authorityFlags) *cobra.Command {
	var pass string
	c := &cobra.Command{Use: "backup FILE", Short: "Write the authority and its inventory into one encrypted file", Args: wants(1, 1)}
	c.Flags().StringVar(&pass, "backup-passphrase-file", "", "file with the passphrase of the backup, mode 0600")
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := secret(c, pass, "New passphrase of the backup", true)
		if err != nil {
			return err
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			b, err := a.Backup(ctx, p, seal.Cost{})
			if err != nil {
				return err
			}
			return os.WriteFile(args[0], b, 0o600)
		})
	}
	return c
}

func caRestore(f *authorityFlags) *cobra.Command {
	var pass string
	c := &cobra.Command{Use: "restore FILE", Short: "Put a backup into an empty data directory", Args: wants(1, 1)}
	c.Flags().StringVar(&pass, "backup-passphrase-file", "", "file with the passphrase of the backup, mode 0600")
	c.RunE = func(c *cobra.Command, args []string) error {
		set, data, dir, err := f.place()
		if err != nil {
			return err
		}
		p, err := secret(c, pass, "Passphrase of the backup", false)
		if err != nil {
			return err
		}
		b, err := readInput(c, args[0], 64<<20)
		if err != nil {
			return fmt.Errorf("ca restore: %w", err)
		}
		if service.Present(set.Identity, data) {
			return withHint(fmt.Errorf("ca restore: there is an authority in %s", dir), "name another --data")
		}
		st, err := f.documents(c.Context(), set, data)
		if err != nil {
			return err
		}
		return errors.Join(identity.Restore(c.Context(), dir, st, b, p), st.Close())
	}
	return c
}

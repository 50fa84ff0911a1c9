// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	xocsp "golang.org/x/crypto/ocsp"

	"github.com/asepsis/asepsis/prove/identity"
)

// subjectFlags say whose certificate it is to be.
type subjectFlags struct {
	profile, device, service, mud, longLife string
	dns, ips                                []string
	lifetime                                time.Duration
}

func (s *subjectFlags) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.profile, "profile", "", "dicom-node, xr-headset, surgical-device, api-client, api-server, eap-tls-supplicant, radius-server or infrastructure (required)")
	c.Flags().StringVar(&s.device, "device", "", "ID of the device, as in asepsis devices list")
	c.Flags().StringVar(&s.service, "service", "", "name of one of our own services, instead of a device")
	c.Flags().StringArrayVar(&s.dns, "dns", nil, "DNS name of a server")
	c.Flags().StringArrayVar(&s.ips, "ip", nil, "address of a server")
	c.Flags().StringVar(&s.mud, "mud", "", "MUD URL of the device (RFC 8520)")
	c.Flags().StringVar(&s.longLife, "long-life", "", "give the profile's long life, and why: the device cannot renew")
	_ = c.MarkFlagRequired("profile")
}

func (s *subjectFlags) request() (identity.Request, error) {
	r := identity.Request{Profile: identity.Profile(s.profile), Device: s.device, Service: s.service, DNS: s.dns, MUD: s.mud, Lifetime: s.lifetime, LongLife: s.longLife != "", LongLifeReason: s.longLife, By: actor()}
	for _, text := range s.ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return r, withHint(fmt.Errorf("--ip: %q is no address", text), "10.20.1.7")
		}
		r.Addresses = append(r.Addresses, ip)
	}
	return r, nil
}

func caIssue(f *authorityFlags) *cobra.Command {
	var s subjectFlags
	var csr, out string
	c := &cobra.Command{Use: "issue --profile PROFILE --device ID --csr FILE", Short: "Issue a certificate for a certificate request that lies in a file", Args: cobra.NoArgs,
		Long:    "For devices that can do no more than make a request. Of it, the key counts; whose\ncertificate it is say the flags. Devices that can enrol by themselves: asepsis ca code.",
		Example: "  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout arm.key -subj / -out arm.csr\n  asepsis ca issue --profile dicom-node --device dev-4h2kq6 --csr arm.csr --out arm.pem"}
	s.flags(c)
	c.Flags().StringVar(&csr, "csr", "", "file with the request, PEM or DER; - for standard input (required)")
	c.Flags().StringVarP(&out, "out", "o", "", "file for the certificate and its chain, PEM (default standard output)")
	c.Flags().DurationVar(&s.lifetime, "lifetime", 0, "a shorter life than the profile's: 24h")
	_ = c.MarkFlagRequired("csr")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := s.request()
		if err != nil {
			return err
		}
		b, err := readInput(c, csr, identity.MaxCSR)
		if err != nil {
			return fmt.Errorf("ca issue: %w", err)
		}
		req, err := identity.ParseCSR(b)
		if err != nil {
			return fmt.Errorf("ca issue: %w", err)
		}
		if err := identity.WithinCSR(req, &r); err != nil {
			return fmt.Errorf("ca issue: %w", err)
		}
		r.Public, r.Via = req.PublicKey, "csr-file"
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			i, err := a.Issue(ctx, r)
			if err != nil {
				return fmt.Errorf("ca issue: %w", err)
			}
			if f.format == "json" {
				return f.printed(c, i.Certificate, nil)
			}
			if err := saved(c, out, i.PEMChain(), 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.ErrOrStderr(), "issued %s to %s, good to %s\n", i.Serial, i.SPIFFE, i.NotAfter.Format(time.RFC3339))
			return err
		})
	}
	return c
}

func caRevoke(f *authorityFlags) *cobra.Command {
	var r identity.Revocation
	var reason string
	c := &cobra.Command{Use: "revoke [SERIAL...]", Short: "End certificates: everybody who checks refuses them, and cuts their live connections", Args: wants(0, 1000),
		Example: "  asepsis ca revoke --device dev-4h2kq6 --reason keyCompromise --note 'headset lost'"}
	c.Flags().StringVar(&r.Device, "device", "", "all certificates of this device")
	c.Flags().StringVar(&reason, "reason", "", "keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified (required)")
	c.Flags().StringVar(&r.Note, "note", "", "what happened, for those who ask later; nothing about patients")
	_ = c.MarkFlagRequired("reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		var err error
		if r.Reason, err = identity.ParseReason(reason); err != nil {
			return err
		}
		r.Serials, r.By = args, actor()
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			done, err := a.Revoke(ctx, r)
			if err != nil {
				return fmt.Errorf("ca revoke: %w", err)
			}
			return f.list(c, done)
		})
	}
	return c
}

func (f *authorityFlags) list(c *cobra.Command, list []identity.Certificate) error {
	if list == nil {
		list = []identity.Certificate{}
	}
	return f.printed(c, list, func(w *tabwriter.Writer) {
		_, _ = fmt.Fprintln(w, "SERIAL\tOWNER\tPROFILE\tSTATUS\tENDS\tVIA")
		for _, x := range list {
			status := string(x.Status)
			if x.Status == identity.Revoked {
				status += " (" + x.Reason + ")"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Serial, cmp.Or(x.Device, x.SPIFFE), x.Profile, status, x.NotAfter.Format(time.RFC3339), x.Via)
		}
	})
}

func caList(f *authorityFlags) *cobra.Command {
	var q identity.Filter
	var profile, status string
	var within time.Duration
	c := &cobra.Command{Use: "list", Short: "List certificates", Args: cobra.NoArgs}
	c.Flags().StringVar(&q.Device, "device", "", "of this device")
	c.Flags().StringVar(&profile, "profile", "", "of this profile")
	c.Flags().StringVar(&status, "status", "", "good, superseded, revoked or expired")
	c.Flags().DurationVar(&within, "ends-within", 0, "that end within this time: 720h")
	c.Flags().IntVar(&q.Limit, "limit", 1000, "at most so many, up to 1000")
	c.Flags().StringVar(&q.After, "after", "", "with serial numbers after this one: the next page")
	c.RunE = func(c *cobra.Command, _ []string) error {
		q.Profile, q.Status = identity.Profile(profile), identity.Status(status)
		if within > 0 {
			q.Before = time.Now().Add(within)
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			list, _, err := a.List(ctx, q)
			if err != nil {
				return err
			}
			return f.list(c, list)
		})
	}
	return c
}

func caCode(f *authorityFlags) *cobra.Command {
	var s subjectFlags
	var life time.Duration
	var server string
	c := &cobra.Command{Use: "code --profile PROFILE --device ID", Short: "Make an enrolment code, with which one device enrols once", Args: cobra.NoArgs,
		Example: "  asepsis ca code --profile xr-headset --device dev-4h2kq6 --server https://pki.st-example.internal:8447"}
	s.flags(c)
	c.Flags().DurationVar(&life, "valid", 24*time.Hour, "how long the code waits for its device, up to 720h")
	c.Flags().StringVar(&server, "server", "", "address of the enrolment server, for the address that a QR code shows")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := s.request()
		if err != nil {
			return err
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			code, err := a.MakeCode(ctx, r, life, server)
			if err != nil {
				return fmt.Errorf("ca code: %w", err)
			}
			return f.printed(c, code, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "code\t%s\nfor\t%s, %s\nuntil\t%s\nenrol with\tasepsis enroll '%s' --dir DIR\n", code.Text, cmp.Or(code.Device, code.Service), code.Profile, code.Expires.Format(time.RFC3339), code.URI)
			})
		})
	}
	return c
}

func caExpect(f *authorityFlags) *cobra.Command {
	var s subjectFlags
	var life time.Duration
	var maker, number string
	c := &cobra.Command{Use: "expect --profile PROFILE --device ID --manufacturer NAME --serial-number N", Short: "Let a device enrol once with its manufacturer's certificate", Args: cobra.NoArgs}
	s.flags(c)
	c.Flags().DurationVar(&life, "valid", 7*24*time.Hour, "how long the device is expected, up to 720h")
	c.Flags().StringVar(&maker, "manufacturer", "", "as in identity.manufacturers of the configuration (required)")
	c.Flags().StringVar(&number, "serial-number", "", "serialNumber in the subject of the device's certificate (required)")
	_ = c.MarkFlagRequired("manufacturer")
	_ = c.MarkFlagRequired("serial-number")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := s.request()
		if err != nil {
			return err
		}
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			code, err := a.Expect(ctx, r, life, maker, number)
			if err != nil {
				return fmt.Errorf("ca expect: %w", err)
			}
			return f.codes(c, []identity.Code{*code})
		})
	}
	return c
}

func (f *authorityFlags) codes(c *cobra.Command, list []identity.Code) error {
	if list == nil {
		list = []identity.Code{}
	}
	return f.printed(c, list, func(w *tabwriter.Writer) {
		_, _ = fmt.Fprintln(w, "HASH\tOWNER\tPROFILE\tUNTIL\tSTATE")
		for _, x := range list {
			state := "waiting"
			switch {
			case !x.Used.IsZero():
				state = "used for " + x.Serial
			case time.Now().After(x.Expires):
				state = "expired"
			case x.Number != "":
				state = "waiting for " + x.Number + " of " + x.Manufacturer
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Hash, cmp.Or(x.Device, x.Service), x.Profile, x.Expires.Format(time.RFC3339), state)
		}
	})
}

func caCodes(f *authorityFlags) *cobra.Command {
	c := &cobra.Command{Use: "codes", Short: "List enrolment codes, by their hash", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			list, err := a.Codes(ctx)
			if err != nil {
				return err
			}
			return f.codes(c, list)
		})
	}
	return c
}

func caWithdraw(f *authorityFlags) *cobra.Command {
	return &cobra.Command{Use: "withdraw HASH", Short: "Make an enrolment code useless that was not used", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.with(c, func(ctx context.Context, a *identity.Authority) error { return a.WithdrawCode(ctx, args[0], actor()) })
		}}
}

func caCRL(f *authorityFlags) *cobra.Command {
	var issuer, out string
	var delta, der, fresh bool
	c := &cobra.Command{Use: "crl", Short: "Print the certificate revocation list", Args: cobra.NoArgs}
	c.Flags().StringVar(&issuer, "issuer", "", "key ID of the issuer (default: the active issuing authority); root for the root")
	c.Flags().BoolVar(&delta, "delta", false, "the delta CRL")
	c.Flags().BoolVar(&der, "der", false, "DER instead of PEM")
	c.Flags().BoolVar(&fresh, "sign", false, "sign a new one first")
	c.Flags().StringVarP(&out, "out", "o", "", "file (default standard output)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			if fresh {
				if err := a.Publish(ctx, true); err != nil {
					return err
				}
			}
			id := cmp.Or(issuer, a.Site().Active)
			if id == "root" {
				id = a.Site().Root
			}
			b, _, err := a.CRL(ctx, id, delta)
			if err != nil {
				return err
			}
			if !der {
				b = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: b})
			}
			return saved(c, out, b, 0o644)
		})
	}
	return c
}

func caOCSP(f *authorityFlags) *cobra.Command {
	var out string
	c := &cobra.Command{Use: "ocsp SERIAL", Short: "Say how a certificate stands, as the OCSP responder does", Args: wants(1, 1),
		Long: "Exit code 1: it is not good. With --out the answer is written, for a server that staples\nit from a file."}
	c.Flags().StringVarP(&out, "out", "o", "", "file for the answer, DER")
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			b, err := a.Staple(ctx, args[0])
			if err != nil {
				return err
			}
			r, err := xocsp.ParseResponse(b, nil)
			if err != nil {
				return err
			}
			if out != "" {
				if err := saved(c, out, b, 0o644); err != nil {
					return err
				}
			}
			status := map[int]string{xocsp.Good: "good", xocsp.Revoked: "revoked", xocsp.Unknown: "unknown"}[r.Status]
			v := map[string]any{"serial": identity.SerialString(r.SerialNumber), "status": status, "this_update": r.ThisUpdate, "next_update": r.NextUpdate}
			if err := f.printed(c, v, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "serial\t%s\nstatus\t%s\nuntil\t%s\n", v["serial"], status, r.NextUpdate.Format(time.RFC3339))
			}); err != nil {
				return err
			}
			if r.Status != xocsp.Good {
				return &aboveThresholdError{}
			}
			return nil
		})
	}
	return c
}

func caCheck(f *authorityFlags) *cobra.Command {
	c := &cobra.Command{Use: "check", Short: "Say what needs a person: certificates and authorities that end", Args: cobra.NoArgs, Long: "Exit code 1: there is something."}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.with(c, func(ctx context.Context, a *identity.Authority) error {
			list, err := a.Findings(ctx)
			if err != nil {
				return err
			}
			if err := f.printed(c, list, func(w *tabwriter.Writer) {
				for _, x := range list {
					_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", x.Severity, x.Title, joined(x.Evidence))
				}
				if len(list) == 0 {
					_, _ = fmt.Fprintln(w, "nothing ends soon")
				}
			}); err != nil {
				return err
			}
			if len(list) > 0 {
				return &aboveThresholdError{}
			}
			return nil
		})
	}
	return c
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/ledger/witness"
)

func ledgerFsck(f *ledgerFlags) *cobra.Command {
	return &cobra.Command{Use: "fsck", Short: "Read the whole log and compare everything with everything", Args: wants(0, 0),
		Long: "Entries with tiles, tiles with signed roots, statements with their form, cases with their chains,\nfiles with what should be there. Writes nothing. Exit code 1: something is not as it was signed.",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := f.place()
			if err != nil {
				return err
			}
			if _, err := ledger.OpenReaderBare(dir); err != nil {
				return err
			}
			r, err := ledger.Fsck(c.Context(), dir, nil)
			if err != nil {
				return err
			}
			err = f.print(c, r, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "origin\t%s\nrecorded\t%d\nahead\t%d in the write-ahead log\npublished\t%d\nwitnessed\t%d\ncases\t%d\nfiles compared\t%d\n", r.Origin, r.Size, r.Ahead, r.Published, r.Witnessed, r.Cases, r.Files)
				for _, l := range r.Leftovers {
					_, _ = fmt.Fprintf(w, "leftover\t%s\n", l)
				}
				for _, p := range r.Problems {
					_, _ = fmt.Fprintf(w, "problem\t%s: %s\n", p.Where, p.What)
				}
				if r.More > 0 {
					_, _ = fmt.Fprintf(w, "problem\t... and %d more\n", r.More)
				}
				if len(r.Problems) == 0 {
					_, _ = fmt.Fprintf(w, "result\twhole\n")
				}
			})
			if err == nil && len(r.Problems) > 0 {
				err = &aboveThresholdError{}
			}
			return err
		}}
}

func ledgerExport(f *ledgerFlags) *cobra.Command {
	return &cobra.Command{Use: "export DIR", Short: "Write the log's segments that are not in a directory yet", Args: wants(1, 1),
		Long: "A segment has 65,536 entries, proves itself, and is never changed or written over: put the\ndirectory on storage that cannot be rewritten. The last one goes up to the newest witnessed checkpoint.",
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := f.place()
			if err != nil {
				return err
			}
			made, err := ledger.Export(c.Context(), dir, args[0])
			if err != nil {
				return err
			}
			return f.print(c, map[string]any{"segments": made}, func(w *tabwriter.Writer) {
				for _, m := range made {
					_, _ = fmt.Fprintln(w, m)
				}
			})
		}}
}

func ledgerImport(f *ledgerFlags) *cobra.Command {
	var trust, to string
	c := &cobra.Command{Use: "import SEGMENT...", Short: "Make a log for reading from exported segments, checking each", Args: wants(1, 1<<20),
		Example: "  asepsis ledger import worm/segment-*.tar --trust trust.json --to restored"}
	c.Flags().StringVar(&trust, "trust", "", "trust file of the log (required)")
	c.Flags().StringVar(&to, "to", "", "new directory for the log (required)")
	_ = c.MarkFlagRequired("trust")
	_ = c.MarkFlagRequired("to")
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := f.place(); err != nil {
			return err
		}
		b, err := os.ReadFile(trust)
		if err != nil {
			return fmt.Errorf("trust file: %w", err)
		}
		cp, err := ledger.Import(c.Context(), args, b, to)
		if err != nil {
			return notVerified(c, err)
		}
		return f.print(c, map[string]any{"origin": cp.Origin, "size": cp.Size, "dir": to}, func(w *tabwriter.Writer) {
			_, _ = fmt.Fprintf(w, "%s: %d entries of %s\n", to, cp.Size, cp.Origin)
		})
	}
	return c
}

func ledgerBackup(f *ledgerFlags) *cobra.Command {
	var o ledger.BackupOptions
	c := &cobra.Command{Use: "backup DIR", Short: "Copy the log, also while it is written", Args: wants(1, 1),
		Long: "The tree as of its newest checkpoint, and what was recorded beyond it as a write-ahead log. What is there from an earlier backup is not written again. The copy is checked against the signed root.\nA ledger that goes on from a backup older than what its witnesses signed is refused by them: begin a new origin then."}
	c.Flags().BoolVar(&o.Secrets, "secrets", false, "with the signing key and the salts: the copy can be run as the ledger, and keeps what is erased later")
	c.RunE = func(c *cobra.Command, args []string) error {
		dir, err := f.place()
		if err != nil {
			return err
		}
		cp, err := ledger.Backup(c.Context(), dir, args[0], o)
		if err != nil {
			return notVerified(c, err)
		}
		return f.print(c, map[string]any{"origin": cp.Origin, "size": cp.Size, "dir": args[0]}, func(w *tabwriter.Writer) {
			_, _ = fmt.Fprintf(w, "%s: %d entries of %s\n", args[0], cp.Size, cp.Origin)
		})
	}
	return c
}

func ledgerWitness(f *ledgerFlags) *cobra.Command {
	cfg := witness.Default()
	var show bool
	c := &cobra.Command{Use: "witness", Short: "Run a witness: cosign the checkpoints of other people's logs", Args: wants(0, 0),
		Long: "A C2SP tlog-witness. It belongs on a machine of somebody else than the ledger's operator, and\n" +
			"refuses a log that was rewritten or taken back. Its key is made at the first start and printed:\nput it into the ledger's configuration under witnesses.",
		Example: "  asepsis ledger witness --state /var/lib/asepsis-witness --name witness.example/or --log ledger.example/or+1a2b3c4d+AZ..."}
	c.Flags().StringVar(&cfg.Dir, "state", filepath.Join(defaultDataDir(), "witness"), "directory of the witness's key and of what it signed last")
	c.Flags().StringVar(&cfg.Name, "name", "", "name of the witness; needed at the first start")
	c.Flags().StringVar(&cfg.Listen, "listen", cfg.Listen, "address and port; off loopback it needs a certificate")
	c.Flags().StringVar(&cfg.CertFile, "cert-file", "", "certificate chain (PEM)")
	c.Flags().StringVar(&cfg.KeyFile, "key-file", "", "private key of the certificate (PEM)")
	c.Flags().StringArrayVar(&cfg.Logs, "log", nil, "verifier key of a log that it signs for (may be repeated)")
	c.Flags().BoolVar(&show, "show-key", false, "print the key and end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.format != "table" && f.format != "json" {
			return unknownFormat(f.format, "table", "json")
		}
		log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
		w, err := witness.New(cfg, witness.Deps{Log: log})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(c.OutOrStdout(), w.Key()); err != nil {
			return err
		}
		if show {
			return w.Close()
		}
		if len(cfg.Logs) == 0 {
			_ = w.Close()
			return withHint(fmt.Errorf("witness: no log is named"), "--log with the key of a log: asepsis ledger trust prints it")
		}
		log.Info("the witness listens", "address", cfg.Listen, "logs", len(cfg.Logs))
		return w.Run(c.Context())
	}
	return c
}

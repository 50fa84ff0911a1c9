// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/receipt"
)

// ledgerFlags are the flags of commands that read a log's directory.
type ledgerFlags struct {
	dir, data, config, format string
}

func ledgerCommand() *cobra.Command {
	var f ledgerFlags
	c := &cobra.Command{Use: "ledger", Short: "Read, check, prove and keep the custody ledger", Args: cobra.NoArgs,
		Long: "Works on the ledger's directory itself, also while a server writes it. docs/ledger.md describes\nthe ledger, its receipts and its witnesses.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	p := c.PersistentFlags()
	p.StringVar(&f.dir, "dir", "", "the ledger's directory (default ledger in the data directory)")
	p.StringVar(&f.data, "data", "", "data directory (default "+defaultDataDir()+")")
	p.StringVar(&f.config, "config", "", "configuration file")
	p.StringVar(&f.format, "format", "table", "table or json")
	c.AddCommand(ledgerStatus(&f), ledgerTrust(&f), ledgerList(&f), ledgerProve(&f), ledgerVerify(&f), ledgerFsck(&f), ledgerWitness(&f), ledgerExport(&f), ledgerImport(&f), ledgerBackup(&f))
	return c
}

// place finds the directory.
func (f *ledgerFlags) place() (string, error) {
	if f.format != "table" && f.format != "json" {
		return "", unknownFormat(f.format, "table", "json")
	}
	if f.dir != "" {
		return f.dir, nil
	}
	set, err := loadSettings(f.config)
	if err != nil {
		return "", err
	}
	return filepath.Join(cmp.Or(f.data, set.Data, defaultDataDir()), "ledger"), nil
}

func (f *ledgerFlags) bare() (*ledger.Reader, error) {
	dir, err := f.place()
	if err != nil {
		return nil, err
	}
	return ledger.OpenReaderBare(dir)
}

// print writes JSON, or a table.
func (f *ledgerFlags) print(c *cobra.Command, v any, table func(*tabwriter.Writer)) error {
	if f.format == "json" {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	table(w)
	return w.Flush()
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func ledgerStatus(f *ledgerFlags) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Say how long the log is, what is published and witnessed, and what waits", Args: wants(0, 0),
		Long: "Exit code 1: the self-audit found a problem, or entries wait for witnesses.",
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := f.bare()
			if err != nil {
				return err
			}
			s, err := r.Status()
			if err != nil {
				return err
			}
			err = f.print(c, s, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "origin\t%s\nrecorded\t%d\n", s.Origin, s.Size)
				if n := s.Size - s.Integrated; n > 0 {
					_, _ = fmt.Fprintf(w, "  of them ahead\t%d\tin the write-ahead log, not in the tree yet\n", n)
				}
				_, _ = fmt.Fprintf(w, "published\t%d\t%s\n", s.Published.Size, instant(s.Published.Time))
				if s.Required > 0 {
					_, _ = fmt.Fprintf(w, "witnessed\t%d\t%s\nwitnesses\t%d of %d are required\n", s.Witnessed.Size, instant(s.Witnessed.Time), s.Required, len(s.Witnesses))
					for _, x := range s.Witnesses {
						_, _ = fmt.Fprintf(w, "  %s\t%d\t%s\n", x.Name, x.Size, instant(x.Last))
					}
					_, _ = fmt.Fprintf(w, "unwitnessed\t%d\n", s.Unwitnessed)
				} else {
					_, _ = fmt.Fprintf(w, "witnesses\tnone\n")
				}
				_, _ = fmt.Fprintf(w, "audited\t%d\t%s\n", s.Audit.Checked, instant(s.Audit.Last))
				if s.Audit.Problem != "" {
					_, _ = fmt.Fprintf(w, "problem\t%s\n", s.Audit.Problem)
				}
			})
			if err == nil && (s.Audit.Problem != "" || s.Unwitnessed > 0 && time.Since(s.UnwitnessedSince) > ledger.Default().Unwitnessed) {
				err = &aboveThresholdError{}
			}
			return err
		}}
}

func ledgerTrust(f *ledgerFlags) *cobra.Command {
	return &cobra.Command{Use: "trust", Short: "Print the trust file by which others verify receipts of this log", Args: wants(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := f.bare()
			if err != nil {
				return err
			}
			b, err := r.TrustFile()
			if err == nil {
				_, err = c.OutOrStdout().Write(b)
			}
			return err
		}}
}

// querySelect are the flags that select entries.
type querySelect struct {
	digest, hash, device, theatre, caseOf, kind, file, from, to string
	limit                                                       int
	dataSet                                                     string // SHA-256 of that of a DICOM file, which is what gateways state
}

func (q *querySelect) flags(c *cobra.Command) {
	c.Flags().StringVar(&q.digest, "digest", "", "SHA-256 of an artefact")
	c.Flags().StringVar(&q.file, "file", "", "an artefact, by its content; a DICOM file also by its data set")
	c.Flags().StringVar(&q.hash, "hash", "", "SHA-256 of a statement")
	c.Flags().StringVar(&q.device, "device", "", "device ID")
	c.Flags().StringVar(&q.theatre, "theatre", "", "theatre's ID")
	c.Flags().StringVar(&q.caseOf, "case", "", "commitment of a case (hs256:...)")
	c.Flags().StringVar(&q.kind, "kind", "", "kind of statement, as artefact-received")
	c.Flags().StringVar(&q.from, "from", "", "from this time on (RFC 3339)")
	c.Flags().StringVar(&q.to, "to", "", "before this time")
	c.Flags().IntVar(&q.limit, "limit", 50, "at most so many")
}

func (q *querySelect) query() (ledger.Query, error) {
	out := ledger.Query{Digest: q.digest, Hash: q.hash, Device: q.device, Theatre: q.theatre, Case: custody.Commitment(q.caseOf), Kind: custody.Kind(q.kind), Limit: q.limit}
	for _, t := range []struct {
		name, text string
		into       *time.Time
	}{{"--from", q.from, &out.From}, {"--to", q.to, &out.To}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.into, err = time.Parse(time.RFC3339, t.text); err != nil {
			return out, withHint(fmt.Errorf("%s: %q is no time", t.name, t.text), "a time such as 2027-03-31T08:00:00Z")
		}
	}
	if q.file != "" {
		sums, err := sumsOf(q.file)
		if err != nil {
			return out, err
		}
		out.Digest = fmt.Sprintf("%x", sums.Whole)
		if sums.DICOM {
			q.dataSet = fmt.Sprintf("%x", sums.DataSet)
		}
	}
	return out, nil
}

func ledgerList(f *ledgerFlags) *cobra.Command {
	var q querySelect
	c := &cobra.Command{Use: "list", Short: "List entries, newest first", Args: wants(0, 0),
		Example: "  asepsis ledger list --file image.dcm\n  asepsis ledger list --theatre or-3 --kind override --format json"}
	q.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		found, err := f.find(c, &q)
		if err != nil {
			return err
		}
		return f.print(c, found, func(w *tabwriter.Writer) {
			_, _ = fmt.Fprintf(w, "INDEX\tTIME\tSTATE\tKIND\tDEVICE\tTHEATRE\tID\n")
			for _, e := range found {
				p := e.Statement.Predicate
				_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Index, instant(p.Time), e.State, e.Statement.Kind(), cmp.Or(p.Device, p.Actor.Device, "-"), cmp.Or(p.Theatre, "-"), p.ID)
			}
		})
	}
	return c
}

func (f *ledgerFlags) find(c *cobra.Command, q *querySelect) ([]ledger.Entry, error) {
	query, err := q.query()
	if err != nil {
		return nil, err
	}
	dir, err := f.place()
	if err != nil {
		return nil, err
	}
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return nil, err
	}
	found, err := r.Find(c.Context(), query)
	if err == nil && len(found) == 0 && q.dataSet != "" {
		query.Digest = q.dataSet
		return r.Find(c.Context(), query)
	}
	return found, err
}

func ledgerProve(f *ledgerFlags) *cobra.Command {
	var q querySelect
	var out string
	var unwitnessed bool
	c := &cobra.Command{Use: "prove [INDEX]", Short: "Make the receipt of an entry", Args: wants(0, 1),
		Long:    "The entry is named by its index, or by flags that only one entry fits.",
		Example: "  asepsis ledger prove 4711 -o receipt.json\n  asepsis ledger prove --file image.dcm --kind artefact-received > receipt.json"}
	q.flags(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file for the receipt; without it, standard output")
	c.Flags().BoolVar(&unwitnessed, "unwitnessed", false, "also where too few witnesses have signed yet")
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := f.bare()
		if err != nil {
			return err
		}
		var index uint64
		if len(args) == 1 {
			if index, err = strconv.ParseUint(args[0], 10, 53); err != nil {
				return withHint(fmt.Errorf("INDEX: %q is none", args[0]), "asepsis ledger list shows indexes")
			}
		} else {
			q.limit = 2
			found, err := f.find(c, &q)
			switch {
			case err != nil:
				return err
			case len(found) == 0:
				return fmt.Errorf("prove: %w", ledger.ErrNotFound)
			case len(found) > 1:
				return withHint(errors.New("prove: several entries fit"), "asepsis ledger list shows them; name one by its index")
			}
			index = found[0].Index
		}
		want := ledger.Witnessed
		if unwitnessed || r.Trust().Required == 0 {
			want = ledger.Published
		}
		b, err := r.Receipt(c.Context(), index, want)
		if err != nil {
			return fmt.Errorf("prove %d: %w", index, err)
		}
		if out == "" {
			_, err = c.OutOrStdout().Write(b)
			return err
		}
		return os.WriteFile(out, b, 0o644) //nolint:gosec // a receipt is to be given away
	}
	return c
}

func ledgerVerify(f *ledgerFlags) *cobra.Command {
	var trust string
	var sample int
	c := &cobra.Command{Use: "verify", Short: "Check that the log is what was signed, by its checkpoints and a sample of entries", Args: wants(0, 0),
		Long: "Quick, for every hour; fsck reads everything. Exit code 1: something is not as it was signed."}
	c.Flags().StringVar(&trust, "trust", "", "trust file to believe instead of the one in the ledger's directory")
	c.Flags().IntVar(&sample, "sample", 200, "how many entries are proven, spread over the log")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := f.bare()
		if err != nil {
			return err
		}
		t := r.Trust()
		if trust != "" {
			if t, err = readTrust(trust); err != nil {
				return err
			}
		}
		res, err := r.Verify(c.Context(), t, sample)
		if err != nil {
			return notVerified(c, err)
		}
		return f.print(c, res, func(w *tabwriter.Writer) {
			_, _ = fmt.Fprintf(w, "origin\t%s\nrecorded\t%d\npublished\t%d\twhole\nwitnessed\t%d\twhole\nproven\t%d entries\n", res.Origin, res.Size, res.Published, res.Witnessed, res.Proven)
		})
	}
	return c
}

// notVerified prints why something does not verify, for exit code 1; what could not be
// tried is an error as any other.
func notVerified(c *cobra.Command, err error) error {
	var bad *receipt.Error
	if !errors.As(err, &bad) && !errors.Is(err, ledger.ErrDamaged) || bad != nil && bad.Code == receipt.BadTrust {
		return err
	}
	if _, werr := fmt.Fprintf(c.ErrOrStderr(), "asepsis: does not verify: %s\n", oneLine(err)); werr != nil {
		return werr
	}
	if h := hint(err); h != "" {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "hint: %s\n", h)
	}
	return &aboveThresholdError{}
}

func readTrust(file string) (*receipt.Trust, error) {
	b, err := fileUpTo(file, receipt.MaxTrust)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	return receipt.ParseTrust(b)
}

// fileUpTo reads at most limit bytes and one more, which tells that it is too long.
func fileUpTo(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

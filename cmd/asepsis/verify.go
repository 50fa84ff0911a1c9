// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/prove/receipt"
)

// verified is the JSON of asepsis verify.
type verified struct {
	Verified  bool            `json:"verified"`
	Code      receipt.Code    `json:"code,omitempty"`
	Why       string          `json:"why,omitempty"`
	Index     uint64          `json:"index"`
	Hash      string          `json:"hash,omitempty"`
	Kind      string          `json:"kind,omitempty"`
	Subject   string          `json:"subject,omitempty"` // what FILE is to the statement
	Part      receipt.Part    `json:"part,omitempty"`    // of FILE: "file", or "data-set" of a DICOM file
	Origin    string          `json:"origin,omitempty"`
	Size      uint64          `json:"size,omitempty"`
	Witnessed bool            `json:"witnessed"`
	Witnesses []string        `json:"witnesses,omitempty"`
	By        string          `json:"by,omitempty"`
	Timestamp string          `json:"timestamp,omitempty"`
	Statement json.RawMessage `json:"statement,omitempty"`
}

// matched is what a file is to the statement.
type matched struct {
	subject string
	part    receipt.Part
}

func verifyCommand() *cobra.Command {
	var trust, format string
	var unwitnessed bool
	c := &cobra.Command{Use: "verify RECEIPT [FILE]", Short: "Check a receipt offline, and whether a file is what it is about", Args: wants(1, 2),
		Long: "Needs no server and no network: the trust file says whose log and which witnesses to believe.\n" +
			"Of a DICOM file, the statement is about its data set: preamble and file meta information, which\n" +
			"every receiver writes anew, are not covered. Receivers that write the data set itself anew keep no\n" +
			"proof; storescp, for example, writes it as it came with +B.\n" +
			"Exit code 0: it verifies. 1: it does not. 2: it could not be tried.",
		Example: "  asepsis verify receipt.json image.dcm --trust trust.json"}
	c.Flags().StringVar(&trust, "trust", "", "trust file of the log (required)")
	c.Flags().BoolVar(&unwitnessed, "allow-unwitnessed", false, "accept fewer witnesses than the trust file requires: the log's word alone")
	c.Flags().StringVar(&format, "format", "table", "table or json")
	_ = c.MarkFlagRequired("trust")
	c.RunE = func(c *cobra.Command, args []string) error {
		if format != "table" && format != "json" {
			return unknownFormat(format, "table", "json")
		}
		t, err := readTrust(trust)
		if err != nil {
			return err
		}
		file, err := fileUpTo(args[0], receipt.MaxReceipt)
		if err != nil {
			return fmt.Errorf("receipt: %w", err)
		}
		r, err := receipt.Verify(file, t, receipt.Options{Unwitnessed: unwitnessed})
		var of matched
		if err == nil && len(args) == 2 {
			sums, serr := sumsOf(args[1])
			if serr != nil {
				return serr
			}
			of.subject, of.part, err = r.MatchFile(sums)
		}
		if format == "json" {
			return verifiedJSON(c, r, of, err)
		}
		if err != nil {
			return notVerified(c, err)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		p := r.Statement.Predicate
		_, _ = fmt.Fprintf(w, "verified\tentry %d of %s\n", r.Index, r.Checkpoint.Origin)
		switch of.part {
		case receipt.Whole:
			_, _ = fmt.Fprintf(w, "file\tit is the statement's %q\n", of.subject)
		case receipt.DataSet:
			_, _ = fmt.Fprintf(w, "file\tits data set is the statement's %q; preamble and meta information are not covered\n", of.subject)
		}
		_, _ = fmt.Fprintf(w, "statement\t%s, %s\n", r.Statement.Kind(), instant(p.Time))
		_, _ = fmt.Fprintf(w, "hash\t%s\n", r.Hash)
		if r.Witnessed {
			_, _ = fmt.Fprintf(w, "witnesses\t%s\nin the log by\t%s\n", strings.Join(witnessNames(&r), ", "), instant(r.By))
		} else if t.Required == 0 {
			_, _ = fmt.Fprintf(w, "witnesses\tthe trust file demands none: this is the log's word alone\n")
		} else {
			_, _ = fmt.Fprintf(w, "witnesses\ttoo few: this is the log's word alone\n")
		}
		if !r.Timestamp.IsZero() {
			_, _ = fmt.Fprintf(w, "timestamp\t%s\n", instant(r.Timestamp))
		}
		return w.Flush()
	}
	return c
}

func witnessNames(r *receipt.Result) []string {
	names := make([]string, len(r.Checkpoint.Cosigned))
	for i, s := range r.Checkpoint.Cosigned {
		names[i] = s.Witness
	}
	return names
}

// verifiedJSON prints the result, also of a receipt that does not verify.
func verifiedJSON(c *cobra.Command, r receipt.Result, of matched, err error) error {
	out := verified{Verified: err == nil}
	if err != nil {
		bad, ok := err.(*receipt.Error) //nolint:errorlint // receipt returns nothing else
		if !ok {
			return err
		}
		out.Code, out.Why = bad.Code, bad.Why
	} else {
		b, merr := json.Marshal(r.Statement)
		if merr != nil {
			return merr
		}
		out.Index, out.Hash, out.Kind, out.Subject, out.Origin, out.Size = r.Index, r.Hash, string(r.Statement.Kind()), of.subject, r.Checkpoint.Origin, r.Checkpoint.Size
		out.Part = of.part
		out.Witnessed, out.Witnesses, out.Statement = r.Witnessed, witnessNames(&r), b
		if !r.By.IsZero() {
			out.By = instant(r.By)
		}
		if !r.Timestamp.IsZero() {
			out.Timestamp = instant(r.Timestamp)
		}
	}
	e := json.NewEncoder(c.OutOrStdout())
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if eerr := e.Encode(out); eerr != nil {
		return eerr
	}
	if err != nil {
		return &aboveThresholdError{}
	}
	return nil
}

// sumsOf hashes a file of any length.
func sumsOf(file string) (receipt.Sums, error) {
	f, err := os.Open(file)
	if err != nil {
		return receipt.Sums{}, err
	}
	defer func() { _ = f.Close() }()
	s, err := receipt.SumsOf(f)
	if err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger"
)

func recordCommand() *cobra.Command {
	var r remote
	var schema string
	var check bool
	c := &cobra.Command{Use: "record [FILE]", Short: "Give an operation record of a table, robot or XR session to a running server", Args: wants(0, 1),
		Long: "The record is JSON, from FILE or, with -, from standard input; docs/ledger.md describes it. It is checked\n" +
			"here before it is sent. Sent again with the same id and content it is the same entry.",
		Example: "  asepsis record table.json\n  asepsis record --check table.json\n  asepsis record --schema surgical-robot"}
	r.flags(c)
	c.Flags().StringVar(&schema, "schema", "", "print the JSON Schema of a type: surgical-table, surgical-robot or xr-session")
	c.Flags().BoolVar(&check, "check", false, "say whether the record is right, and send nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		if schema != "" {
			if !slices.Contains(custody.RecordTypes(), custody.RecordType(schema)) {
				return withHint(fmt.Errorf("--schema: there is no type %q", schema), "surgical-table, surgical-robot or xr-session")
			}
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(ledger.RecordSchema(custody.RecordType(schema)))
		}
		if len(args) == 0 {
			return withHint(fmt.Errorf("record: no file is named"), "a file, or - for standard input")
		}
		b, err := recordFile(c, args[0])
		if err != nil {
			return err
		}
		rec, err := ledger.ParseRecord(b)
		if err != nil {
			return err
		}
		if err := ledger.CheckRecord(rec); err != nil {
			return err
		}
		if check {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", args[0])
			return err
		}
		cl, err := r.client()
		if err != nil {
			return err
		}
		var answer json.RawMessage
		if err := cl.Post(c.Context(), "/records", rec, &answer); err != nil {
			return explain(err)
		}
		if r.format == "json" {
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", strings.TrimSpace(string(answer)))
			return err
		}
		var e struct {
			Entry struct {
				Index uint64 `json:"index"`
				State string `json:"state"`
				Hash  string `json:"hash"`
			} `json:"entry"`
		}
		if err := json.Unmarshal(answer, &e); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "entry %d %s: %s\n", e.Entry.Index, e.Entry.State, e.Entry.Hash)
		return err
	}
	return c
}

func recordFile(c *cobra.Command, name string) ([]byte, error) {
	var in io.Reader = c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, ledger.MaxRecord+1))
}

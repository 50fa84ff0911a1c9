// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/sigma"
	"github.com/asepsis/asepsis/see/detect/suricata"
)

func (f *ruleFlags) importing() *cobra.Command {
	c := &cobra.Command{Use: "import", Short: "Import rules of other formats", Args: cobra.NoArgs,
		Long: "Import a subset of Sigma or Suricata rules. What is not supported is refused by name, and the rest is\n" +
			"imported; docs/rules.md says what is. The rules are written to the folder as <format>/<name>.yaml,\n" +
			"for --dir and detect.rules. It ends with 1 when a rule was refused.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(
		f.importFrom("sigma", "Import Sigma rules", sigma.MaxFile, func(name string, data []byte, _ map[string]string, env *expr.Env) ([]*rule.Rule, error) {
			return sigma.Import(name, data, env)
		}),
		f.importFrom("suricata", "Import Suricata rules", suricata.MaxFile, suricata.Import))
	return c
}

// importer reads rules of another format.
type importer func(name string, data []byte, vars map[string]string, env *expr.Env) ([]*rule.Rule, error)

func (f *ruleFlags) importFrom(format, short string, most int64, read importer) *cobra.Command {
	var dir string
	var given []string
	c := &cobra.Command{Use: format + " FILE... -o DIR", Short: short, Args: wants(1, 1<<20),
		RunE: func(c *cobra.Command, args []string) error {
			vars := map[string]string{}
			for _, v := range given {
				name, value, ok := strings.Cut(v, "=")
				if !ok {
					return withHint(fmt.Errorf("variable %q: want NAME=VALUE", v), "--var 'HTTP_PORTS=[80,8080]'")
				}
				vars[name] = value
			}
			env, err := expr.NewEnv()
			if err != nil {
				return err
			}
			written, refused := 0, 0
			for _, name := range args {
				data, err := readBounded(name, most)
				if err != nil {
					return err
				}
				list, err := read(name, data, vars, env)
				for _, e := range split(err) {
					refused++
					_, _ = fmt.Fprintf(c.ErrOrStderr(), "refused: %v\n", e)
				}
				for _, r := range list {
					if err := writeRule(dir, r); err != nil {
						return err
					}
					written++
				}
			}
			_, _ = fmt.Fprintf(c.OutOrStdout(), "%d rules imported into %s, %d refused\n", written, filepath.Join(dir, format), refused)
			if refused > 0 {
				return &aboveThresholdError{}
			}
			return nil
		}}
	c.Flags().StringVarP(&dir, "output", "o", "", "folder to write to (required)")
	_ = c.MarkFlagRequired("output")
	if format == "suricata" {
		c.Flags().StringArrayVar(&given, "var", nil, "variable of the rules, NAME=VALUE; may be given several times")
	}
	return c
}

// readBounded reads a file that is not larger than it may be.
func readBounded(name string, most int64) ([]byte, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, most)
	}
	return data, nil
}

// writeRule writes a rule to its place, over what was imported before.
func writeRule(dir string, r *rule.Rule) error {
	family, name, _ := strings.Cut(r.ID, ".")
	at := filepath.Join(dir, family)
	if err := os.MkdirAll(at, 0o755); err != nil { //nolint:gosec // rules are no secret
		return err
	}
	return os.WriteFile(filepath.Join(at, name+".yaml"), rule.Encode(r), 0o644) //nolint:gosec // rules are no secret
}

// split takes joined errors apart.
func split(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/indicator"
)

// ListsDir is the folder of the indicator lists beside the families.
const ListsDir = "lists"

// Library is everything that was read from one tree: rules and lists, and
// the environment in which the rules' expressions were checked.
type Library struct {
	Rules []*Rule // in the order of their IDs
	Lists *indicator.Lists
	Env   *expr.Env
}

// Rule finds a rule by its ID, nil when there is none.
func (l *Library) Rule(id string) *Rule {
	i, ok := slices.BinarySearchFunc(l.Rules, id, func(r *Rule, id string) int { return strings.Compare(r.ID, id) })
	if !ok {
		return nil
	}
	return l.Rules[i]
}

// Load reads the rules of a tree: <family>/<name>.yaml. See Open.
func Load(fsys fs.FS) ([]*Rule, error) {
	l, err := Open(fsys)
	if err != nil {
		return nil, err
	}
	return l.Rules, nil
}

// Open reads rules and lists of a tree. The error names everything that is wrong
// in all files; nothing is returned then: a site runs with the rules that it asked
// for or is told why not.
func Open(fsys fs.FS) (*Library, error) {
	lists, err := indicator.Load(fsys, ListsDir)
	if err != nil {
		return nil, err
	}
	env, err := expr.NewEnv(expr.WithLists(lists))
	if err != nil {
		return nil, err
	}
	rules, err := Read(fsys, env)
	if err != nil {
		return nil, err
	}
	return &Library{Rules: rules, Lists: lists, Env: env}, nil
}

// Read reads the rules of a tree and checks them in an environment, whose lists may
// come from elsewhere. The error is as that of Open.
func Read(fsys fs.FS, env *expr.Env) ([]*Rule, error) {
	var out []*Rule
	var errs []error
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (p == ListsDir || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".yaml":
			return nil
		}
		data, err := readFile(fsys, p)
		if err != nil {
			return err
		}
		r, err := Parse(p, data, env)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		if want := strings.TrimSuffix(strings.ReplaceAll(p, "/", "."), ".yaml"); r.ID != want {
			errs = append(errs, fmt.Errorf("%s: the rule is called %q, its place says %q", p, r.ID, want))
			return nil
		}
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(out, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// readFile reads a file of a rule and no more of a larger one than shows that it is too large.
func readFile(fsys fs.FS, p string) ([]byte, error) {
	f, err := fsys.Open(p)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, config.MaxFile+1))
}

// Parse reads and checks one rule. The name stands for the file in errors.
func Parse(name string, data []byte, env *expr.Env) (*Rule, error) {
	r, err := config.DecodeChecked(name, data, Rule{}, func(r *Rule) error { return Check(r, env) })
	if err != nil {
		return nil, err
	}
	r.File = name
	r.Family, _, _ = strings.Cut(r.ID, ".")
	return &r, nil
}

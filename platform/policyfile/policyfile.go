// SPDX-License-Identifier: Apache-2.0

// Package policyfile reads a policy from strict YAML. The form is policy.Spec;
// docs/policy.md describes it. What is wrong is reported with line, column and
// what to do, everything at once. A file is at most config.MaxFile bytes.
package policyfile

import (
	"errors"

	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/platform/config"
)

// Load reads a policy from a file.
func Load(path string) (*policy.Policy, error) {
	f, err := config.Load(path, form{})
	if err != nil {
		return nil, err
	}
	return f.compiled()
}

// Parse reads a policy from memory; name stands for the file in errors.
func Parse(name string, data []byte) (*policy.Policy, error) {
	f, err := config.Decode(name, data, form{})
	if err != nil {
		return nil, err
	}
	return f.compiled()
}

// form is a Spec that the decoder checks.
type form policy.Spec

// Validate implements config.Validator.
func (f form) Validate() error {
	_, problems := policy.Compile(policy.Spec(f))
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = config.Invalid(p.Path, p.Hint, "%s", p.Message)
	}
	return errors.Join(errs...)
}

func (f form) compiled() (*policy.Policy, error) {
	p, problems := policy.Compile(policy.Spec(f))
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return p, nil
}

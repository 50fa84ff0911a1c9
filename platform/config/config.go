// SPDX-License-Identifier: Apache-2.0

// Package config reads configuration: YAML files that are either right or
// refused with the line, the column, the offending text and, where one can be
// given, a hint.
//
// # A configuration is a struct
//
// Each room of the program has a Config struct. Every exported field has two
// tags: yaml, its name in the file, and doc, what it is for. Default values are
// what the room's Default function returns and nowhere else; ShowDefaults
// prints them with the documentation, as a file that can be loaded again.
//
//	type Config struct {
//		Workers int              `yaml:"workers" doc:"Number of workers; 0 means one for each core."`
//		Idle    time.Duration    `yaml:"idle_timeout" doc:"How long a flow may be silent."`
//		Memory  config.ByteSize  `yaml:"memory" doc:"The most memory that the flow table takes."`
//	}
//
//	func (c Config) Validate() error {
//		if c.Workers < 0 {
//			return config.Invalid("workers", "write 0 to use all cores", "must not be negative, is %d", c.Workers)
//		}
//		return nil
//	}
//
// # What is strict
//
// Unknown fields, fields given twice, values of another type, numbers that do
// not fit, durations without a unit, empty values and more than one document
// are errors; all that are found are reported, not the first alone. YAML's
// anchors, aliases, merge keys and tags are refused: a configuration says what
// it means where it says it. "yes", "no", "on" and "off" are text, not
// booleans, as in YAML 1.2.
//
// A Validate method on a struct, at any depth, is called after decoding, with
// the values of the file over the defaults. It checks the fields of its own
// struct only; what it finds with Invalid is reported at the field's line.
//
// # Types
//
// Strings, booleans, integers, floats, time.Duration ("30s", "1h30m"), ByteSize
// ("64MiB"), SecretFile, whatever implements encoding.TextUnmarshaler, pointers
// to these, structs, slices and maps with text keys. An embedded struct that is
// tagged ",inline" has its fields beside those of the struct around it. What is declared
// as any holds text, a boolean, a number, []any or map[string]any.
//
// # Limits
//
// A file is at most MaxFile bytes and MaxDepth deep. What is not done: includes,
// environment variables and templates.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
)

// Bounds of a configuration file.
const (
	MaxFile  = 1 << 20 // bytes
	MaxDepth = 32      // nested mappings and lists
)

// Validator is a part of a configuration that checks itself. The error is made
// with Invalid, or several such with errors.Join.
type Validator interface {
	Validate() error
}

// Load reads a file over the defaults and validates the result. Relative paths
// of secret files are taken from the directory of the file. An error is of type
// Errors where it is about the content.
func Load[T any](path string, defaults T) (T, error) {
	f, err := os.Open(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return defaults, Errors{{File: path, Message: "cannot be read: " + err.Error(), Hint: hintFor(err)}}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return defaults, Errors{{File: path, Message: "cannot be read: " + err.Error(), Hint: hintFor(err)}}
	}
	return decode(path, filepath.Dir(path), data, defaults)
}

func hintFor(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "asepsis config show-defaults prints a file to start from"
	case errors.Is(err, fs.ErrPermission):
		return "the user that runs asepsis needs the right to read it"
	}
	return ""
}

// Decode is Load from memory. The name stands for the file in errors; relative
// paths of secret files are taken from the current directory.
func Decode[T any](name string, data []byte, defaults T) (T, error) {
	return decode(name, ".", data, defaults)
}

// DecodeChecked is Decode for content that is judged by more than its own structs
// know: check is called when all else is right, and what it finds with Invalid is
// reported at the field's line.
func DecodeChecked[T any](name string, data []byte, defaults T, check func(*T) error) (T, error) {
	return decode(name, ".", data, defaults, check)
}

func decode[T any](name, dir string, data []byte, defaults T, checks ...func(*T) error) (T, error) {
	out := reflect.New(reflect.TypeFor[T]())
	out.Elem().Set(copyOf(reflect.ValueOf(&defaults).Elem()))
	d := &decoder{file: name, dir: dir, at: map[string]position{}}
	d.document(data, out.Elem())
	if len(d.errs) == 0 {
		d.validate(out.Elem(), "")
	}
	for _, check := range checks {
		if len(d.errs) == 0 {
			d.invalid("", check(out.Interface().(*T)))
		}
	}
	if len(d.errs) > 0 {
		return defaults, d.sorted()
	}
	return out.Elem().Interface().(T), nil
}

// copyOf copies what a decode could change in place, so that defaults stay as
// they are.
func copyOf(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(copyOf(v.Field(i)))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(copyOf(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(copyOf(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for _, k := range v.MapKeys() {
				out.SetMapIndex(k, copyOf(v.MapIndex(k)))
			}
		}
	}
	return out
}

// validate calls the Validate methods from the inside out.
func (d *decoder) validate(v reflect.Value, path string) {
	if isScalar(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.validateFields(v, path)
	case reflect.Slice:
		for i := range v.Len() {
			d.validate(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			d.validate(v.MapIndex(k), join(path, k.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			d.validate(v.Elem(), path)
		}
		return
	default:
		return
	}
	val, ok := v.Interface().(Validator)
	if !ok && v.CanAddr() {
		val, ok = v.Addr().Interface().(Validator)
	}
	if ok {
		d.invalid(path, val.Validate())
	}
}

// validateFields validates what is in the fields of a struct. An inlined struct's own Validate is for the struct around
// it to call: it may be promoted to be that.
func (d *decoder) validateFields(v reflect.Value, path string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if inlined(f) {
			d.validateFields(v.Field(i), path)
		} else if name, ok := fieldName(f); ok {
			d.validate(v.Field(i), join(path, name))
		}
	}
}

func (d *decoder) invalid(path string, err error) {
	switch e := err.(type) { //nolint:errorlint // each kind is taken apart here, wrapped ones below
	case nil:
	case *FieldError:
		d.fail(join(path, e.Field), e.Hint, "%s", e.Message)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			d.invalid(path, one)
		}
	default:
		var field *FieldError
		if errors.As(err, &field) {
			d.invalid(path, field)
			return
		}
		d.fail(path, "", "%v", err)
	}
}

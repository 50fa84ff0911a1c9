// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net/url"

	"github.com/asepsis/asepsis/platform/config"
)

// Config says which store is used.
type Config struct {
	URL     string            `yaml:"url" doc:"postgres://user@host/database for a shared PostgreSQL, version 15 or later; empty: SQLite in the data directory."`
	URLFile config.SecretFile `yaml:"url_file" doc:"File with the URL instead, when it holds a password."`
}

// Default returns the default: SQLite in the data directory.
func Default() Config { return Config{} }

// Validate implements config.Validator.
func (c Config) Validate() error {
	if c.URL != "" && c.URLFile != "" {
		return config.Invalid("url", "leave one of them out", "and url_file are both given")
	}
	if c.URL == "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return config.Invalid("url", "postgres://user@host/database", "is not the address of a PostgreSQL database")
	}
	if _, has := u.User.Password(); has {
		return config.Invalid("url", "put the URL into a file with mode 0600 and name it in url_file", "holds a password")
	}
	return nil
}

// Resolve returns the URL, from the file where one is named; "" means SQLite.
func (c Config) Resolve() (string, error) {
	if c.URLFile == "" {
		return c.URL, nil
	}
	b, err := c.URLFile.Read()
	if err != nil {
		return "", err
	}
	return string(b), nil
}

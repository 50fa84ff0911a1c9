// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/respond/access"
)

func TestTheConfigurationIsAFile(t *testing.T) {
	if list := config.Undocumented(access.Default()); list != nil {
		t.Error(list)
	}
	var b bytes.Buffer
	if err := config.ShowDefaults(&b, access.Default()); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Decode("x", b.Bytes(), access.Config{}); err != nil || !reflect.DeepEqual(got, access.Default()) {
		t.Errorf("%+v, %v", got, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte("trusted_proxies: [10.0.0.0/8]\noidc:\n  issuer: https://login.example\n  client_id: asepsis\n  client_secret_file: secret\n  name: Login\n  roles: {it: admin}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(file, access.Default())
	if err != nil || got.OIDC.Roles["it"] != access.Admin || !reflect.DeepEqual(got.TrustedProxies, prefixes("10.0.0.0/8")) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := config.Decode("x", []byte("oidc:\n  issuer: https://login.example\n  client_id: a\n  name: L\n  roles: {it: owner}\n"), access.Default()); err == nil || !strings.Contains(err.Error(), "one of viewer") {
		t.Errorf("a role that is not known: %v", err)
	}
}

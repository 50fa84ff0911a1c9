// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// maxSecret bounds a token: it goes into a header.
const maxSecret = 4 << 10

// Transport carries requests to one server: over TLS as the client says, where there is one, and over
// plain connections to the loopback alone. It uses no proxy, follows nothing, keeps no cookie,
// decompresses nothing. Close its idle connections when it is done with.
func Transport(client *trust.Client, wait time.Duration) *http.Transport {
	d := net.Dialer{Timeout: 10 * time.Second}
	t := &http.Transport{
		Proxy: nil, DisableCompression: true, ForceAttemptHTTP2: false,
		MaxIdleConns: 16, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
		ResponseHeaderTimeout: wait, ExpectContinueTimeout: 2 * time.Second, TLSHandshakeTimeout: 15 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if a, ok := c.RemoteAddr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
				_ = c.Close()
				return nil, errors.New("plain HTTP leads off this machine")
			}
			return c, nil
		},
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("there is no identity for TLS")
		},
	}
	if client != nil {
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			return client.Dial(ctx, network, address)
		}
	}
	return t
}

// authorization makes the header field, "" for none.
func authorization(username string, password, token config.SecretFile) (string, error) {
	read := func(f config.SecretFile) (string, error) {
		b, err := f.Read()
		if err != nil {
			return "", err
		}
		s := strings.TrimRight(string(b), "\r\n")
		for i := range len(s) {
			if s[i] < ' ' || s[i] == 0x7F {
				return "", fmt.Errorf("%s: it holds control characters", f)
			}
		}
		if s == "" || len(s) > maxSecret {
			return "", fmt.Errorf("%s: it is empty or too long", f)
		}
		return s, nil
	}
	switch {
	case token != "":
		s, err := read(token)
		return "Bearer " + s, err
	case username != "":
		s := ""
		if password != "" {
			var err error
			if s, err = read(password); err != nil {
				return "", err
			}
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+s)), nil
	}
	return "", nil
}

// SPDX-License-Identifier: Apache-2.0

package api

import (
	_ "embed" // the document
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapi []byte

var openapiJSON = sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSON(openapi) })

// OpenAPI returns the document that describes the API, in YAML.
func OpenAPI() []byte { return append([]byte(nil), openapi...) }

func (s *Server) getOpenAPIYAML(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method != http.MethodHead {
		_, _ = w.Write(openapi)
	}
	return nil
}

func (s *Server) getOpenAPIJSON(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	body, err := openapiJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	sendBytes(w, r, http.StatusOK, body, nil)
	return nil
}

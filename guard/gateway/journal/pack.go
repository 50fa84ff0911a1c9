// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
)

// maxBody bounds a record that is unpacked.
const maxBody = maxPayload

// dictionary is what records have in common; bodies in the history are packed with it, so it never changes.
var dictionary = []byte(`delivereddroppedcommitteddestroyedreplacedrefused","attempts":1,"at":"2026-1.2.840.10008.1.2.1.2.840.10008.5.1.4.1.1.7"dicom-store","pixel":"","more_hits":"path":"","why":"` +
	`"hits":[{"rule":"","verdict":"flag","original":"copy":"urgent":true,"sop_instance":"1.2.826.0.1.3680043.` +
	`{"r":{"number":,"state":"accepted","received":"2026-11-22T00:00:00.000000000Z","sender":{"way":"dimse","device":"dev-","certificate":"","calling_ae":"","called_ae":"","address":"10.0.0.1","tls":"TLSv1.3","association":"","binding":"","theatre":"OR-"},` +
	`"sop_class":"1.2.840.10008.5.1.4.1.1.2","sop_instance":"1.2.","transfer_syntax":"1.2.840.10008.1.2.4.","study":"1.2.","series":"1.2.","modality":"CT","study_description":"","patient":"","accession":"","data_set":"","pixel":"","bytes":` +
	`,"verdict":"pass","policy":"","entries":[{"index":,"kind":"artefact-received","at":"2026-"},{"index":,"kind":"artefact-forwarded","at":"2026-","destination":""}],` +
	`"deliveries":[{"destination":"","route":"","state":"delivered","attempts":1,"at":"2026-","forwarded":"","sop_instance":""}],"revision":3},"x":[[1,4096,40960]],"t":17`)

// packer packs bodies, one at a time.
type packer struct {
	b bytes.Buffer
	w *flate.Writer
}

func newPacker() *packer {
	p := &packer{}
	w, err := flate.NewWriterDict(&p.b, flate.DefaultCompression, dictionary)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	p.w = w
	return p
}

// pack returns a copy.
func (p *packer) pack(body []byte) []byte {
	p.b.Reset()
	p.w.Reset(&p.b)
	_, _ = p.w.Write(body) // a buffer takes everything
	_ = p.w.Close()
	return bytes.Clone(p.b.Bytes())
}

func unpack(b []byte) (*envelope, error) {
	r := flate.NewReaderDict(bytes.NewReader(b), dictionary)
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil || len(body) > maxBody {
		return nil, fmt.Errorf("read the journal's history: a record is damaged")
	}
	e := &envelope{}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("read the journal's history: a record is damaged: %w", err)
	}
	return e, nil
}

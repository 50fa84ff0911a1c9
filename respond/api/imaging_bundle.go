// SPDX-License-Identifier: Apache-2.0

package api

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/respond/problem"
)

// Bounds of a bundle.
const (
	maxBundle    = 20_000 // instances
	bundlePart   = 100    // receipts that are asked for at once
	bundleFormat = "asepsis-receipts-v1"
)

// bundleIndex is index.json of a bundle: which receipt is about which file. It names no
// patient, and files are known by their UID and by the SHA-256 of their data set.
type bundleIndex struct {
	Format    string           `json:"format"`
	Gateway   string           `json:"gateway"`
	Origin    string           `json:"origin"` // of the log
	Made      time.Time        `json:"made"`
	Study     string           `json:"study,omitempty"`
	Complete  bool             `json:"complete"` // every entry has its receipt here
	Instances []bundleInstance `json:"instances,omitempty"`
	Receipts  []bundleReceipt  `json:"receipts"`
}

type bundleInstance struct {
	Number      uint64           `json:"number"`
	SOPInstance string           `json:"sop_instance"`
	SOPClass    string           `json:"sop_class"`
	Series      string           `json:"series"`
	State       instance.State   `json:"state"`
	Verdict     instance.Verdict `json:"verdict"`
	Received    time.Time        `json:"received"`
	DataSet     string           `json:"data_set_sha256"`
	Pixel       string           `json:"pixel_sha256,omitempty"`
	Entries     []uint64         `json:"entries"`
	Deliveries  []bundleDelivery `json:"deliveries,omitempty"`
}

type bundleDelivery struct {
	Destination string                 `json:"destination"`
	State       instance.DeliveryState `json:"state"`
	SOPInstance string                 `json:"sop_instance,omitempty"`
	DataSet     string                 `json:"data_set_sha256,omitempty"`
}

type bundleReceipt struct {
	Entry uint64 `json:"entry"`
	State string `json:"state"` // "recorded": no checkpoint covers it yet
	File  string `json:"file,omitempty"`
}

const bundleReadme = `Receipts of images that went through the gateway %s.

receipts/   one file for each entry of the ledger: that an image was received,
            changed, forwarded, held or released
trust.json  whose signatures to believe; compare it with one that you were given
            another way
index.json  which receipt is about which image: by SOP instance UID and by the
            SHA-256 of the data set (without preamble and file meta information)

To verify an image without any server:

    asepsis verify receipts/receipt-N.json IMAGE.dcm --trust trust.json

The receipt of "artefact-forwarded" is the one about the file as the receiver got
it. An entry whose state is "recorded" has no receipt yet; fetch the bundle again.
`

func (s *Server) getStudyBundle(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	study := r.PathValue("study")
	if !isUID(study) {
		return problem.BadRequest("A study is asked for by its UID.", "")
	}
	records, more, err := studyRecords(r.Context(), &g, study, 0, maxBundle)
	switch {
	case err != nil:
		return err
	case len(records) == 0:
		return problem.NotFound("The gateway knows no instance of this study.")
	case more:
		return problem.New(http.StatusRequestEntityTooLarge, "The study has more than "+itoa(maxBundle)+" instances.", "fetch the receipts by SOP instance")
	}
	var indexes []uint64
	for i := range records {
		for _, e := range records[i].Entries {
			indexes = append(indexes, e.Index)
		}
	}
	return s.sendBundle(w, r, &g, "study-"+study, bundleIndex{Study: study, Instances: bundleInstances(records)}, indexes)
}

func (s *Server) getArtefactBundle(w http.ResponseWriter, r *http.Request) error {
	g, err := s.gateway(r.Context(), s.params(r))
	if err != nil {
		return err
	}
	records, entries, err := s.artefactAt(r, &g)
	if err != nil {
		return err
	}
	var indexes []uint64
	for i := range entries {
		indexes = append(indexes, entries[i].Index)
	}
	return s.sendBundle(w, r, &g, "receipts-"+r.PathValue("artefact"), bundleIndex{Instances: bundleInstances(records)}, indexes)
}

func bundleInstances(records []instance.Record) []bundleInstance {
	out := make([]bundleInstance, 0, len(records))
	for _, rec := range byReceipt(records) {
		x := bundleInstance{Number: rec.Number, SOPInstance: rec.SOPInstance, SOPClass: rec.SOPClass, Series: rec.Series, State: rec.State, Verdict: rec.Verdict,
			Received: rec.Received.UTC(), DataSet: rec.DataSet, Pixel: rec.Pixel, Entries: []uint64{}}
		for _, e := range rec.Entries {
			x.Entries = append(x.Entries, e.Index)
		}
		for _, d := range rec.Deliveries {
			x.Deliveries = append(x.Deliveries, bundleDelivery{Destination: d.Destination, State: d.State, SOPInstance: d.SOPInstance, DataSet: d.Forwarded})
		}
		out = append(out, x)
	}
	return out
}

// sendBundle writes the archive while it asks for the receipts. What goes wrong after
// the first byte cuts the connection, so that nobody takes a part for the whole.
func (s *Server) sendBundle(w http.ResponseWriter, r *http.Request, g *gateway, name string, index bundleIndex, entries []uint64) error {
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return problem.Unavailable("Too many exports are under way.", "try again in a moment", 5*time.Second, nil)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Export.Timeout)
	defer cancel()
	pr, err := proofOf(ctx, g)
	if err != nil {
		return err
	}
	if pr.Origin == "" {
		return problem.NotFound("The gateway writes no ledger: there are no receipts.")
	}
	audit := s.audit(r, "imaging.receipts.export", g.object(name))
	if err := s.dep.Store.Commit(ctx, nil, audit); err != nil {
		return err // who took what away is on record, or nothing is taken away
	}
	slices.Sort(entries)
	entries = slices.Compact(entries)
	index.Format, index.Gateway, index.Origin, index.Made = bundleFormat, g.name, pr.Origin, s.now().UTC()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.zip"`)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := s.writeBundle(ctx, deadlineWriter{w, http.NewResponseController(w), s.cfg.Streams.WriteTimeout}, g, &index, pr.Trust, entries); err != nil {
		s.log.Info("a bundle of receipts was not finished", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (s *Server) writeBundle(ctx context.Context, w io.Writer, g *gateway, index *bundleIndex, trust []byte, entries []uint64) error {
	z := zip.NewWriter(w)
	put := func(name string, body []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: index.Made})
		if err != nil {
			return err
		}
		_, err = f.Write(body)
		return err
	}
	if err := put("README.txt", fmt.Appendf(nil, bundleReadme, g.name)); err != nil {
		return err
	}
	if err := put("trust.json", trust); err != nil {
		return err
	}
	index.Complete, index.Receipts = true, []bundleReceipt{}
	for part := range slices.Chunk(entries, bundlePart) {
		found, err := g.Receipts(ctx, part)
		if err != nil {
			return err
		}
		has := map[uint64]bool{}
		for _, f := range found {
			has[f.Index] = true
			name := "receipts/receipt-" + strconv.FormatUint(f.Index, 10) + ".json"
			if err := put(name, f.File); err != nil {
				return err
			}
			index.Receipts = append(index.Receipts, bundleReceipt{Entry: f.Index, State: string(f.State), File: name})
		}
		for _, i := range part {
			if !has[i] {
				index.Complete = false
				index.Receipts = append(index.Receipts, bundleReceipt{Entry: i, State: "recorded"})
			}
		}
	}
	body, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	if err := put("index.json", append(body, '\n')); err != nil {
		return err
	}
	return z.Close()
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
)

// RouteRetrieve is the route of what a device retrieved over DICOMweb; of a part of an instance the
// resource follows, as in "wado-rs/frames".
const RouteRetrieve = "wado-rs"

// Retrieved tells the ledger that an instance is about to be given to a device over DICOMweb, and returns
// when it is recorded or, where the route of the retrieval is open, when what the ledger is to be told later is on the disk. With
// an error it is not given out.
//
// An artefact-forwarded of it says that the gateway let it go to a device that asked; HTTP has no answer by
// which it could say that it arrived.
func (g *Gateway) Retrieved(ctx context.Context, r dicomweb.Retrieval) error {
	at := g.now().UTC()
	subjects := []custody.Subject{custody.SHA256(SubjectDataSet, r.Digests.DataSet)}
	if r.Digests.Pixels {
		subjects = append(subjects, custody.SHA256(SubjectPixel, r.Digests.Pixel))
	}
	id := fmt.Sprintf("%s/%s/%s-%s/%s", g.cfg.Name, r.To.Association, g.run, strconv.FormatUint(g.given.Add(1), 36), custody.Forwarded)
	s := custody.New(custody.Forwarded, id, at, subjects...)
	p := &s.Predicate
	p.Site, p.Theatre, p.Device = g.d.Site, r.To.Theatre, r.To.Device
	p.Actor = custody.Actor{Software: g.d.Software}
	d := map[string]any{"protocol": "https", "media_type": "application/dicom", "bytes": r.Digests.Bytes, "verdict": r.Verdict.String(), "route": RouteRetrieve}
	if r.Resource != dicomweb.Instances {
		d["route"] = RouteRetrieve + "/" + r.Resource
	}
	put(d, "from", r.From.Device)
	put(d, "to", r.To.CallingAE)
	put(d, "sop_class", uid(r.SOPClass))
	put(d, "transfer_syntax", uid(r.TransferSyntax))
	put(d, "session", r.To.Association)
	put(d, "tls", r.To.TLS)
	put(d, "peer_certificate", r.To.Certificate)
	put(d, "policy", r.Policy)
	var hits []instance.Hit
	for _, rule := range r.Rules {
		hits = append(hits, instance.Hit{Rule: rule})
	}
	if list := rules(hits); len(list) > 0 {
		d["rules"] = list
	}
	p.Detail = d
	began := g.now()
	_, open := g.Retrieval(r.To.Device, r.To.Theatre)
	// A client that goes away meanwhile is no failure of the ledger's.
	if _, err := g.Give(context.WithoutCancel(ctx), owed.Note{Statement: s}, open); err != nil {
		g.log.Warn("an instance was not given out, because the ledger did not record it", "device", r.To.Device, "data_set", hex.EncodeToString(r.Digests.DataSet[:8]), "waited", g.now().Sub(began).Round(time.Millisecond).String(), "why", err)
		return err
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// held is an instance that was inspected.
type held struct {
	from, to  int64 // in the spool
	media     string
	location  string
	retrieval *Retrieval // nil where it may not be given out
}

// instances retrieves whole instances: all of them are inspected before the first byte goes out.
func (x *exchange) instances() *Problem {
	accept, single, p := instancesAccept(x.r, x.t.instance != "")
	if p != nil {
		return p
	}
	rsp, p := x.ask(&x.t, nil, accept)
	if p != nil {
		return p
	}
	defer func() { _ = rsp.body.Close() }()
	s, err := x.s.hold.open()
	if err != nil {
		return holdProblem(err)
	}
	defer s.close()
	list, p := x.inspectAll(rsp, s)
	if p != nil {
		return p
	}
	if p := x.passed(list); p != nil {
		return p
	}
	h := x.w.Header()
	out := x.answer()
	if single && len(list) == 1 {
		h.Set("Content-Type", list[0].media)
		_, err = io.Copy(out, s.section(list[0].from, list[0].to))
	} else {
		boundary := related.NewBoundary()
		h.Set("Content-Type", `multipart/related; type="application/dicom"; boundary=`+boundary)
		w := related.NewWriter(out, boundary)
		for _, i := range list {
			if err = w.Part(i.media, i.location); err != nil {
				break
			}
			if _, err = io.Copy(out, s.section(i.from, i.to)); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Close()
		}
	}
	x.a.Instances = len(list)
	return x.finish(out, err)
}

// instancesAccept is the Accept field for the archive, which is always asked for parts: few have a single
// instance as application/dicom. single says that the client wants it so.
func instancesAccept(r *http.Request, one bool) (accept string, single bool, p *Problem) {
	list, p := ranges(r)
	if p != nil {
		return "", false, p
	}
	for _, m := range list {
		switch {
		case m.media == relatedType && (m.inner == dicomType || m.inner == "*/*" || m.inner == "application/*" || m.inner == ""), m.media == "*/*":
		case m.media == dicomType && one:
			single = true
		default:
			continue
		}
		// The best alone: Orthanc reads one range.
		accept = `multipart/related; type="application/dicom"`
		if m.syntax == "*" || uidLike(m.syntax) {
			accept += "; transfer-syntax=" + m.syntax
		}
		return accept, single, nil
	}
	return "", false, notAcceptable(`multipart/related; type="application/dicom"`)
}

func holdProblem(err error) *Problem {
	p := problem(http.StatusServiceUnavailable, "spool", "the gateway has no room to inspect this now", "try again later; see retrieve.spool_bytes and the disk of retrieve.spool").because(err)
	p.retryAfter = 30
	return p
}

// inspectAll reads the archive's answer into the spool and inspects every instance in it. s is nil
// where only the verdict counts.
func (x *exchange) inspectAll(rsp *reply, s *spool) ([]held, *Problem) {
	if rsp.status == http.StatusNoContent {
		return nil, problem(http.StatusNotFound, "not-found", "the archive does not have it", "")
	}
	var list []held
	var withheld []Withheld
	more := 0
	one := func(src io.Reader, media, location string) *Problem {
		h := held{location: address(location, x.base)}
		var err error
		if _, parameters, perr := related.ParseMediaType(media); perr == nil {
			h.media = mediaType(dicomType, parameters)
		}
		sink := io.Discard
		if s != nil {
			h.from, sink = s.n, s
		}
		r, bad, err := x.inspect(io.TeeReader(src, sink))
		if err != nil {
			return x.cannotRead(err)
		}
		h.retrieval = r
		if s != nil {
			h.to = s.n
		}
		switch {
		case bad != nil && len(withheld) < 100:
			withheld = append(withheld, *bad)
		case bad != nil:
			more++
		}
		if bad != nil {
			x.a.Failed++
		}
		list = append(list, h)
		return nil
	}
	src := &capped{src: rsp.body, left: int64(x.s.cfg.Retrieve.MaxBytes)}
	switch rsp.media {
	case dicomType:
		if p := one(src, mediaType(dicomType, rsp.types), ""); p != nil {
			return nil, p
		}
	case relatedType:
		parts, err := related.NewReader(src, rsp.types["boundary"], related.Limits{Parts: x.s.cfg.Retrieve.MaxInstances, Part: int64(x.s.cfg.Retrieve.MaxBytes)})
		if err != nil {
			return nil, x.cannotRead(err)
		}
		defer parts.Close()
		for {
			part, err := parts.Next()
			if errors.Is(err, io.EOF) {
				epilogue(src)
				break
			}
			if err != nil {
				return nil, x.cannotRead(err)
			}
			if media, _, err := related.ParseMediaType(part.ContentType); part.ContentType != "" && (err != nil || media != dicomType) {
				return nil, foreign("a part of the archive's answer is not application/dicom")
			}
			if p := one(part, part.ContentType, part.Location); p != nil {
				return nil, p
			}
		}
	default:
		return nil, foreign("the archive answers in a media type that was not asked for")
	}
	if len(list) == 0 {
		return nil, problem(http.StatusNotFound, "not-found", "the archive does not have it", "")
	}
	if len(withheld) == 0 {
		return list, nil
	}
	p := problem(http.StatusUnavailableForLegalReasons, "withheld", fmt.Sprintf("%d of %d instances did not pass the content firewall: nothing of the answer is given out", len(withheld)+more, len(list)),
		"see Guard > Imaging for the rules that met; the others can be retrieved one by one")
	p.Title, p.Withheld = "Withheld", withheld
	return nil, p
}

// cannotRead says why an answer of the archive could not be read to its end.
func (x *exchange) cannotRead(err error) *Problem {
	switch {
	case errors.Is(err, errHold):
		return holdProblem(err)
	case errors.Is(err, errCapped), errors.Is(err, related.ErrParts), errors.Is(err, related.ErrTooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too-large", "the archive's answer is larger than may be", "retrieve less at once, series by series").because(err)
	}
	return foreign("the archive's answer cannot be read").because(err)
}

// inspect reads an instance to its end, and says what is about to be given out, or why it must not be.
func (x *exchange) inspect(src io.Reader) (*Retrieval, *Withheld, error) {
	buf := heads.Get().(*bufio.Reader)
	defer func() { buf.Reset(nil); heads.Put(buf) }()
	buf.Reset(src)
	head, err := buf.Peek(maxHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	meta, n, err := dicom.ReadFileMeta(head)
	if err != nil {
		if _, err := io.Copy(io.Discard, buf); err != nil {
			return nil, nil, err
		}
		return nil, &Withheld{Verdict: instance.Quarantine.String(), Rules: []string{"no DICOM file"}}, nil
	}
	preamble := [128]byte(head[:128])
	a := x.arrival()
	a.Sender.Device, a.Sender.Certificate, a.Sender.CallingAE, a.Sender.Binding, a.Sender.Address, a.Sender.TLS = x.s.archive(), "", "", "", x.s.root.Hostname(), ""
	a.SOPClass, a.SOPInstance, a.TransferSyntax, a.Preamble = meta.SOPClass, meta.SOPInstance, meta.TransferSyntax, &preamble
	if _, err := buf.Discard(n); err != nil {
		return nil, nil, err
	}
	i := x.s.d.Inspector.Begin(a)
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(hash, i), buf)
	if err != nil {
		return nil, nil, err
	}
	r := i.Finish()
	if t := x.t; t.instance != "" && meta.SOPInstance != t.instance || r.Header.Study != t.study || t.series != "" && r.Header.Series != t.series {
		r.Hits = append(r.Hits, instance.Hit{Rule: "another instance than was asked for", Verdict: instance.Quarantine})
		r.Verdict = max(r.Verdict, instance.Quarantine)
	}
	if r.Verdict >= instance.Sanitise {
		w := &Withheld{SOPInstance: meta.SOPInstance, Verdict: r.Verdict.String(), Rules: []string{}}
		for _, h := range r.Hits {
			if h.Verdict >= instance.Sanitise && !slices.Contains(w.Rules, h.Rule) && len(w.Rules) < 16 {
				w.Rules = append(w.Rules, h.Rule)
			}
		}
		return nil, w, nil
	}
	d := r.Pixel
	d.Bytes = size
	hash.Sum(d.DataSet[:0])
	out := &Retrieval{To: x.sender, From: a.Sender, Resource: x.t.resource, SOPClass: meta.SOPClass, SOPInstance: meta.SOPInstance, TransferSyntax: meta.TransferSyntax, Study: x.t.study, Series: r.Header.Series,
		Digests: d, Verdict: r.Verdict, Policy: i.Policy()}
	for _, h := range r.Hits {
		if h.Rule != "" && !slices.Contains(out.Rules, h.Rule) {
			out.Rules = append(out.Rules, h.Rule)
		}
	}
	x.a.class(meta.SOPClass)
	x.s.known.add(x.t.study+"/"+r.Header.Series+"/"+meta.SOPInstance, out, x.s.d.Now())
	return out, nil, nil
}

// passedAtOnce is how many instances of an answer Passed is told of at a time: a ledger records many at the price of one.
const passedAtOnce = 32

// passed tells of what is about to be given out.
func (x *exchange) passed(list []held) *Problem {
	if x.s.d.Passed == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	var all sync.WaitGroup
	places := make(chan struct{}, passedAtOnce)
	for i := range list {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := x.s.d.Passed(ctx, *list[i].retrieval); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	switch err := context.Cause(ctx); {
	case x.r.Context().Err() != nil:
		return left(err)
	case err != nil:
		return custody(err)
	}
	return nil
}

// left says that the client did not wait.
func left(err error) *Problem {
	return problem(http.StatusServiceUnavailable, "inspection", "the client left", "").because(err)
}

// custody says that what is given out could not be recorded.
func custody(err error) *Problem {
	p := problem(http.StatusServiceUnavailable, "custody", "that this is given out could not be recorded, and so it is not given out", "look at the gateway's ledger").because(err)
	p.retryAfter = 30
	return p
}

// archive names the archive.
func (s *Server) archive() string {
	if s.cfg.Upstream.Device != "" {
		return s.cfg.Upstream.Device
	}
	return s.root.Hostname()
}

// inspected makes sure that the instance of which a part is asked for has passed the inspection, and that Passed was
// told whom it goes to.
func (x *exchange) inspected() *Problem {
	key := x.t.study + "/" + x.t.series + "/" + x.t.instance
	if p := x.inspectOnce(key); p != nil {
		return p
	}
	if x.s.d.Passed == nil {
		return nil
	}
	ctx := x.r.Context()
	err := x.s.known.give(ctx, key, x.sender.Device+"/"+x.t.resource, func(r Retrieval) error {
		r.To, r.Resource = x.sender, x.t.resource
		return x.s.d.Passed(ctx, r)
	})
	if err != nil {
		return custody(err)
	}
	return nil
}

// inspectOnce inspects an instance that was not inspected lately.
func (x *exchange) inspectOnce(key string) *Problem {
	for {
		wait, ok := x.s.known.begin(key, x.s.d.Inspector.Policy(), x.s.d.Now())
		if ok {
			return nil
		}
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-x.r.Context().Done():
			return left(context.Cause(x.r.Context()))
		}
	}
	defer x.s.known.end(key)
	whole := x.t
	whole.resource, whole.tail = Instances, ""
	rsp, p := x.ask(&whole, nil, `multipart/related; type="application/dicom"; transfer-syntax=*`)
	if p != nil {
		return p
	}
	defer func() { _ = rsp.body.Close() }()
	_, p = x.inspectAll(rsp, nil)
	return p
}

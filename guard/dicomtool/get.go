// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// GetOptions say what is retrieved with C-GET, and where it is kept.
type GetOptions struct {
	RetrieveOptions
	Dir  string // made where it is not there
	Tree bool   // a directory for each study, and in it one for each series
	// Classes are the storage SOP classes that are taken; empty: all that are registered.
	Classes []string
	// TransferSyntaxes in which instances are taken; empty: as the peer has them. Contexts for every compression of every class do not go
	// on one association: what is rare is asked for once more.
	TransferSyntaxes []string
}

// Get retrieves over the association that it asks on (PS3.4 §C.4.3). The error is of what prevented retrieving; what the peer
// could not send is in the result.
//
// An association has room for 128 presentation contexts, and the peer can send only what fits one of them. So those that are
// most common go first; where the peer says that it could not send something, or breaks off over it, it is asked again with the others; what
// it broke off over is asked for in smaller parts, so that one image does not hold back the rest of its study.
func Get(ctx context.Context, p Peer, o GetOptions) (*Retrieved, error) {
	ctx, w := newWatch(ctx, o.Wait)
	defer w.stop()
	begin := time.Now()
	requests, err := o.resolve(ctx, p)
	if err != nil {
		return nil, err
	}
	w.touch()
	k, err := newKeeper(o.Dir, o.Tree, p.CalledAE, w.touch)
	if err != nil {
		return nil, err
	}
	g := &getter{peer: p, o: &o, keeper: k, watch: w, result: &Retrieved{Requests: len(requests)}, missing: map[string]bool{}}
	for i, round := range g.rounds() {
		if len(requests) == 0 {
			break
		}
		if requests, err = g.round(ctx, round, requests, i == 0); err != nil {
			break
		}
	}
	for _, r := range requests { // with no contexts did it come to an end
		if err == nil {
			err = r.broken
		}
	}
	g.end(time.Since(begin))
	return g.result, errors.Join(err, k.sync())
}

type getter struct {
	peer    Peer
	o       *GetOptions
	keeper  *keeper
	watch   *watch
	result  *Retrieved
	missing map[string]bool // SOP instances that the peer could not send
	unnamed int             // instances of which it does not say which
}

// room is how many storage contexts go on an association, beside the one that is asked on.
const room = ul.MaxContexts - 1

// rounds returns the storage contexts of each association that may be needed.
func (g *getter) rounds() (out [][]dicomnet.Proposal) {
	classes := g.o.Classes
	if len(classes) == 0 {
		classes = dicom.StorageClasses()
		common := map[string]int{}
		for i, c := range often {
			common[c] = len(often) - i
		}
		slices.SortStableFunc(classes, func(a, b string) int { return common[b] - common[a] })
	}
	var all []dicomnet.Proposal
	add := func(class string, syntaxes ...string) {
		all = append(all, dicomnet.Proposal{AbstractSyntax: class, TransferSyntaxes: syntaxes, SCP: true})
	}
	flush := func() {
		for c := range slices.Chunk(all, room) {
			out = append(out, c)
		}
		all = nil
	}
	if len(g.o.TransferSyntaxes) > 0 {
		for _, c := range classes {
			for _, ts := range g.o.TransferSyntaxes { // an acceptor chooses one of a context
				add(c, ts)
			}
		}
		flush()
		return out
	}
	// The first association: all classes that are common, and for images the compressions that are. The peer then sends as it has
	// them, and does not decompress.
	first, others := classes, []string(nil)
	if len(g.o.Classes) == 0 {
		first, others = classes[:len(often)], classes[len(often):]
	}
	for _, c := range first {
		add(c, dicomnet.UncompressedSyntaxes()...)
	}
	left := make([][]string, len(first)) // compressions for which there was no room
	for i, c := range first {
		if left[i] = compressed; i < images && len(all)%room+usual <= room && len(all) < room {
			for _, ts := range compressed[:usual] {
				add(c, ts)
			}
			left[i] = compressed[usual:]
		}
	}
	flush()
	for _, c := range others {
		add(c, dicomnet.UncompressedSyntaxes()...)
	}
	for i, c := range first {
		if len(g.o.Classes) > 0 || i < images {
			for _, ts := range left[i] {
				add(c, ts)
			}
		}
	}
	flush()
	return out
}

// split returns the parts of a retrieval: one for each UID where it has several, the series of a study, the images of a series that
// did not come yet. It reports false for an image, and where the peer does not say what is in it.
func (g *getter) split(ctx context.Context, r *request) (parts []request, ok bool) {
	above, last := r.keys[:len(r.keys)-1], r.keys[len(r.keys)-1]
	part := func(keys []Key, k Key) {
		if k.Path[0] != dicom.TagSOPInstanceUID || !g.keeper.has(k.Value) {
			parts = append(parts, request{keys: append(slices.Clone(keys), k), answered: r.answered, broken: r.broken})
		}
	}
	if list := strings.Split(last.Value, `\`); len(list) > 1 {
		for _, v := range list {
			part(above, Key{Path: last.Path, Value: v})
		}
		return parts, true
	}
	level := slices.IndexFunc(levels[:], func(l struct {
		name   string
		unique dicom.Tag
	}) bool {
		return l.unique == last.Path[0]
	}) + 1
	if level == len(levels) {
		return nil, false
	}
	keys := slices.Clone(r.keys)
	keys[0].Value = levels[level].name
	unique := Key{Path: []dicom.Tag{levels[level].unique}}
	g.watch.touch()
	found := false
	_, err := Find(ctx, g.peer, FindOptions{Model: g.o.Model, Keys: append(slices.Clone(keys), unique)}, func(m *Match) error {
		g.watch.touch()
		v, err := m.Values([]Key{unique})
		if err == nil && v[0] != "" {
			found = true
			part(keys, Key{Path: unique.Path, Value: v[0]})
		}
		return err
	})
	return parts, err == nil && found
}

// round retrieves what is to do with some contexts, and returns what is left to be asked for with others.
func (g *getter) round(ctx context.Context, contexts []dicomnet.Proposal, requests []request, first bool) (left []request, err error) {
	for rest := requests; len(rest) > 0 && err == nil; {
		var more []request
		more, rest, err = g.associate(ctx, contexts, rest, first)
		left = append(left, more...)
	}
	return left, err
}

// associate retrieves over one association. What is to be asked for with other contexts is left, and rest what is to be asked for with
// these on another association, because the peer broke off.
func (g *getter) associate(ctx context.Context, contexts []dicomnet.Proposal, requests []request, first bool) (left, rest []request, err error) {
	class := retrievals[g.o.Model].get
	d := g.peer.dialer()
	d.Timeouts.Response = 24 * time.Hour // the watch knows better: instances that come are an answer too
	d.Handler = g.keeper
	d.Contexts = append([]dicomnet.Proposal{{AbstractSyntax: class, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}, contexts...)
	a, err := d.Dial(ctx, g.peer.Address)
	var none *dicomnet.ContextError
	if errors.As(err, &none) {
		return nil, nil, &hinted{err, adviceMove}
	}
	if err != nil {
		return nil, nil, err
	}
	defer a.Abort() // does nothing after Release
	if !first && !slices.ContainsFunc(a.Info().Contexts, func(c dicomnet.Context) bool { return c.Accepted() && c.SCP }) {
		return requests, nil, a.Release(ctx)
	}
	for i, r := range requests {
		before, _ := g.keeper.count()
		own := g.keeper.failures()
		out, err := asked(ctx, a, class, "", &r, g.watch, func(done, total int) { g.progress(before+done, before+total) })
		switch {
		case errors.As(err, &none):
			return nil, nil, &hinted{err, adviceMove}
		case err != nil && (ctx.Err() != nil || errors.Is(err, dicomnet.ErrTimeout)):
			return nil, nil, err
		case err != nil: // Orthanc does so over what it can neither send as it is nor transcode
			r.broken = err
			if parts, ok := g.split(ctx, &r); ok {
				return left, append(parts, requests[i+1:]...), nil
			}
			return append(left, r), requests[i+1:], nil
		}
		now, _ := g.keeper.count()
		own = g.keeper.failures() - own
		g.progress(now, 0)
		g.take(&out, !r.answered, now-before, own)
		r.answered, r.broken = true, nil
		switch {
		case unable(out.err) || out.failed > own: // what could not be kept here does not get better with other contexts
			left = append(left, r)
		case out.err != nil && out.failed == 0:
			g.result.Errors = append(g.result.Errors, out.err)
		}
	}
	return left, nil, a.Release(ctx)
}

const adviceMove = "the peer does not offer C-GET; asepsis dicom move may do"

// take counts an answer, the first to its retrieval or a later one. came is how many instances it brought,
// own how many of them could not be kept.
func (g *getter) take(out *answer, first bool, came, own int) {
	g.result.Warnings += out.warnings
	for _, uid := range out.missing {
		g.missing[uid] = true
	}
	switch {
	case first && len(out.missing) == 0:
		g.unnamed += max(0, out.failed-own)
	case !first:
		g.unnamed = max(0, g.unnamed-came)
	}
	if first && unable(out.err) && out.failed == 0 { // it does not even count
		g.unnamed++
	}
}

// unable reports a peer that could not send (PS3.4 table C.4-3).
func unable(err error) bool {
	var status *dicomnet.StatusError
	return errors.As(err, &status) && status.Status == 0xA702
}

func (g *getter) progress(done, total int) {
	if g.o.Progress != nil {
		_, bytes := g.keeper.count()
		g.o.Progress(done, total, bytes)
	}
}

// end draws the sum.
func (g *getter) end(d time.Duration) {
	r := g.result
	r.Duration = d
	r.Files = g.keeper.all()
	r.Stored, r.Bytes = g.keeper.count()
	unkept := map[string]bool{}
	for _, f := range r.Files {
		if f.Err != nil {
			unkept[f.SOPInstance] = true
		}
	}
	for uid := range g.missing {
		if !g.keeper.has(uid) && !unkept[uid] { // the peer names those too that were not taken here
			r.Missing = append(r.Missing, uid)
		}
	}
	slices.Sort(r.Missing)
	r.Failed = len(r.Missing) + len(unkept) + g.unnamed
}

// images is how many of often are images that come compressed.
const images = 26

// often are the storage SOP classes that archives hold most of, those that come compressed first.
var often = []string{
	"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1",
	"1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2", "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.13.1.3",
	"1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.7.4", "1.2.840.10008.5.1.4.1.1.7.2",
	"1.2.840.10008.5.1.4.1.1.77.1.1", "1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.77.1.4.1", "1.2.840.10008.5.1.4.1.1.77.1.2",
	"1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.5.1.4.1.1.77.1.5.1", "1.2.840.10008.5.1.4.1.1.77.1.5.4", "1.2.840.10008.5.1.4.1.1.12.1.1",
	"1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.5.1.4.1.1.88.67",
	"1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.66.4",
	"1.2.840.10008.5.1.4.1.1.481.1", "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.481.5", "1.2.840.10008.5.1.4.1.1.9.1.1",
}

// usual is how many of compressed are asked for first.
const usual = 6

// compressed are the transfer syntaxes that images come in when they do not come uncompressed, the most common first.
var compressed = []string{
	"1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
	"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.4.100",
}

// ParseClass reads a storage SOP class as people write it: its UID, or its keyword in PS3.6, with or without the word Storage.
func ParseClass(s string) (string, error) {
	if dicom.ValidUID(s) {
		return s, nil
	}
	if uid, ok := dicom.UIDOf(s); ok && dicom.IsStorage(uid) {
		return uid, nil
	}
	if uid, ok := dicom.UIDOf(s + "Storage"); ok && dicom.IsStorage(uid) {
		return uid, nil
	}
	return "", &hinted{fmt.Errorf("%q is no storage SOP class", s), "write a UID or a keyword of PS3.6, as CTImageStorage or CTImage"}
}

// ParseSyntax reads a transfer syntax as people write it: its UID, or its keyword in PS3.6.
func ParseSyntax(s string) (string, error) {
	uid := s
	if known, ok := dicom.UIDOf(s); ok {
		uid = known
	}
	if _, known := dicom.SyntaxOf(uid); !known {
		return "", &hinted{fmt.Errorf("%q is no transfer syntax", s), "write a UID or a keyword of PS3.6, as JPEGLosslessSV1"}
	}
	return uid, nil
}

// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
)

// Media types of what is a part of an instance (PS3.18 tables 8.7.3-2 to 8.7.3-5). None of them can hold a
// program that a viewer would run.
var (
	imageTypes = []string{"image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jphc", "image/x-dicom-rle", "image/dicom-rle", "image/jxl", "image/png", "image/gif",
		"video/mpeg", "video/mp4", "video/h264", "video/h265"}
	bulkTypes     = append([]string{octetType}, imageTypes...)
	renderedTypes = []string{"image/jpeg", "image/png", "image/gif", "image/jp2", "image/jph", "image/jxl", "video/mpeg", "video/mp4", "video/h265"}
)

// retrieve is WADO-RS (PS3.18 §10.4).
func (x *exchange) retrieve() *Problem {
	if !slices.Contains(x.s.cfg.Retrieve.Resources, x.t.resource) {
		return problem(http.StatusForbidden, "resource", x.t.resource+" may not be retrieved here", "add it to resources of the gateway's retrieve policy if it is meant to")
	}
	query, p := x.parameters()
	if p != nil {
		return p
	}
	switch x.t.resource {
	case Metadata:
		media, p := documentsType(x.r)
		if p != nil {
			return p
		}
		rsp, p := x.ask(&x.t, nil, media)
		if p != nil {
			return p
		}
		defer func() { _ = rsp.body.Close() }()
		n, p := x.documents(rsp, media, x.s.cfg.Retrieve.MaxInstances, false)
		x.a.Matches = n
		return p
	case Instances:
		return x.instances()
	}
	types := bulkTypes
	if x.t.resource == Rendered {
		types = renderedTypes
	}
	accept, p := acceptOf(x.r, types, x.t.resource)
	if p != nil {
		return p
	}
	if x.t.instance == "" {
		return problem(http.StatusForbidden, "rendered", "renderings are given of one instance at a time", "ask for each instance: it is inspected before")
	}
	if p := x.inspected(); p != nil {
		return p
	}
	rsp, p := x.ask(&x.t, query, accept)
	if p != nil {
		return p
	}
	defer func() { _ = rsp.body.Close() }()
	return x.relay(rsp, types)
}

// parameters takes those of a rendering (PS3.18 §8.3.5) and refuses any other.
func (x *exchange) parameters() (url.Values, *Problem) {
	bad := problem(http.StatusBadRequest, "query", "a parameter is not known here, stands twice or cannot be read", "only renderings have parameters: annotation, quality, viewport, window, iccprofile")
	if len(x.r.URL.RawQuery) > maxQuery {
		return nil, bad
	}
	given, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, bad
	}
	for name, v := range given {
		if x.t.resource != Rendered || len(v) != 1 || len(v[0]) > 128 || !slices.Contains([]string{"annotation", "quality", "viewport", "window", "iccprofile"}, name) {
			return nil, bad
		}
		for _, c := range []byte(v[0]) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".,-+_%", c) >= 0) {
				return nil, bad
			}
		}
	}
	return given, nil
}

// acceptOf writes the Accept field for the archive: of what the client accepts, what may be given.
func acceptOf(r *http.Request, types []string, resource string) (string, *Problem) {
	list, p := ranges(r)
	if p != nil {
		return "", p
	}
	var out []string
	for _, m := range list {
		inner := m.media
		if m.media == relatedType {
			inner = m.inner
		}
		kind, isRange := strings.CutSuffix(inner, "/*")
		if !slices.ContainsFunc(types, func(t string) bool { return t == inner || isRange && (kind == "*" || strings.HasPrefix(t, kind+"/")) }) {
			continue
		}
		one := inner
		switch {
		case m.media == "*/*" && resource == Rendered:
			one = "image/jpeg"
		case m.media == "*/*":
			one = `multipart/related; type="` + types[0] + `"`
		case m.media == relatedType:
			one = `multipart/related; type="` + inner + `"`
		}
		if m.syntax == "*" || uidLike(m.syntax) {
			one += "; transfer-syntax=" + m.syntax
		}
		if m.q < 1 {
			one += "; q=" + strconv.FormatFloat(m.q, 'f', 3, 64)
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return "", notAcceptable(strings.Join(types, ", "))
	}
	return strings.Join(out, ", "), nil
}

// relay passes an answer on whose parts are opaque.
func (x *exchange) relay(rsp *reply, types []string) *Problem {
	if rsp.status == http.StatusNoContent {
		return foreign("the archive has nothing to give")
	}
	src := &capped{src: rsp.body, left: int64(x.s.cfg.Retrieve.MaxBytes)}
	out := x.answer()
	if rsp.media != relatedType {
		if !slices.Contains(types, rsp.media) {
			return foreign("the archive answers in a media type that may not be given")
		}
		x.w.Header().Set("Content-Type", mediaType(rsp.media, rsp.types))
		_, err := io.Copy(out, src)
		x.a.Instances = 1
		return x.finish(out, err)
	}
	boundary := related.NewBoundary()
	// Orthanc puts the transfer syntax into the quotes with the type.
	inner, _, err := related.ParseMediaType(rsp.types["type"])
	if err != nil || !slices.Contains(types, inner) {
		return foreign("the archive answers in a media type that may not be given")
	}
	x.w.Header().Set("Content-Type", fmt.Sprintf(`multipart/related; type="%s"; boundary=%s`, inner, boundary))
	err = x.relayParts(out, src, rsp.types["boundary"], boundary, types)
	x.a.Instances = 1
	return x.finish(out, err)
}

func (x *exchange) relayParts(out io.Writer, src io.Reader, theirs, ours string, types []string) error {
	parts, err := related.NewReader(src, theirs, related.Limits{Parts: maxFrames, Part: int64(x.s.cfg.Retrieve.MaxBytes)})
	if err != nil {
		return err
	}
	defer parts.Close()
	w := related.NewWriter(out, ours)
	for {
		part, err := parts.Next()
		if errors.Is(err, io.EOF) {
			epilogue(src)
			return w.Close()
		}
		if err != nil {
			return err
		}
		media, parameters, err := related.ParseMediaType(part.ContentType)
		if err != nil || !slices.Contains(types, media) {
			return errors.New("a part is of a media type that may not be given")
		}
		if err := w.Part(mediaType(media, parameters), address(part.Location, x.base)); err != nil {
			return err
		}
		if _, err := io.Copy(out, part); err != nil {
			return err
		}
	}
}

// mediaType writes a media type with the only parameter that is passed on.
func mediaType(media string, parameters map[string]string) string {
	if s := parameters["transfer-syntax"]; uidLike(s) {
		return media + "; transfer-syntax=" + s
	}
	return media
}

// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// Failure reasons of PS3.18 annex I.2, which are statuses of C-STORE.
const (
	reasonProcessing  uint16 = 0x0110 // 272
	reasonNoSuchClass uint16 = 0x0122 // 290: SOP class not supported
	reasonNotAllowed  uint16 = 0x0124 // 292
	reasonResources   uint16 = 0xA700
	reasonMismatch    uint16 = 0xA900
	reasonUnreadable  uint16 = 0xC000
)

// maxHead is how much of a part is looked at to read its file meta information.
const maxHead = 64<<10 + dicom.PreambleSize + 12

// heads are buffers in which file meta information is read.
var heads = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxHead) }}

// maxEpilogue is how much may follow the last delimiter of a body.
const maxEpilogue = 64 << 10

// store is STOW-RS (PS3.18 §10.5).
func (x *exchange) store() *Problem {
	answer, p := documentType(x.r)
	if p != nil {
		return p
	}
	boundary, p := x.storable()
	if p != nil {
		return p
	}
	body := &pacedBody{pace: x.pace(), src: x.r.Body, left: int64(x.s.cfg.Store.MaxRequest)}
	parts, err := related.NewReader(body, boundary, related.Limits{Parts: x.s.cfg.Store.MaxInstances, Part: int64(x.s.cfg.Store.MaxInstance)})
	if err != nil {
		return problem(http.StatusBadRequest, "multipart", err.Error(), "send a boundary of RFC 2046 §5.1.1").closing()
	}
	defer parts.Close()
	buf := heads.Get().(*bufio.Reader)
	defer func() { buf.Reset(nil); heads.Put(buf) }()
	var all []stored
	for {
		var part *related.Part
		if part, err = parts.Next(); err != nil {
			break
		}
		one := x.storePart(part, buf)
		all = append(all, one)
		x.count(&one)
	}
	x.a.Bytes = body.n
	if errors.Is(err, io.EOF) {
		_, err = io.CopyN(io.Discard, body, maxEpilogue+1)
		if err == nil {
			err = fmt.Errorf("%w: more follows the last delimiter than may", related.ErrFraming)
		}
	}
	var broken *Problem
	if !errors.Is(err, io.EOF) {
		broken = brokenBody(err)
	} else if len(all) == 0 {
		return problem(http.StatusBadRequest, "empty", "the body has no part", "send at least one instance")
	}
	kept := 0
	for i := range all {
		if all[i].status.Category() != dimse.Failure {
			kept++
		}
	}
	if broken != nil && kept == 0 {
		return broken
	}
	return x.answerStore(answer, all, broken)
}

// storable reads what the request says about its body.
func (x *exchange) storable() (boundary string, p *Problem) {
	if e := strings.ToLower(strings.TrimSpace(strings.Join(x.r.Header.Values("Content-Encoding"), ","))); e != "" && e != "identity" {
		p := problem(http.StatusUnsupportedMediaType, "content-encoding", "the body is compressed, and nothing is decompressed here", "send it without Content-Encoding; a transfer syntax of DICOM may be a compressed one")
		p.accept = true
		return "", p
	}
	const hint = `send multipart/related; type="application/dicom"; boundary=...`
	fields := x.r.Header.Values("Content-Type")
	if len(fields) != 1 {
		return "", problem(http.StatusUnsupportedMediaType, "media-type", "there is not exactly one Content-Type field", hint)
	}
	media, parameters, err := related.ParseMediaType(fields[0])
	if err != nil {
		return "", problem(http.StatusUnsupportedMediaType, "media-type", "the Content-Type field cannot be read", hint)
	}
	switch kind := strings.ToLower(parameters["type"]); {
	case media != relatedType:
		return "", problem(http.StatusUnsupportedMediaType, "media-type", "the body is not multipart/related", hint)
	case kind == jsonType || kind == xmlType:
		return "", problem(http.StatusUnsupportedMediaType, "metadata", "instances whose metadata and bulk data come apart are not taken", "send each instance whole, as application/dicom")
	case kind != dicomType:
		return "", problem(http.StatusUnsupportedMediaType, "media-type", "the type parameter of multipart/related is not application/dicom", hint)
	}
	if x.r.ContentLength > int64(x.s.cfg.Store.MaxRequest) {
		return "", problem(http.StatusRequestEntityTooLarge, "size", "the body is larger than a request may be", fmt.Sprintf("at most %v in one request: send several", x.s.cfg.Store.MaxRequest)).closing()
	}
	return parameters["boundary"], nil
}

// brokenBody says what is wrong with a body that could not be read to its end.
func brokenBody(err error) *Problem {
	switch {
	case errors.Is(err, errTooMuch):
		return problem(http.StatusRequestEntityTooLarge, "size", err.Error(), "send fewer instances in one request").closing()
	case errors.Is(err, related.ErrParts):
		return problem(http.StatusRequestEntityTooLarge, "parts", err.Error(), "send fewer instances in one request").closing()
	case errors.Is(err, errSlow) || isTimeout(err):
		return problem(http.StatusRequestTimeout, "slow", "the body came too slowly", "look at the network between the device and the gateway").because(err).closing()
	case errors.Is(err, related.ErrFraming):
		return problem(http.StatusBadRequest, "multipart", err.Error(), "lines end with CRLF, and each part stands between delimiters (RFC 2046 §5.1)").closing()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem(http.StatusBadRequest, "truncated", "the body ends before its last delimiter", "nothing of the last instance was kept: send it again").because(err).closing()
	}
	return problem(http.StatusBadRequest, "body", "the body could not be read to its end", "send it again").because(err).closing()
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// stored is what became of one part.
type stored struct {
	class, uid    string // as the file meta information says
	study, series string
	status        dimse.Status
	comment       string
	bytes         int64
}

func failed(reason uint16, comment string) stored {
	return stored{status: dimse.Status(reason), comment: comment}
}

// storePart reads one part into Ingest. The buffer is used for it alone.
func (x *exchange) storePart(part *related.Part, buf *bufio.Reader) stored {
	if part.ContentType != "" {
		if media, _, err := related.ParseMediaType(part.ContentType); err != nil || media != dicomType {
			return failed(reasonUnreadable, "a part is not application/dicom")
		}
	}
	data := &watched{src: part}
	buf.Reset(data)
	head, unread := buf.Peek(maxHead)
	meta, n, err := dicom.ReadFileMeta(head)
	out := stored{class: meta.SOPClass, uid: meta.SOPInstance}
	switch {
	case unread != nil && !errors.Is(unread, io.EOF):
		return x.unread(out, unread)
	case err != nil:
		return failed(reasonUnreadable, "a part is no DICOM file")
	}
	if !x.s.d.Takes(x.binding, meta.SOPClass) {
		out.status, out.comment = dimse.Status(reasonNoSuchClass), "SOP class not taken from this device"
		return out
	}
	a := x.arrival()
	a.SOPClass, a.SOPInstance, a.TransferSyntax = meta.SOPClass, meta.SOPInstance, meta.TransferSyntax
	preamble := [128]byte(head[:128])
	a.Preamble = &preamble
	if _, err := buf.Discard(n); err != nil {
		return x.unread(out, err)
	}
	var src io.Reader = buf
	var check *studyCheck
	if x.t.study != "" {
		check = newStudyCheck(src, meta.TransferSyntax, x.t.study)
		src = check
	}
	x.link.change(func(a *control.Association) { a.Doing = "STOW" })
	result, err := x.s.d.Ingest.Store(x.r.Context(), a, src)
	out.bytes = data.n
	switch {
	case check != nil && check.other:
		out.status, out.comment = dimse.Status(reasonMismatch), "not of the study in the address"
	case data.err != nil:
		return x.unread(out, data.err)
	case errors.Is(err, instance.ErrFull):
		out.status, out.comment = dimse.Status(reasonResources), "the gateway's disk is almost full"
	case err != nil:
		x.a.Cause = err
		out.status, out.comment = dimse.Status(reasonProcessing), "the gateway could not take the instance"
	default:
		out.status, out.comment = dimse.Status(result.Status), result.Comment
		out.study, out.series = result.Record.Study, result.Record.Series
		if result.Record.SOPInstance != "" {
			out.class, out.uid = result.Record.SOPClass, result.Record.SOPInstance
		}
	}
	return out
}

// unread says why a part could not be read.
func (x *exchange) unread(out stored, err error) stored {
	out.status, out.comment = dimse.Status(reasonUnreadable), "the part could not be read to its end"
	switch {
	case errors.Is(err, related.ErrTooLarge):
		out.status, out.comment = dimse.Status(reasonResources), "larger than an instance may be"
	case errors.Is(err, related.ErrLength):
		out.comment = "Content-Length of the part is wrong"
	case errors.Is(err, related.ErrEncoding):
		out.comment = "the part has a transfer or content encoding"
	}
	return out
}

func (x *exchange) count(one *stored) {
	if one.status.Category() == dimse.Failure {
		x.a.Failed++
		return
	}
	x.a.Instances++
	x.a.class(one.class)
	if x.a.Study == "" {
		x.a.Study = one.study
	}
}

// watched remembers the error that ended a part, whatever who reads it makes of that.
type watched struct {
	src io.Reader
	n   int64
	err error
}

func (w *watched) Read(dst []byte) (int, error) {
	n, err := w.src.Read(dst)
	w.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// studyCheck ends a data set with an error when it is not of the study that it should be of.
type studyCheck struct {
	src   io.Reader
	x     dicom.Extractor
	want  string
	found bool
	other bool
}

var errOtherStudy = errors.New("the instance is not of the study in the address")

func newStudyCheck(src io.Reader, syntax, want string) *studyCheck {
	c := &studyCheck{src: src, want: want}
	s, _ := dicom.SyntaxOf(syntax)
	c.x.Reset(s, dicom.DefaultLimits(), c)
	return c
}

// Header implements dicom.Visitor.
func (c *studyCheck) Header(t *dicom.Token, _ dicom.Tag) int {
	switch {
	case t.Depth > 0 || t.Kind != dicom.Element:
		return 0
	case t.Tag == dicom.TagStudyInstanceUID:
		return dicom.MaxUID
	case t.Tag > dicom.TagStudyInstanceUID:
		c.x.Stop()
	}
	return 0
}

// Value implements dicom.Visitor.
func (c *studyCheck) Value(t *dicom.Token, _ dicom.Tag, value []byte) {
	c.found = true
	c.other = c.other || t.Length > dicom.MaxUID || dicom.TrimString(value) != c.want
}

func (c *studyCheck) Read(dst []byte) (int, error) {
	n, err := c.src.Read(dst)
	_ = c.x.Feed(dst[:n]) // what cannot be read has no study
	if errors.Is(err, io.EOF) && !c.found {
		c.other = true
	}
	if c.other {
		return 0, errOtherStudy
	}
	return n, err
}

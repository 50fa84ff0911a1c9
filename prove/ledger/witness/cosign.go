// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/receipt"
)

// MaxRequest is the most bytes of an add-checkpoint request: 63 hashes and a note.
const MaxRequest = receipt.MaxProof*45 + receipt.MaxCheckpoint + 128

// request is an add-checkpoint request (C2SP tlog-witness).
type request struct {
	old   uint64
	proof [][]byte
	note  []byte
}

// ServeHTTP answers POST /add-checkpoint with the statuses of C2SP tlog-witness.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, hr *http.Request) {
	b, err := io.ReadAll(http.MaxBytesReader(rw, hr.Body, MaxRequest))
	if err != nil {
		http.Error(rw, "the request is too long or was cut", http.StatusBadRequest)
		return
	}
	req, err := parseRequest(b)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	line, err := w.cosign(req)
	var no *refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, line)
	case errors.As(err, &no) && no.size != nil:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(no.status)
		_, _ = fmt.Fprintf(rw, "%d\n", *no.size)
	case errors.As(err, &no):
		http.Error(rw, no.why, no.status)
	default:
		w.deps.Log.Error("a checkpoint could not be signed", "err", err)
		http.Error(rw, "the witness cannot sign now", http.StatusInternalServerError)
	}
}

// refusal is an answer that is no signature.
type refusal struct {
	status int
	why    string
	size   *uint64
}

func (e *refusal) Error() string { return e.why }

func parseRequest(b []byte) (request, error) {
	var r request
	head, note, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return r, errors.New("there is no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	digits, ok := strings.CutPrefix(lines[0], "old ")
	var err error
	if r.old, err = strconv.ParseUint(digits, 10, 53); !ok || err != nil || strconv.FormatUint(r.old, 10) != digits {
		return r, errors.New("the first line is not old and a size")
	}
	if len(lines)-1 > receipt.MaxProof {
		return r, fmt.Errorf("the proof has more than %d hashes", receipt.MaxProof)
	}
	for _, l := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(h) != 32 {
			return r, errors.New("a line of the proof is no hash in base64")
		}
		r.proof = append(r.proof, h)
	}
	r.note = note
	return r, nil
}

// cosign checks a request as C2SP tlog-witness says, and signs.
func (w *Witness) cosign(r request) (string, error) {
	origin, _, _ := strings.Cut(string(r.note), "\n")
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.logs[origin]
	if !ok {
		return "", &refusal{status: http.StatusNotFound, why: "this log is not known here"}
	}
	c, err := k.open(r.note)
	if err != nil {
		return "", err
	}
	last := k.last
	switch {
	case r.old > c.Size:
		return "", &refusal{status: http.StatusBadRequest, why: "the old size is larger than the checkpoint's"}
	case r.old != last.Size:
		return "", &refusal{status: http.StatusConflict, why: "another size was signed last", size: &last.Size}
	case c.Size == last.Size && last.Root != nil && !bytes.Equal(c.Root[:], last.Root):
		w.deps.Log.Error("a log has two histories", "log", origin, "size", c.Size)
		return "", &refusal{status: http.StatusConflict, why: "another root was signed for this size"}
	case c.Size == last.Size && len(r.proof) > 0, last.Size == 0 && len(r.proof) > 0:
		return "", &refusal{status: http.StatusUnprocessableEntity, why: "a proof where there is nothing to prove"}
	}
	if last.Size > 0 && c.Size > last.Size {
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, last.Size, c.Size, r.proof, last.Root, c.Root[:]); err != nil {
			w.deps.Log.Error("a log does not go on from what was signed", "log", origin, "signed", last.Size, "shown", c.Size)
			return "", &refusal{status: http.StatusUnprocessableEntity, why: "the proof does not lead from what was signed to this checkpoint"}
		}
	}
	now := w.deps.Now()
	next := state{Origin: origin, Size: c.Size, Root: c.Root[:], Signed: now.UTC()}
	if next.Size != last.Size || last.Root == nil {
		b, err := json.Marshal(next)
		if err != nil {
			return "", err
		}
		// durable before the signature leaves: a crash must not forget what was signed
		if err := durable.Write(k.file, b); err != nil {
			return "", err
		}
	}
	k.last = next
	seconds := uint64(max(now.Unix(), 0))
	sig := binary.BigEndian.AppendUint32(nil, w.id)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(w.key, receipt.CosignedMessage(seconds, c.Body))...)
	return "— " + w.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n", nil
}

// open checks the log's signature; those of others are passed over.
func (k *known) open(note []byte) (receipt.Checkpoint, error) {
	text, block, _ := strings.Cut(string(note), "\n\n")
	var own strings.Builder
	for line := range strings.Lines(block) {
		if strings.HasPrefix(line, "— "+k.trust.Log.Name+" ") {
			own.WriteString(line)
		}
	}
	c, err := k.trust.Open([]byte(text + "\n\n" + own.String()))
	var bad *receipt.Error
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &bad) && bad.Code == receipt.BadCheckpoint && own.Len() > 0:
		return c, &refusal{status: http.StatusBadRequest, why: "the checkpoint cannot be read"}
	}
	return c, &refusal{status: http.StatusForbidden, why: "the checkpoint is not signed by the key that is known for this log"}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/receipt"
)

var update = flag.Bool("update", false, "make the vectors in testdata/receipts anew")

const vectorDir = "../../testdata/receipts"

// vector is one file with what every verifier must say about it.
type vector struct {
	Name        string       `json:"name"`
	File        string       `json:"file"`
	Trust       string       `json:"trust"`
	Artefact    string       `json:"artefact,omitempty"` // base64: the file that is checked against the statement
	Unwitnessed bool         `json:"unwitnessed,omitempty"`
	Code        receipt.Code `json:"code,omitempty"` // "" for a good one
	Index       uint64       `json:"index"`
	Hash        string       `json:"hash,omitempty"`
	Subject     string       `json:"subject,omitempty"`
	Part        receipt.Part `json:"part,omitempty"` // of the artefact: "data-set"; "" is the whole file
	Witnesses   int          `json:"witnesses,omitempty"`
	By          string       `json:"by,omitempty"`
	Timestamp   string       `json:"timestamp,omitempty"` // of the RFC 3161 token
	// Needs names what a verifier must be able to do: "rfc3161". One that cannot says so
	// instead of accepting.
	Needs []string `json:"needs,omitempty"`
}

type vectors struct {
	Format  string   `json:"format"`
	Vectors []vector `json:"vectors"`
}

const vectorFormat = "asepsis-receipt-vectors/v1"

func TestTheSharedVectors(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	b, err := os.ReadFile(filepath.Join(vectorDir, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(b, &all); err != nil || all.Format != vectorFormat {
		t.Fatalf("format %q, %v", all.Format, err)
	}
	codes := map[receipt.Code]bool{}
	for _, v := range all.Vectors {
		codes[v.Code] = true
		t.Run(v.Name, func(t *testing.T) { v.check(t) })
	}
	for _, c := range []receipt.Code{"", receipt.BadTrust, receipt.TooLarge, receipt.NotJSON, receipt.NotCanonical, receipt.WrongFormat, receipt.Malformed, receipt.BadStatement, receipt.BadCheckpoint, receipt.WrongLog,
		receipt.DuplicateSignature, receipt.UnknownKey, receipt.BadLogSignature, receipt.NoLogSignature, receipt.BadCosignature, receipt.NotWitnessed, receipt.IndexOutOfRange,
		receipt.TruncatedProof, receipt.WrongRoot, receipt.BadTimestamp, receipt.WrongTimestamp, receipt.UntrustedTimestamp, receipt.WrongFile} {
		if !codes[c] {
			t.Errorf("no vector has the code %q", c)
		}
	}
}

func (v vector) run(t *testing.T) (receipt.Result, string, receipt.Part, error) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tr, err := receipt.ParseTrust(read(v.Trust))
	if err != nil {
		return receipt.Result{}, "", "", err
	}
	r, err := receipt.Verify(read(v.File), tr, receipt.Options{Unwitnessed: v.Unwitnessed})
	if err != nil || v.Artefact == "" {
		return r, "", "", err
	}
	file, err := base64.StdEncoding.DecodeString(v.Artefact)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := receipt.SumsOf(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	name, part, err := r.MatchFile(sums)
	if part == receipt.Whole {
		part = ""
	}
	return r, name, part, err
}

func (v vector) check(t *testing.T) {
	r, subject, part, err := v.run(t)
	if v.Code != "" {
		if codeOf(err) != v.Code {
			t.Errorf("%v, want %s", err, v.Code)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	by, stamped := "", ""
	if !r.By.IsZero() {
		by = r.By.Format(time.RFC3339)
	}
	if !r.Timestamp.IsZero() {
		stamped = r.Timestamp.Format(time.RFC3339)
	}
	if r.Index != v.Index || r.Hash != v.Hash || subject != v.Subject || part != v.Part || len(r.Checkpoint.Cosigned) != v.Witnesses || by != v.By || stamped != v.Timestamp {
		t.Errorf("index %d hash %s subject %q witnesses %d by %q timestamp %q, want %+v", r.Index, r.Hash, subject, len(r.Checkpoint.Cosigned), by, stamped, v)
	}
}

// workshop makes the files.
type workshop struct {
	t   *testing.T
	all []vector
}

func (w *workshop) write(name string, b []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(vectorDir, name), b, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workshop) add(v vector, file []byte) {
	w.t.Helper()
	if v.Code == receipt.BadTrust {
		v.File = "one-entry.json"
	} else if v.File == "" {
		v.File = strings.ReplaceAll(v.Name, " ", "-") + ".json"
		w.write(v.File, file)
	}
	if v.Trust == "" {
		v.Trust = "trust.json"
	}
	if v.Code == "" {
		r, subject, part, err := v.run(w.t)
		if err != nil {
			w.t.Fatalf("%s: %v", v.Name, err)
		}
		v.Index, v.Hash, v.Subject, v.Part, v.Witnesses = r.Index, r.Hash, subject, part, len(r.Checkpoint.Cosigned)
		if !r.By.IsZero() {
			v.By = r.By.Format(time.RFC3339)
		}
		if !r.Timestamp.IsZero() {
			v.Timestamp = r.Timestamp.Format(time.RFC3339)
		}
	}
	w.all = append(w.all, v)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func makeVectors(t *testing.T) {
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &workshop{t: t}
	ecdsaTSA, rsaTSA, otherTSA := newAuthority(t, "Example TSA", false), newAuthority(t, "Example RSA TSA", true), newAuthority(t, "Another TSA", false)
	var keys []string
	for _, x := range witnesses {
		keys = append(keys, x.vkey())
	}
	trust := func(name string, keys []string, required int) {
		b, err := receipt.WriteTrust(log.vkey(), keys, required, []string{ecdsaTSA.pem(), rsaTSA.pem()})
		if err != nil {
			t.Fatal(err)
		}
		w.write(name, b)
	}
	trust("trust.json", keys, 2)
	trust("trust-one-witness.json", keys[:1], 1)
	trust("trust-no-witnesses.json", nil, 0)
	w.write("trust-bad-threshold.json", []byte(strings.Replace(string(must(os.ReadFile(filepath.Join(vectorDir, "trust.json")))), `"required": 2`, `"required": 4`, 1)))
	w.write("trust-bad-key.json", []byte(strings.Replace(string(must(os.ReadFile(filepath.Join(vectorDir, "trust.json")))), log.vkey()[len(log.name)+1:len(log.name)+9], "00000000", 1)))

	good := func() *receipt.Receipt { return forge(t, 2, 5, witnesses...) }
	file := encode(t, good())
	w.good(ecdsaTSA, rsaTSA)
	w.dicom()
	w.badFiles(file)
	w.badNotes(good)
	w.badProofs(good, otherTSA, ecdsaTSA)
	w.add(vector{Name: "trust that demands too many", Trust: "trust-bad-threshold.json", Code: receipt.BadTrust}, nil)
	w.add(vector{Name: "trust with a key that is none", Trust: "trust-bad-key.json", Code: receipt.BadTrust}, nil)
	b, err := json.MarshalIndent(vectors{vectorFormat, w.all}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	w.write("vectors.json", append(b, '\n'))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func (w *workshop) good(ecdsaTSA, rsaTSA authority) {
	t := w.t
	w.add(vector{Name: "one entry", Artefact: b64(artefact(0))}, encode(t, forge(t, 0, 1, witnesses...)))
	w.add(vector{Name: "the third of five", Artefact: b64(artefact(2))}, encode(t, forge(t, 2, 5, witnesses...)))
	w.add(vector{Name: "the last of five", Artefact: b64(artefact(4))}, encode(t, forge(t, 4, 5, witnesses...)))
	w.add(vector{Name: "two subjects", Artefact: b64(artefact(0))}, encode(t, forge(t, 1, 5, witnesses...)))
	w.add(vector{Name: "across tiles", Artefact: b64(artefact(255))}, encode(t, forge(t, 255, 300, witnesses...)))
	w.add(vector{Name: "two of three witnesses"}, encode(t, forge(t, 2, 5, witnesses[2], witnesses[0])))
	w.add(vector{Name: "accepted without witnesses", Unwitnessed: true}, encode(t, forge(t, 2, 5)))
	w.add(vector{Name: "a log without witnesses", Trust: "trust-no-witnesses.json"}, encode(t, forge(t, 2, 5)))
	silent := forge(t, 2, 5, witnesses[0])
	text := textOf(silent.Checkpoint)
	silent.Checkpoint = []byte(text + "\n" + log.line(text, 0) + witnesses[1].line(text, 0) + witnesses[2].line(text, seen))
	w.add(vector{Name: "a witness that gives no time"}, encode(t, silent))
	for _, x := range []struct {
		name string
		tsa  authority
	}{{"a timestamp", ecdsaTSA}, {"a timestamp by RSA", rsaTSA}} {
		r := forge(t, 2, 5, witnesses...)
		r.Timestamp = x.tsa.token(t, []byte(textOf(r.Checkpoint)), time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC))
		w.add(vector{Name: x.name, Needs: []string{"rfc3161"}}, encode(t, r))
	}
}

// dicom are DICOM files whose data set, and nothing else of them, is what the statement of
// "one entry" is about.
func (w *workshop) dicom() {
	set := artefact(0)
	head := func(elements ...string) []byte {
		return append(append(make([]byte, 128), "DICM"...), strings.Join(elements, "")...)
	}
	length := "\x02\x00\x00\x00UL\x04\x00\x1a\x00\x00\x00"
	version := "\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"
	syntax := "\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"
	add := func(name string, code receipt.Code, file ...[]byte) {
		w.add(vector{Name: name, File: "one-entry.json", Code: code, Artefact: b64(bytes.Join(file, nil))}, nil)
	}
	good := head(length, version, syntax)
	tiff := append([]byte("II*\x00"), good[4:]...)
	add("a DICOM file by its data set", "", good, set)
	add("a DICOM file with a preamble that says something", "", tiff, set)
	add("a DICOM file with a wrong length of its meta information", "", head(strings.Replace(length, "\x1a", "\x99", 1), version, syntax), set)
	add("a DICOM file whose meta information has no length", "", head(version, syntax), set)
	add("a DICOM file with another data set", receipt.WrongFile, good, set, []byte{0})
	add("a DICOM file without its prefix", receipt.WrongFile, make([]byte, 128), []byte(length+version+syntax), set)
	add("a DICOM file without meta information", receipt.WrongFile, head(), set)
	add("a DICOM file whose meta information is cut", receipt.WrongFile, good[:len(good)-3])
	add("a DICOM file whose meta information claims more than there is", receipt.WrongFile, head(length, "\x02\x00\x01\x00OB\x00\x00\xff\xff\xff\xff"), set)
}

func (w *workshop) badFiles(file []byte) {
	edit := func(old, now string) []byte {
		b := bytes.Replace(file, []byte(old), []byte(now), 1)
		if bytes.Equal(b, file) {
			w.t.Fatalf("%q is not there", old)
		}
		return b
	}
	w.add(vector{Name: "too large", Code: receipt.TooLarge}, append(bytes.Repeat([]byte(" "), receipt.MaxReceipt), '\n'))
	w.add(vector{Name: "empty", Code: receipt.NotCanonical}, nil)
	w.add(vector{Name: "cut in half", Code: receipt.NotCanonical}, file[:len(file)/2])
	w.add(vector{Name: "cut in half with a line feed", Code: receipt.NotJSON}, append(bytes.Clone(file[:len(file)/2]), '\n'))
	w.add(vector{Name: "no json", Code: receipt.NotJSON}, []byte("a receipt\n"))
	w.add(vector{Name: "nested too deeply", Code: receipt.NotJSON}, []byte(strings.Repeat("[", 40)+strings.Repeat("]", 40)+"\n"))
	w.add(vector{Name: "a space", Code: receipt.NotCanonical}, edit(`":`, `": `))
	w.add(vector{Name: "two line feeds", Code: receipt.NotCanonical}, append(bytes.Clone(file), '\n'))
	w.add(vector{Name: "a carriage return", Code: receipt.NotCanonical}, append(bytes.Clone(file[:len(file)-1]), '\r', '\n'))
	w.add(vector{Name: "a member twice", Code: receipt.NotCanonical}, edit(`"index":2`, `"index":2,"index":2`))
	w.add(vector{Name: "an index with a fraction of zero", Code: receipt.NotCanonical}, edit(`"index":2`, `"index":2.0`))
	w.add(vector{Name: "a number beyond all", Code: receipt.NotCanonical}, edit(`"index":2`, `"index":1e400`))
	w.add(vector{Name: "bytes that are not UTF-8", Code: receipt.NotCanonical}, edit("or-3", "or-\xff"))
	w.add(vector{Name: "an escape that is not due", Code: receipt.NotCanonical}, edit(`or-3`, `\u006fr-3`))
	w.add(vector{Name: "a byte order mark", Code: receipt.NotJSON}, append([]byte("\xef\xbb\xbf"), file...))
	w.add(vector{Name: "a later format", Code: receipt.WrongFormat}, edit(`asepsis-receipt/v1`, `asepsis-receipt/v2`))
	w.add(vector{Name: "a list", Code: receipt.Malformed}, []byte("[]\n"))
	w.add(vector{Name: "another object", Code: receipt.WrongFormat}, []byte("{}\n"))
	w.add(vector{Name: "a member too many", Code: receipt.Malformed}, edit(`"index":2`, `"index":2,"note":"x"`))
	w.add(vector{Name: "no index", Code: receipt.Malformed}, edit(`"index":2,`, ``))
	w.add(vector{Name: "a negative index", Code: receipt.Malformed}, edit(`"index":2`, `"index":-2`))
	w.add(vector{Name: "half an index", Code: receipt.Malformed}, edit(`"index":2`, `"index":2.5`))
	w.add(vector{Name: "a statement as text", Code: receipt.Malformed}, edit(`"statement":{`, `"statement":"x","statementX":{`))
	w.add(vector{Name: "another predicate", Code: receipt.BadStatement}, edit(`custody/artefact-received/v1`, `custody/artefact-invented/v1`))
	w.add(vector{Name: "another statement type", Code: receipt.BadStatement}, edit(`in-toto.io/Statement/v1`, `in-toto.io/Statement/v0`))
	sum := sha256.Sum256(artefact(2))
	w.add(vector{Name: "a digest in upper case", Code: receipt.BadStatement}, edit(hex.EncodeToString(sum[:]), strings.ToUpper(hex.EncodeToString(sum[:]))))
}

func (w *workshop) badNotes(good func() *receipt.Receipt) {
	note := func(name string, code receipt.Code, trust string, change func(text string) string) {
		w.t.Helper()
		r := good()
		r.Checkpoint = []byte(change(textOf(r.Checkpoint)))
		w.add(vector{Name: name, Code: code, Trust: trust}, encode(w.t, r))
	}
	a, b, c := witnesses[0], witnesses[1], witnesses[2]
	note("a checkpoint without signatures", receipt.BadCheckpoint, "", func(text string) string { return text })
	note("a checkpoint with a fourth line", receipt.BadCheckpoint, "", func(text string) string { text += "extension\n"; return text + "\n" + log.line(text, 0) })
	note("a size with a zero before", receipt.BadCheckpoint, "", func(text string) string {
		text = strings.Replace(text, "\n5\n", "\n05\n", 1)
		return text + "\n" + log.line(text, 0)
	})
	note("base64 with bits that are not due", receipt.BadCheckpoint, "", func(text string) string {
		sig := log.line(text, 0) // 68 bytes: the last character before = has two bits to spare
		last := strings.LastIndexByte(sig, '=') - 1
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		at := strings.IndexByte(alphabet, sig[last])
		return text + "\n" + sig[:last] + alphabet[at+1:at+2] + sig[last+1:]
	})
	note("another log", receipt.WrongLog, "", func(text string) string {
		text = strings.Replace(text, log.name, "ledger.example/another", 1)
		return text + "\n" + log.line(text, 0)
	})
	note("a signature twice", receipt.DuplicateSignature, "", func(text string) string {
		return text + "\n" + log.line(text, 0) + a.line(text, seen) + a.line(text, seen+1)
	})
	note("a witness that is not trusted", receipt.UnknownKey, "", func(text string) string {
		return text + "\n" + log.line(text, 0) + a.line(text, seen) + stranger.line(text, seen)
	})
	note("a witness that an older trust file does not have", receipt.UnknownKey, "trust-one-witness.json", func(text string) string {
		return text + "\n" + log.line(text, 0) + a.line(text, seen) + b.line(text, seen)
	})
	note("the log by another key", receipt.UnknownKey, "", func(text string) string {
		return text + "\n" + newSigner(log.name, 1, 9).line(text, 0) + a.line(text, seen) + b.line(text, seen)
	})
	note("a size that was not signed", receipt.BadLogSignature, "", func(text string) string {
		return strings.Replace(text, "\n5\n", "\n6\n", 1) + "\n" + log.line(text, 0) + a.line(text, seen)
	})
	note("witnesses without the log", receipt.NoLogSignature, "", func(text string) string {
		return text + "\n" + a.line(text, seen) + b.line(text, seen) + c.line(text, seen)
	})
	note("a cosignature of something else", receipt.BadCosignature, "", func(text string) string {
		return text + "\n" + log.line(text, 0) + a.line(text, seen) + b.line("x\n1\n", seen)
	})
	note("a cosignature with another time", receipt.BadCosignature, "", func(text string) string {
		line := b.line(text, seen)
		raw := must(base64.StdEncoding.DecodeString(strings.TrimSuffix(line[strings.LastIndexByte(line, ' ')+1:], "\n")))
		raw[11] ^= 1 // the last byte of the time
		return text + "\n" + log.line(text, 0) + a.line(text, seen) + "— " + b.name + " " + b64(raw) + "\n"
	})
	note("one witness of two", receipt.NotWitnessed, "", func(text string) string { return text + "\n" + log.line(text, 0) + a.line(text, seen) })
}

func (w *workshop) badProofs(good func() *receipt.Receipt, other, tsa authority) {
	t := w.t
	change := func(v vector, do func(*receipt.Receipt)) {
		t.Helper()
		r := good()
		do(r)
		w.add(v, encode(t, r))
	}
	when := time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC)
	change(vector{Name: "an index beyond the log", Code: receipt.IndexOutOfRange}, func(r *receipt.Receipt) { r.Index = 5 })
	change(vector{Name: "a truncated proof", Code: receipt.TruncatedProof}, func(r *receipt.Receipt) { r.Proof = r.Proof[:len(r.Proof)-1] })
	change(vector{Name: "a proof too long", Code: receipt.TruncatedProof}, func(r *receipt.Receipt) { r.Proof = append(r.Proof, r.Proof[0]) })
	change(vector{Name: "a changed proof", Code: receipt.WrongRoot}, func(r *receipt.Receipt) { r.Proof[1][7] ^= 1 })
	change(vector{Name: "another index", Code: receipt.WrongRoot}, func(r *receipt.Receipt) { r.Index = 3 })
	change(vector{Name: "another statement", Code: receipt.WrongRoot}, func(r *receipt.Receipt) { r.Statement = entry(t, 3) })
	change(vector{Name: "the wrong file", Code: receipt.WrongFile, Artefact: b64(artefact(3))}, func(*receipt.Receipt) {})
	change(vector{Name: "a timestamp that is none", Code: receipt.BadTimestamp, Needs: []string{"rfc3161"}}, func(r *receipt.Receipt) { r.Timestamp = []byte("now") })
	change(vector{Name: "a timestamp with a changed signature", Code: receipt.BadTimestamp, Needs: []string{"rfc3161"}}, func(r *receipt.Receipt) {
		r.Timestamp = tsa.token(t, []byte(textOf(r.Checkpoint)), when)
		r.Timestamp[len(r.Timestamp)-3] ^= 1
	})
	change(vector{Name: "a timestamp of another checkpoint", Code: receipt.WrongTimestamp, Needs: []string{"rfc3161"}}, func(r *receipt.Receipt) { r.Timestamp = tsa.token(t, []byte("x"), when) })
	change(vector{Name: "a timestamp of another authority", Code: receipt.UntrustedTimestamp, Needs: []string{"rfc3161"}}, func(r *receipt.Receipt) {
		r.Timestamp = other.token(t, []byte(textOf(r.Checkpoint)), when)
	})
}

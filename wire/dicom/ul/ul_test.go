// SPDX-License-Identifier: Apache-2.0

package ul

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const (
	ctImage  = "1.2.840.10008.5.1.4.1.1.2"
	implicit = "1.2.840.10008.1.2"
	explicit = "1.2.840.10008.1.2.1"
)

// full is a request with every sub-item that PS3.7 annex D defines.
func full() *Associate {
	return &Associate{
		Type: TypeAssociateRQ, ProtocolVersion: 1, CalledAE: "ARCHIVE", CallingAE: "CT_OR3", ApplicationContext: dicomApplicationContext,
		Contexts: []PresentationContext{
			{ID: 1, AbstractSyntax: "1.2.840.10008.1.1", TransferSyntaxes: []string{implicit}},
			{ID: 3, AbstractSyntax: ctImage, TransferSyntaxes: []string{explicit, implicit}},
		},
		ContextCount: 2,
		User: UserInformation{
			MaxLength: 16384, ImplUID: "1.2.276.0.7230010.3.0.3.6.7", ImplVersion: "OFFIS_DCMTK_367",
			Async: true, AsyncInvoked: 5, AsyncPerformed: 1,
			Roles:          []RoleSelection{{ctImage, false, true}},
			Extended:       []ExtendedNegotiation{{ctImage, []byte{1, 0, 1}}},
			CommonExtended: []CommonExtendedNegotiation{{ctImage, "1.2.840.10008.4.2", []string{"1.2.840.10008.5.1.4.1.1.88.22"}}},
			Identity:       &UserIdentity{Type: 2, ResponseRequested: true, Primary: []byte("nurse"), Secondary: []byte("secret")},
		},
	}
}

func encode(t testing.TB, a *Associate) []byte {
	b, err := AppendAssociate(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAssociationsComeBackAsTheyWereWritten(t *testing.T) {
	ac := full()
	ac.Type = TypeAssociateAC
	ac.Contexts = []PresentationContext{{ID: 1, TransferSyntaxes: []string{implicit}}, {ID: 3, Result: AbstractSyntaxNotSupported, TransferSyntaxes: []string{explicit}}}
	ac.User.Identity, ac.User.IdentityAck, ac.User.IdentityReply = nil, true, []byte("ticket")
	for _, a := range []*Associate{full(), ac} {
		got, err := ParseAssociate(a.Type, encode(t, a)[HeaderSize:])
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%v:\n%+v\nwant\n%+v\n%v", a.Type, got, a, err)
		}
	}
}

func TestViolationsAreNamedAndReadingGoesOn(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(a *Associate)
		want string
	}{
		{"another protocol version", func(a *Associate) { a.ProtocolVersion = 2 }, "protocol version 1 not offered"},
		{"no called AE title", func(a *Associate) { a.CalledAE = "" }, "empty AE title"},
		{"an even context ID", func(a *Associate) { a.Contexts[0].ID = 2 }, "even presentation context ID"},
		{"a context ID twice", func(a *Associate) { a.Contexts[0].ID = 3 }, "presentation context ID used twice"},
		{"another application context", func(a *Associate) { a.ApplicationContext = "1.2.3" }, "application context is not DICOM's"},
		{"no presentation context", func(a *Associate) { a.Contexts = nil }, "no presentation context"},
		{"a UID that is too long", func(a *Associate) { a.User.ImplUID = strings.Repeat("1.2", 30) }, "UID longer than 64 characters"},
		{"a version name that is too long", func(a *Associate) { a.User.ImplVersion = strings.Repeat("V", 17) }, "implementation version name longer than 16 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := full()
			c.edit(a)
			got, err := ParseAssociate(a.Type, encode(t, a)[HeaderSize:])
			if err != nil || len(got.Violations) == 0 || got.Violations[0].What != c.want || got.CallingAE != a.CallingAE {
				t.Errorf("%+v, %v; want %q", got.Violations, err, c.want)
			}
		})
	}
}

func TestLimitsHoldOnePastTheEdge(t *testing.T) {
	a := full()
	a.Contexts = nil
	for i := range MaxContexts {
		a.Contexts = append(a.Contexts, PresentationContext{ID: uint8(2*i + 1), AbstractSyntax: ctImage, TransferSyntaxes: []string{implicit}})
	}
	got, err := ParseAssociate(a.Type, encode(t, a)[HeaderSize:])
	if err != nil || len(got.Contexts) != MaxContexts || len(got.Violations) != 0 {
		t.Errorf("%d contexts: %d read, %v, %v", MaxContexts, len(got.Contexts), got.Violations, err)
	}
	a.Contexts = append(a.Contexts, PresentationContext{ID: 0, AbstractSyntax: ctImage})
	got, err = ParseAssociate(a.Type, encode(t, a)[HeaderSize:])
	if err != nil || len(got.Contexts) != MaxContexts || got.ContextCount != MaxContexts+1 || len(got.Violations) == 0 {
		t.Errorf("one more: %d read of %d, %v, %v", len(got.Contexts), got.ContextCount, got.Violations, err)
	}
	a = full()
	for len(a.Contexts[0].TransferSyntaxes) <= MaxTransferSyntaxes {
		a.Contexts[0].TransferSyntaxes = append(a.Contexts[0].TransferSyntaxes, implicit)
	}
	got, _ = ParseAssociate(a.Type, encode(t, a)[HeaderSize:])
	if n := len(got.Contexts[0].TransferSyntaxes); n != MaxTransferSyntaxes {
		t.Errorf("%d transfer syntaxes kept of %d", n, MaxTransferSyntaxes+1)
	}
	for _, c := range []struct {
		header []byte
		err    error
	}{
		{[]byte{1, 0, 0, 1, 0, 0}, nil},
		{[]byte{1, 0, 0, 1, 0, 1}, ErrLimit},
		{[]byte{1, 0, 0, 0, 0, 68}, nil},
		{[]byte{1, 0, 0, 0, 0, 67}, ErrLength},
		{[]byte{1, 0, 0xff, 0xff, 0xff, 0xff}, ErrLimit},
		{[]byte{4, 0, 0x40, 0, 0, 0}, nil},
		{[]byte{4, 0, 0x40, 0, 0, 1}, ErrLimit},
		{[]byte{4, 0, 0, 0, 0, 5}, ErrLength},
		{[]byte{5, 0, 0, 0, 0, 5}, ErrLength},
		{[]byte{8, 0, 0, 0, 0, 4}, ErrType},
		{[]byte{0, 0, 0, 0, 0, 4}, ErrType},
		{[]byte("GET / "), ErrHTTP},
		{[]byte{0x16, 3, 1, 2, 0, 1}, ErrTLS},
	} {
		var s Scanner
		_, _, err := s.Next(c.header)
		var e *Error
		if !errors.Is(err, c.err) || err != nil && (!errors.As(err, &e) || e.Section == "") {
			t.Errorf("header % x: %v, want %v", c.header, err, c.err)
		}
		if c := cap(s.buf); c > 0 {
			t.Errorf("header % x: %d bytes allocated from a declared length", c, c)
		}
	}
}

func TestBadPDVsAreTypedErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"a PDV longer than its PDU", []byte{4, 0, 0, 0, 0, 10, 0, 0, 0, 7, 1, 3}},
		{"a PDV shorter than its header", []byte{4, 0, 0, 0, 0, 10, 0, 0, 0, 1, 1, 3}},
		{"bytes after the last PDV", []byte{4, 0, 0, 0, 0, 9, 0, 0, 0, 2, 1, 3, 0, 0, 0}},
	} {
		if _, err := scan(c.data, 0); !errors.Is(err, ErrLength) {
			t.Errorf("%s: %v, want %v", c.name, err, ErrLength)
		}
	}
}

// scan writes down every event; pieces of a PDV are joined.
func scan(data []byte, cut int) (string, error) {
	var s Scanner
	var out strings.Builder
	var pdv []byte
	for len(data) > 0 {
		n := len(data)
		if cut > 0 {
			n = min(n, cut)
		}
		part := data[:n]
		data = data[n:]
		for {
			ev, used, err := s.Next(part)
			if err != nil {
				return out.String(), err
			}
			part = part[used:]
			if ev.Kind == Need {
				if len(part) > 0 {
					return out.String(), errors.New("BUG: Need with bytes left")
				}
				break
			}
			switch ev.Kind {
			case PDU:
				fmt.Fprintf(&out, "%v %x\n", ev.Type, ev.Body)
			case PDVData:
				if pdv = append(pdv, ev.Body...); ev.End {
					fmt.Fprintf(&out, "  %+v %x\n", ev.PDV, pdv)
					pdv = nil
				}
			default:
				fmt.Fprintf(&out, "%d %v %d %+v\n", ev.Kind, ev.Type, ev.Length, ev.PDV)
			}
		}
	}
	return out.String(), nil
}

func TestPDataIsCutAtTheMaximumLengthAndJoined(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 10)
	b := AppendPData(nil, 3, false, data, 30)
	var s Scanner
	var got []byte
	pdus := 0
	for {
		ev, n, err := s.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
		switch ev.Kind {
		case PDataStart:
			pdus++
			if ev.Length > 30 {
				t.Errorf("a PDU of %d bytes, the maximum is 30", ev.Length)
			}
		case PDVData:
			got = append(got, ev.Body...)
			if ev.End && ev.PDV.Last != (len(got) == len(data)) {
				t.Errorf("last is %v after %d bytes", ev.PDV.Last, len(got))
			}
		}
		if ev.Kind == Need {
			break
		}
	}
	if pdus != 5 || !bytes.Equal(got, data) || !s.Boundary() {
		t.Errorf("%d PDUs, %d bytes", pdus, len(got))
	}
}

func TestNamesOfResults(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Reject{1, 1, 7}.ReasonName(), "called-ae-title-not-recognized"},
		{Reject{2, 3, 1}.ReasonName(), "temporary-congestion"},
		{Reject{2, 2, 2}.ReasonName(), "protocol-version-not-supported"},
		{Reject{2, 2, 9}.ReasonName(), "unassigned-9"},
		{Reject{2, 2, 2}.ResultName() + " " + Reject{2, 2, 2}.SourceName(), "rejected-transient service-provider-acse"},
		{Abort{2, 5}.ReasonName(), "unexpected-pdu-parameter"},
		{Abort{0, 5}.ReasonName(), ""},
		{TypePData.String() + " " + Type(9).String(), "P-DATA-TF PDU type 0x09"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// FuzzPDU: events do not depend on how the bytes are cut; no PDV is longer than
// its PDU; what parses as an association is written and parsed again the same.
func FuzzPDU(f *testing.F) {
	rq := encode(f, full())
	f.Add(rq, uint8(1))
	f.Add(AppendReleaseRP(AppendReleaseRQ(AppendAbort(AppendReject(nil, Reject{1, 1, 7}), Abort{2, 1}))), uint8(3))
	f.Add(AppendPData(AppendPData(rq, 1, true, []byte("command"), 0), 1, false, make([]byte, 100), 40), uint8(7))
	f.Add([]byte{4, 0, 0, 0, 0, 16, 0, 0, 0, 4, 1, 3, 'a', 'b', 0, 0, 0, 4, 1, 2, 'c', 'd'}, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		whole, err := scan(data, 0)
		parts, perr := scan(data, int(cut)+1)
		if whole != parts || fmt.Sprint(err) != fmt.Sprint(perr) {
			t.Fatalf("in pieces of %d:\n%s%v\nwhole:\n%s%v", cut+1, parts, perr, whole, err)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Offset > uint64(len(data))) {
			t.Fatalf("error %v", err)
		}
		for _, typ := range []Type{TypeAssociateRQ, TypeAssociateAC} {
			a, err := ParseAssociate(typ, data)
			if len(a.Contexts) > MaxContexts || len(a.Violations) > maxViolations || len(a.CallingAE) > maxAETitle {
				t.Fatalf("out of bounds: %+v", a)
			}
			if err != nil || len(a.Violations) > 0 || a.User.Unknown > 0 {
				continue
			}
			b, err := AppendAssociate(nil, a)
			if err != nil {
				continue // grew over the limit, by sub-items that overlap
			}
			again, err := ParseAssociate(typ, b[HeaderSize:])
			if err != nil || again.CallingAE != a.CallingAE || !reflect.DeepEqual(again.Contexts, a.Contexts) {
				t.Fatalf("%+v\nthen\n%+v\n%v", a, again, err)
			}
		}
	})
}

func BenchmarkScanPData(b *testing.B) {
	data := AppendPData(nil, 1, false, make([]byte, 1<<20), 16384)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var s Scanner
	for b.Loop() {
		for rest := data; len(rest) > 0; {
			_, n, err := s.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

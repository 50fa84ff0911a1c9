// SPDX-License-Identifier: Apache-2.0

package sdc

import (
	"fmt"
	"strings"
	"testing"
)

const hello = `<?xml version="1.0" encoding="UTF-8"?><s12:Envelope xmlns:s12="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:wsd="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01" xmlns:dpws="http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01" xmlns:mdpws="http://standards.ieee.org/downloads/11073/11073-20702-2016">
<s12:Header><wsa:Action>http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/Hello</wsa:Action><wsa:MessageID>urn:uuid:1</wsa:MessageID><wsa:To>urn:docs-oasis-open-org:ws-dd:ns:discovery:2009:01</wsa:To><wsd:AppSequence InstanceId="1" MessageNumber="1"/></s12:Header>
<s12:Body><wsd:Hello><wsa:EndpointReference><wsa:Address>urn:uuid:aaaa-bbbb</wsa:Address></wsa:EndpointReference><wsd:Types>dpws:Device mdpws:MedicalDevice</wsd:Types>
<wsd:Scopes>sdc.ctxt.loc:/sdc.ctxt.loc.detail/HOSP%2F%2F%2FOR%2F3%2FBed%201?fac=HOSP&amp;poc=OR&amp;rm=3&amp;bed=Bed%201 sdc.mds.pkp:1.2.840.10004.20701.1.1</wsd:Scopes><wsd:XAddrs>https://192.0.2.7:6464/aaaa</wsd:XAddrs><wsd:MetadataVersion>1</wsd:MetadataVersion></wsd:Hello></s12:Body></s12:Envelope>`

const mdib = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing"><s:Header><wsa:Action>http://standards.ieee.org/downloads/11073/11073-20701-2018/GetService/GetMdibResponse</wsa:Action></s:Header><s:Body>
<msg:GetMdibResponse xmlns:msg="http://standards.ieee.org/downloads/11073/11073-10207-2017/message" xmlns:pm="http://standards.ieee.org/downloads/11073/11073-10207-2017/participant" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" MdibVersion="17"><msg:Mdib><pm:MdDescription>
<pm:Mds Handle="mds0"><pm:Type Code="70001"><pm:ConceptDescription Lang="en">Ventilator</pm:ConceptDescription></pm:Type><pm:MetaData><pm:Udi><pm:DeviceIdentifier>51022222233336</pm:DeviceIdentifier><pm:HumanReadableForm>(01)51022222233336(21)1234</pm:HumanReadableForm><pm:Issuer Root="urn:x"/></pm:Udi><pm:Manufacturer>Dr&#228;ger</pm:Manufacturer><pm:ModelName>Evita</pm:ModelName><pm:SerialNumber>1234</pm:SerialNumber></pm:MetaData><pm:Vmd Handle="v"><pm:Type Code="70002"/></pm:Vmd></pm:Mds></pm:MdDescription>
<pm:MdState><pm:State xsi:type="pm:PatientContextState" DescriptorHandle="p"><pm:Identification Root="urn:h" Extension="135769"/><pm:CoreData><pm:Givenname>MICKEY</pm:Givenname><pm:Familyname>MOUSE</pm:Familyname></pm:CoreData></pm:State><pm:State xsi:type="pm:LocationContextState"><pm:Identification Extension="bed"/><pm:LocationDetail Facility="HOSP" PoC="OR" Bed="1"/></pm:State><pm:State xsi:type="pm:AlertConditionState"/></pm:MdState></msg:Mdib></msg:GetMdibResponse></s:Body></s:Envelope>`

func TestDiscovery(t *testing.T) {
	e, err := Parse([]byte(hello))
	if err != nil {
		t.Fatal(err)
	}
	m := e.Matches[0]
	if e.Name() != "Hello" || !e.IsDiscovery() || !e.IsSDC() || e.Truncated {
		t.Errorf("%+v", e)
	}
	if m.Endpoint != "urn:uuid:aaaa-bbbb" || m.Types[1] != (QName{NSMDPWS, "MedicalDevice"}) || !m.Secure() || m.MetadataVersion != "1" || m.Scopes[1] != ProviderScope {
		t.Errorf("%+v", m)
	}
	l, ok := LocationOf(m.Scopes[0])
	if !ok || l.String() != "HOSP/OR/3/Bed 1" {
		t.Errorf("location %q", l)
	}
	printer := strings.NewReplacer("mdpws:MedicalDevice", "dpws:Printer", "sdc.", "x.", NSMDPWS, "urn:x").Replace(hello)
	if e, _ := Parse([]byte(printer)); e.IsSDC() {
		t.Error("a printer was taken for a medical device")
	}
}

func TestMDIB(t *testing.T) {
	e, err := Parse([]byte(mdib))
	if err != nil {
		t.Fatal(err)
	}
	want := MDS{Handle: "mds0", Code: "70001", Concept: "Ventilator", UDI: "(01)51022222233336(21)1234", DI: "51022222233336", Manufacturer: "Dräger", Model: "Evita", Serial: "1234"}
	if len(e.MDS) != 1 || e.MDS[0] != want {
		t.Errorf("got %+v", e.MDS)
	}
	if e.Name() != "GetMdibResponse" || e.MdibVersion != "17" || e.Location.String() != "HOSP/OR/1" || fmt.Sprint(e.Patients) != "[135769]" || !e.PatientName || e.States != 3 || e.Alerts != 1 {
		t.Errorf("%+v", e)
	}
}

func TestOtherMessages(t *testing.T) {
	env := func(action, body string) *Envelope {
		e, err := Parse([]byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:m="` + NSMessage + `"><s:Header><a:Action>` + action + `</a:Action></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := env(ActionBase+"SetService/Activate", `<m:Activate><m:OperationHandleRef>op.stop</m:OperationHandleRef></m:Activate>`); e.Name() != "Activate" || e.Operation != "op.stop" || !e.IsSDC() {
		t.Errorf("%+v", e)
	}
	if e := env("http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe", `<e:Subscribe xmlns:e="u"><e:Expires>PT60S</e:Expires><e:Filter>`+ActionBase+`StateEventService/EpisodicMetricReport urn:b</e:Filter></e:Subscribe>`); e.Name() != "Subscribe" || len(e.Filter) != 2 || e.Expires != "PT60S" {
		t.Errorf("%+v", e)
	}
	if e := env("http://www.w3.org/2005/08/addressing/fault", `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:Refused</s:Value></s:Subcode></s:Code></s:Fault>`); e.Name() != "Fault" || e.Fault != "Refused" {
		t.Errorf("%+v", e)
	}
	if e := env("http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse", `<x:Metadata xmlns:x="u"><x:MetadataSection><x:ThisDevice><x:FriendlyName>OR table 2</x:FriendlyName><x:FirmwareVersion>4.1</x:FirmwareVersion><x:SerialNumber>77</x:SerialNumber></x:ThisDevice></x:MetadataSection><x:MetadataSection><x:ThisModel><x:Manufacturer>Maquet</x:Manufacturer><x:ModelName>Magnus</x:ModelName></x:ThisModel></x:MetadataSection></x:Metadata>`); e.FriendlyName != "OR table 2" || e.Firmware != "4.1" || e.Serial != "77" || e.Manufacturer != "Maquet" || e.Model != "Magnus" {
		t.Errorf("%+v", e)
	}
	for _, bad := range []string{"", "<a/>", `<Envelope xmlns="u"/>`, `<Envelope/>`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	body := func(s string) *Envelope {
		e, err := Parse([]byte(`<s:Envelope xmlns:s="` + NSEnvelope12 + `" xmlns:d="` + NSDiscovery + `"><s:Body>` + s + `</s:Body></s:Envelope>`))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	match := "<d:ProbeMatch><d:Types>a</d:Types></d:ProbeMatch>"
	if e := body("<d:ProbeMatches>" + strings.Repeat(match, MaxMatches) + "</d:ProbeMatches>"); e.Truncated || len(e.Matches) != MaxMatches {
		t.Errorf("at the edge: %d %v", len(e.Matches), e.Truncated)
	}
	if e := body("<d:ProbeMatches>" + strings.Repeat(match, MaxMatches+1) + "</d:ProbeMatches>"); !e.Truncated || len(e.Matches) != MaxMatches {
		t.Errorf("one past: %d %v", len(e.Matches), e.Truncated)
	}
	if e := body("<d:Hello><d:XAddrs>" + strings.Repeat("http://x ", MaxList+1) + "</d:XAddrs></d:Hello>"); !e.Truncated || len(e.Matches[0].XAddrs) != MaxList {
		t.Errorf("list: %d %v", len(e.Matches[0].XAddrs), e.Truncated)
	}
	if e := body("<d:Hello><a:EndpointReference xmlns:a='u'><a:Address>" + strings.Repeat("x", MaxText+1) + "</a:Address></a:EndpointReference></d:Hello>"); len(e.Matches[0].Endpoint) != MaxText {
		t.Errorf("text of %d", len(e.Matches[0].Endpoint))
	}
}

func FuzzSDC(f *testing.F) {
	f.Add([]byte(hello))
	f.Add([]byte(mdib))
	f.Add([]byte(`<e:Envelope xmlns:e="` + NSEnvelope11 + `"><e:Body><e:Fault><faultcode>e:X</faultcode></e:Fault></e:Body></e:Envelope>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		if len(e.Matches) > MaxMatches || len(e.MDS) > MaxList || len(e.Patients) > MaxList || e.Err != nil && !e.Truncated {
			t.Fatalf("%+v", e)
		}
		for i := range e.Matches {
			m := &e.Matches[i]
			if len(m.Types) > MaxList || len(m.Scopes) > MaxList || len(m.Endpoint) > MaxText+3 {
				t.Fatalf("%+v", m)
			}
			for _, s := range m.Scopes {
				if l, _ := LocationOf(s); len(l.String()) > len(s) {
					t.Fatal("location longer than its scope")
				}
			}
		}
		_ = e.Name()
		again, err := Parse(b)
		if err != nil || fmt.Sprintf("%+v", *again) != fmt.Sprintf("%+v", *e) && e.Err == nil {
			t.Fatal("not the same twice")
		}
	})
}

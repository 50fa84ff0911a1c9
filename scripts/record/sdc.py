#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""IEEE 11073 SDC peers: a service provider (device) and a service consumer, as far as a passive observer can tell.

  sdc.py device ADDRESS PORT KIND [--tls CERT KEY CA] [--bye-after S]     KIND: ventilator, anaesthesia, monitor; Bye after S idle seconds
  sdc.py consumer ADDRESS [--sink PORT] [--reports N] [--tls CERT KEY CA]

WS-Discovery 1.1 over 239.255.255.250:3702 (Hello, Probe, ProbeMatches, Resolve, ResolveMatches, Bye), DPWS 1.1 over HTTP (Get,
GetMetadata, Subscribe, Renew, Unsubscribe, notifications), MDPWS (IEEE 11073-20702) types and BICEPS (IEEE 11073-10207) messages
(GetMdib, GetContextStates, EpisodicMetricReport). Devices and patient are fictional.
"""
import argparse
import http.client
import http.server
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hl7_messages as hl7  # noqa: E402

NS = {
    "s12": "http://www.w3.org/2003/05/soap-envelope", "wsa": "http://www.w3.org/2005/08/addressing",
    "wsd": "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01", "dpws": "http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "wsx": "http://schemas.xmlsoap.org/ws/2004/09/mex", "wse": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "mdpws": "http://standards.ieee.org/downloads/11073/11073-20702-2016",
    "sdc": "http://standards.ieee.org/downloads/11073/11073-20701-2018",
    "msg": "http://standards.ieee.org/downloads/11073/11073-10207-2017/message",
    "pm": "http://standards.ieee.org/downloads/11073/11073-10207-2017/participant",
    "ext": "http://standards.ieee.org/downloads/11073/11073-10207-2017/extension",
}
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
SERVICE = "http://standards.ieee.org/downloads/11073/11073-20701-2018/"
GROUP = ("239.255.255.250", 3702)
# A code of IEEE 11073-10101 has no system; what has no code there that could be verified has one of the maker's own and its words.
OWN_CODES = "urn:oid:2.25.116473296103926283711105446318441013127"
KINDS = {  # name: manufacturer, model, serial, firmware, UDI device identifier, MDS (system, code, words), metric code, unit, value
    "ventilator": ("Draeger (fictional)", "Evita (fictional)", "FICT-VENT-7", "2.30", hl7.VENT_DI,
                   ("", "70001", "Ventilator"), "151586", "264928", "14"),
    "anaesthesia": ("Draeger (fictional)", "Perseus (fictional)", "FICT-ANAE-3", "3.01", hl7.gtin("0952000000048"),
                    (OWN_CODES, "anaesthesia-workstation", "Anaesthesia workstation"), "151708", "266016", "38"),
    "monitor": ("Philips Healthcare (fictional)", "MX800 (fictional)", "FICT-MON-9", "P.01", hl7.MONITOR_DI,
                ("", "69965", "Multi-parameter patient monitor"), "147842", "264864", "72"),
}
TYPES = "dpws:Device mdpws:MedicalDevice"
SCOPES = ("sdc.ctxt.loc:/sdc.ctxt.loc.detail/LINDENHOF%2F%2FOR%2F%2FOR3%2F1?fac=LINDENHOF&amp;poc=OR&amp;rm=OR3&amp;bed=1 "
          "sdc.mds.pkp:1.2.840.10004.20701.1.1 sdc.cdc.type:/{0}//{1}")


def envelope(action, body, to="", relates="", extra=""):
    head = f"<wsa:Action>{action}</wsa:Action><wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID>"
    head += (f"<wsa:To>{to}</wsa:To>" if to else "") + (f"<wsa:RelatesTo>{relates}</wsa:RelatesTo>" if relates else "") + extra
    spaces = "".join(f' xmlns:{k}="{v}"' for k, v in NS.items())
    return (f'<?xml version="1.0" encoding="UTF-8"?><s12:Envelope{spaces}><s12:Header>{head}</s12:Header>'
            f"<s12:Body>{body}</s12:Body></s12:Envelope>").encode()


def field(xml, name):
    m = re.search(rb"<(?:\w+:)?" + name.encode() + rb"[^>]*>([^<]*)<", xml)
    return m.group(1).decode().strip() if m else ""


def multicast(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    return s


def discovery(name):
    return "urn:docs-oasis-open-org:ws-dd:ns:discovery:2009:01" if name == "to" else NS["wsd"] + "/" + name


def measured(value):
    return f'<pm:MetricValue Value="{value}"><pm:MetricQuality Validity="Vld"/></pm:MetricValue>'


class Device:
    def __init__(self, o):
        self.o, self.kind = o, KINDS[o.kind]
        self.epr = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_DNS, self.kind[2]))
        self.url = f"{'https' if o.tls else 'http'}://{o.address}:{o.port}/{self.epr[9:]}"
        self.sequence = 0
        self.scopes = SCOPES.format(urllib.parse.quote(self.kind[5][0], safe=""), self.kind[5][1])
        self.sinks = {}

    def target(self):
        return (f"<wsa:EndpointReference><wsa:Address>{self.epr}</wsa:Address></wsa:EndpointReference><wsd:Types>{TYPES}</wsd:Types>"
                f"<wsd:Scopes>{self.scopes}</wsd:Scopes><wsd:XAddrs>{self.url}</wsd:XAddrs>"
                "<wsd:MetadataVersion>1</wsd:MetadataVersion>")

    def app(self):
        self.sequence += 1
        return f'<wsd:AppSequence InstanceId="1768200000" MessageNumber="{self.sequence}"/>'

    def announce(self, what):
        body = f"<wsd:{what}>{self.target()}</wsd:{what}>"
        multicast(self.o.address).sendto(envelope(discovery(what), body, discovery("to"), extra=self.app()), GROUP)

    def listen(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", GROUP[1]))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP[0]) + socket.inet_aton(self.o.address))
        while True:
            data, peer = s.recvfrom(65536)
            what = field(data, "Action").rsplit("/", 1)[-1]
            if what == "Probe":
                body = f"<wsd:ProbeMatches><wsd:ProbeMatch>{self.target()}</wsd:ProbeMatch></wsd:ProbeMatches>"
            elif what == "Resolve" and self.epr.encode() in data:
                body = f"<wsd:ResolveMatches><wsd:ResolveMatch>{self.target()}</wsd:ResolveMatch></wsd:ResolveMatches>"
            else:
                continue
            to = "http://www.w3.org/2005/08/addressing/anonymous"
            s.sendto(envelope(discovery(what + "Matches"), body, to, field(data, "MessageID"), self.app()), peer)

    def metadata(self, hosted=True):
        maker, model, serial, firmware = self.kind[:4]
        out = (f'<wsx:MetadataSection Dialect="{NS["dpws"]}/ThisModel"><dpws:ThisModel><dpws:Manufacturer>{maker}</dpws:Manufacturer>'
               "<dpws:ManufacturerUrl>http://example.org/</dpws:ManufacturerUrl>"
               f"<dpws:ModelName>{model}</dpws:ModelName><dpws:ModelNumber>1</dpws:ModelNumber></dpws:ThisModel></wsx:MetadataSection>"
               f'<wsx:MetadataSection Dialect="{NS["dpws"]}/ThisDevice"><dpws:ThisDevice><dpws:FriendlyName>{model} OR 3</dpws:FriendlyName>'
               f"<dpws:FirmwareVersion>{firmware}</dpws:FirmwareVersion><dpws:SerialNumber>{serial}</dpws:SerialNumber></dpws:ThisDevice>"
               f'</wsx:MetadataSection><wsx:MetadataSection Dialect="{NS["dpws"]}/Relationship">'
               f'<dpws:Relationship Type="{NS["dpws"]}/host"><dpws:Hosted><wsa:EndpointReference><wsa:Address>{self.url}/get</wsa:Address>'
               "</wsa:EndpointReference><dpws:Types>sdc:GetService sdc:ContainmentTreeService sdc:StateEventService</dpws:Types>"
               "<dpws:ServiceId>Get</dpws:ServiceId></dpws:Hosted><dpws:Hosted><wsa:EndpointReference>"
               f"<wsa:Address>{self.url}/set</wsa:Address></wsa:EndpointReference><dpws:Types>sdc:SetService</dpws:Types>"
               "<dpws:ServiceId>Set</dpws:ServiceId></dpws:Hosted></dpws:Relationship></wsx:MetadataSection>")
        if not hosted:
            out = ('<wsx:MetadataSection Dialect="http://schemas.xmlsoap.org/wsdl/">'
                   f"<wsx:Location>{self.url}/get/?wsdl</wsx:Location></wsx:MetadataSection>")
        return f"<wsx:Metadata>{out}</wsx:Metadata>"

    def mdib(self):
        maker, model, serial, firmware, di, (system, code, words), metric, unit, value = self.kind
        system = f' CodingSystem="{system}"' if system else ""
        return ('<msg:GetMdibResponse MdibVersion="7" SequenceId="urn:uuid:6f2b1b0a-0000-4000-8000-000000000001"><msg:Mdib MdibVersion="7" '
                'SequenceId="urn:uuid:6f2b1b0a-0000-4000-8000-000000000001"><pm:MdDescription DescriptionVersion="1">'
                f'<pm:Mds Handle="mds0" DescriptorVersion="1" SafetyClassification="MedB"><pm:Type Code="{code}"{system}>'
                f'<pm:ConceptDescription Lang="en">{words}</pm:ConceptDescription></pm:Type>'
                '<pm:ProductionSpecification><pm:SpecType Code="531975"><pm:ConceptDescription Lang="en">Software revision'
                f"</pm:ConceptDescription></pm:SpecType><pm:ProductionSpec>{firmware}</pm:ProductionSpec></pm:ProductionSpecification>"
                "<pm:MetaData>"
                f"<pm:Udi><pm:DeviceIdentifier>{di}</pm:DeviceIdentifier><pm:HumanReadableForm>(01){di}(21){serial}</pm:HumanReadableForm>"
                '<pm:Issuer Root="2.51.1.1" Extension="GS1"/></pm:Udi><pm:LotNumber>LOT-F2</pm:LotNumber>'
                f"<pm:Manufacturer>{maker}</pm:Manufacturer><pm:ModelName>{model}</pm:ModelName><pm:ModelNumber>1</pm:ModelNumber>"
                f"<pm:SerialNumber>{serial}</pm:SerialNumber></pm:MetaData>"
                '<pm:SystemContext Handle="sc0"><pm:PatientContext Handle="pc0"/><pm:LocationContext Handle="lc0"/></pm:SystemContext>'
                '<pm:Vmd Handle="vmd0"><pm:Channel Handle="ch0"><pm:Metric xsi:type="pm:NumericMetricDescriptor" Handle="m0" '
                'MetricCategory="Msrmt" MetricAvailability="Cont" Resolution="1">'
                f'<pm:Type Code="{metric}"/><pm:Unit Code="{unit}"/></pm:Metric></pm:Channel></pm:Vmd></pm:Mds>'
                '</pm:MdDescription><pm:MdState StateVersion="7">' + self.patient("pm:State") +
                f'<pm:State xsi:type="pm:NumericMetricState" DescriptorHandle="m0">{measured(value)}</pm:State></pm:MdState></msg:Mdib></msg:GetMdibResponse>')

    def patient(self, element):
        return (f'<{element} xsi:type="pm:PatientContextState" DescriptorHandle="pc0" Handle="pc0.s1" ContextAssociation="Assoc">'
                '<pm:Identification Root="2.25.1" Extension="FICT-0001"/><pm:CoreData><pm:Givenname>Petra</pm:Givenname><pm:Familyname>Probe</pm:Familyname>'
                "<pm:Sex>F</pm:Sex><pm:DateOfBirth>1970-01-01</pm:DateOfBirth></pm:CoreData>" f"</{element}>")

    def answer(self, data):
        action = field(data, "Action")
        what = action.rsplit("/", 1)[-1]
        if action == TRANSFER + "Get":
            return TRANSFER + "GetResponse", self.metadata()
        if what == "Request":  # http://schemas.xmlsoap.org/ws/2004/09/mex/GetMetadata/Request
            return NS["wsx"] + "/GetMetadata/Response", self.metadata(False)
        if what == "GetMdib":
            return SERVICE + "GetService/GetMdibResponse", self.mdib()
        if what == "GetContextStates":
            return SERVICE + "ContextService/GetContextStatesResponse", (
                '<msg:GetContextStatesResponse MdibVersion="7" SequenceId="urn:uuid:6f2b1b0a-0000-4000-8000-000000000001">'
                + self.patient("msg:ContextState") + "</msg:GetContextStatesResponse>")
        if what == "Subscribe":
            sink = re.search(rb"<wse:NotifyTo><wsa:Address>([^<]*)<", data).group(1).decode()
            ident = str(uuid.uuid4())
            self.sinks[ident] = sink
            return NS["wse"] + "/SubscribeResponse", (
                f"<wse:SubscribeResponse><wse:SubscriptionManager><wsa:Address>{self.url}/subscription/{ident}</wsa:Address>"
                "</wse:SubscriptionManager><wse:Expires>PT1H</wse:Expires></wse:SubscribeResponse>")
        if what == "Renew":
            return NS["wse"] + "/RenewResponse", "<wse:RenewResponse><wse:Expires>PT1H</wse:Expires></wse:RenewResponse>"
        if what == "Unsubscribe":
            self.sinks.clear()
            return NS["wse"] + "/UnsubscribeResponse", ""
        return NS["wsa"] + "/fault", "<s12:Fault><s12:Code><s12:Value>s12:Sender</s12:Value></s12:Code></s12:Fault>"

    def notify(self, n):
        for sink in list(self.sinks.values()):
            body = (f'<msg:EpisodicMetricReport MdibVersion="{7 + n}" SequenceId="urn:uuid:6f2b1b0a-0000-4000-8000-000000000001">'
                    f'<msg:ReportPart><msg:MetricState xsi:type="pm:NumericMetricState" DescriptorHandle="m0" StateVersion="{n}">'
                    f"{measured(self.kind[8])}</msg:MetricState></msg:ReportPart></msg:EpisodicMetricReport>")
            post(sink, envelope(SERVICE + "StateEventService/EpisodicMetricReport", body, sink), self.o.tls)


def context(tls, server):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.load_cert_chain(tls[0], tls[1])
    c.load_verify_locations(tls[2])
    c.verify_mode = ssl.CERT_REQUIRED
    c.check_hostname = False if not server else c.check_hostname
    return c


def post(url, data, tls):
    m = re.match(r"https?://([^:/]+):(\d+)(/.*)?", url)
    if tls:
        conn = http.client.HTTPSConnection(m[1], int(m[2]), context=context(tls, False))
    else:
        conn = http.client.HTTPConnection(m[1], int(m[2]))
    conn.request("POST", m[3] or "/", data, {"Content-Type": "application/soap+xml; charset=utf-8", "User-Agent": "SdcRecorder/1.0"})
    out = conn.getresponse().read()
    conn.close()
    return out


def serve(address, port, tls, answer, banner):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version, server_version, sys_version = "HTTP/1.1", banner, ""

        def do_POST(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            got = answer(data)
            self.send_response(202 if got is None else 200)
            body = b"" if got is None else envelope(got[0], got[1], relates=field(data, "MessageID"))
            self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if tls:
        server.socket = context(tls, True).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def device(o):
    d = Device(o)
    done = threading.Event()
    reports, last = [0], [time.monotonic()]

    def answer(data):
        last[0] = time.monotonic()
        got = d.answer(data)
        if b"/Subscribe<" in data:
            def run():
                while d.sinks and not done.wait(0.3):
                    reports[0] += 1
                    try:
                        d.notify(reports[0])
                    except OSError:
                        d.sinks.clear()
            threading.Thread(target=run, daemon=True).start()
        return got

    threading.Thread(target=d.listen, daemon=True).start()
    serve(o.address, o.port, o.tls, answer, "SDC-Provider/1.0")
    d.announce("Hello")
    while time.monotonic() - last[0] < o.bye_after:
        time.sleep(0.1)
    done.set()
    d.announce("Bye")


def consumer(o):
    s = multicast(o.address)
    s.bind((o.address, 0))
    s.settimeout(3)
    s.sendto(envelope(discovery("Probe"), f"<wsd:Probe><wsd:Types>{TYPES}</wsd:Types></wsd:Probe>", discovery("to")), GROUP)
    found = {}
    s.settimeout(1)
    try:
        while True:
            data = s.recv(65536)
            found[field(data, "Address")] = field(data, "XAddrs")
    except socket.timeout:
        pass
    got, enough = [0], threading.Event()

    def sink(data):
        got[0] += 1
        if got[0] >= o.reports:
            enough.set()

    serve(o.address, o.sink, o.tls, sink, "SDC-Consumer/1.0")
    for epr, url in sorted(found.items()):
        body = f"<wsd:Resolve><wsa:EndpointReference><wsa:Address>{epr}</wsa:Address></wsa:EndpointReference></wsd:Resolve>"
        s.sendto(envelope(discovery("Resolve"), body, discovery("to")), GROUP)
        s.recv(65536)
        post(url, envelope(TRANSFER + "Get", "", epr), o.tls)
        post(url + "/get", envelope(NS["wsx"] + "/GetMetadata/Request", "<wsx:GetMetadata/>", url), o.tls)
        post(url + "/get", envelope(SERVICE + "GetService/GetMdib", "<msg:GetMdib/>", url), o.tls)
        post(url + "/get", envelope(SERVICE + "ContextService/GetContextStates", "<msg:GetContextStates/>", url), o.tls)
        enough.clear()
        got[0] = 0
        here = f"{'https' if o.tls else 'http'}://{o.address}:{o.sink}/sink"
        data = post(url + "/get", envelope(NS["wse"] + "/Subscribe", (
            f'<wse:Subscribe><wse:Delivery Mode="{NS["wse"]}/DeliveryModes/Push"><wse:NotifyTo><wsa:Address>{here}</wsa:Address></wse:NotifyTo>'
            f'</wse:Delivery><wse:Expires>PT1H</wse:Expires><wse:Filter Dialect="{NS["dpws"]}/Action">'
            f"{SERVICE}StateEventService/EpisodicMetricReport</wse:Filter></wse:Subscribe>"), url), o.tls)
        manager = re.search(rb"<wse:SubscriptionManager><wsa:Address>([^<]*)<", data).group(1).decode()
        enough.wait(10)
        post(manager, envelope(NS["wse"] + "/Renew", "<wse:Renew><wse:Expires>PT1H</wse:Expires></wse:Renew>", manager), o.tls)
        post(manager, envelope(NS["wse"] + "/Unsubscribe", "<wse:Unsubscribe/>", manager), o.tls)
    print("found", sorted(found.values()))


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="side", required=True)
    a, b = sub.add_parser("device"), sub.add_parser("consumer")
    for x in (a, b):
        x.add_argument("address")
        x.add_argument("--tls", nargs=3)
    a.add_argument("port", type=int)
    a.add_argument("kind", choices=KINDS)
    a.add_argument("--bye-after", type=float, default=3600)
    b.add_argument("--sink", type=int, default=9999)
    b.add_argument("--reports", type=int, default=3)
    o = p.parse_args()
    device(o) if o.side == "device" else consumer(o)


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A FHIR-shaped server: fhir.py PORT [--tls CERT KEY]. R4 resources of fictional people and devices, JSON and XML, a Bundle search,
creation, a batch, bulk export's kick-off, 401 without a bearer token on Patient when --token is given. Not a FHIR server."""
import argparse
import http.server
import json
import os
import ssl
import sys
from urllib.parse import parse_qs, urlparse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hl7_messages as hl7  # noqa: E402

DEVICE = {
    "resourceType": "Device", "id": "pump-21", "status": "active", "manufacturer": "ICU Medical (fictional)", "serialNumber": "FICT-PUMP-21",
    "modelNumber": "Plum 360 (fictional)", "udiCarrier": [{"deviceIdentifier": hl7.PUMP_DI, "issuer": "http://hl7.org/fhir/NamingSystem/gs1-di",
                                                            "carrierHRF": f"(01){hl7.PUMP_DI}(11)240101(21)FICT-PUMP-21"}],
    "deviceName": [{"name": "Plum 360 (fictional)", "type": "model-name"}], "version": [{"value": "15.11.00"}],
    "location": {"reference": "Location/or3", "display": "OR 3"},
}
PATIENT = {"resourceType": "Patient", "id": "petra", "identifier": [{"system": "urn:oid:2.25.1", "value": "FICT-0001"}],
           "name": [{"family": "Probe", "given": ["Petra"]}], "gender": "female", "birthDate": "1970-01-01"}
CAPABILITY = {"resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-12", "kind": "instance", "fhirVersion": "4.0.1",
              "format": ["json", "xml"], "software": {"name": "Lindenhof EHR (fictional)", "version": "7.3"},
              "implementation": {"description": "Lindenhof University Hospital (fictional)"},
              "rest": [{"mode": "server", "security": {"service": [{"coding": [{"code": "SMART-on-FHIR"}]}]},
                        "resource": [{"type": t} for t in ("Patient", "Device", "Observation", "Appointment")]}]}


def xml(resource):
    def element(name, v):
        if isinstance(v, list):
            return "".join(element(name, x) for x in v)
        if isinstance(v, dict):
            return f"<{name}>" + "".join(element(k, x) for k, x in v.items()) + f"</{name}>"
        return f'<{name} value="{v}"/>'

    body = "".join(element(k, v) for k, v in resource.items() if k != "resourceType")
    return f'<?xml version="1.0" encoding="UTF-8"?><{resource["resourceType"]} xmlns="http://hl7.org/fhir">{body}</{resource["resourceType"]}>'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version = "HTTP/1.1", "LindenhofFHIR/7.3", ""
    token = None

    def reply(self, status, resource=None, **headers):
        as_xml = "xml" in (self.headers.get("Accept") or "")
        body = b"" if resource is None else (xml(resource) if as_xml else json.dumps(resource)).encode()
        self.send_response(status)
        if body:
            self.send_header("Content-Type", f"application/fhir+{'xml' if as_xml else 'json'};charset=utf-8")
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def outcome(self, status, code):
        self.reply(status, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]})

    def do_GET(self):
        url = urlparse(self.path)
        parts = [p for p in url.path.split("/") if p and p not in ("fhir", "R4")]
        if parts == ["metadata"]:
            self.reply(200, CAPABILITY)
        elif parts[:1] == [".well-known"]:
            self.reply(200, {"resourceType": "Basic", "authorization_endpoint": "https://ehr.lindenhof.example/auth"})
        elif self.token and self.headers.get("Authorization") != "Bearer " + self.token:
            self.reply(401, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]},
                       WWW_Authenticate='Bearer realm="Lindenhof (fictional)"')
        elif parts[-1:] == ["$export"]:
            self.reply(202, Content_Location="http://ehr.lindenhof.example/fhir/R4/bulkstatus/1")
        elif parts == ["Device", "pump-21"]:
            self.reply(200, DEVICE, ETag='W/"3"')
        elif parts == ["Patient"]:
            found = [PATIENT] if parse_qs(url.query) else []
            self.reply(200, {"resourceType": "Bundle", "type": "searchset", "total": len(found),
                             "entry": [{"fullUrl": "http://ehr.lindenhof.example/fhir/R4/Patient/petra", "resource": r} for r in found]})
        else:
            self.outcome(404, "not-found")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            resource = json.loads(body)
        except ValueError:
            return self.outcome(400, "structure")
        if resource.get("resourceType") == "Bundle":
            return self.reply(200, {"resourceType": "Bundle", "type": "batch-response",
                                    "entry": [{"response": {"status": "201"}} for _ in resource.get("entry", [])]})
        resource["id"] = "new-1"
        self.reply(201, resource, Location="http://ehr.lindenhof.example/fhir/R4/Observation/new-1/_history/1")

    def log_message(self, *a):
        pass


def main():
    p = argparse.ArgumentParser()
    p.add_argument("port", type=int)
    p.add_argument("--token")
    p.add_argument("--tls", nargs=2)
    o = p.parse_args()
    Handler.token = o.token
    server = http.server.ThreadingHTTPServer(("", o.port), Handler)
    if o.tls:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(*o.tls)
        server.socket = c.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()

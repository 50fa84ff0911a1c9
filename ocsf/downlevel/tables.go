// SPDX-License-Identifier: Apache-2.0

package downlevel

import "slices"

// The tables hold what OCSF 1.1.0 has of what Asepsis emits or may emit; 1.3.0
// has all of it. They are never written to.

const categoryNetwork = 4

// base is what every class has.
var base = []string{
	"activity_id", "activity_name", "category_name", "category_uid", "class_name", "class_uid", "count", "duration", "end_time",
	"enrichments", "message", "metadata", "observables", "raw_data", "severity", "severity_id", "start_time", "status", "status_code",
	"status_detail", "status_id", "time", "timezone_offset", "type_name", "type_uid", "unmapped",
}

// network is what the classes of the network category have besides.
var network = []string{"app_name", "connection_info", "dst_endpoint", "src_endpoint", "tls", "traffic"}

// since1_3 came to the network category with 1.3.0.
var since1_3 = []string{"ja4_fingerprint_list"}

type classOf struct {
	network    bool
	attributes []string
}

func net(own ...string) classOf {
	return classOf{network: true, attributes: slices.Concat(network, own)}
}

// classes are those of the core that Asepsis emits. All are in 1.1.0.
var classes = map[int64]classOf{
	4001: net("url"),
	4002: net("http_cookies", "http_request", "http_response"),
	4003: net("answers", "query", "query_time", "rcode", "rcode_id", "response_time"),
	4004: net("is_renewal", "lease_dur", "relay", "transaction_uid"),
	4005: net("capabilities", "certificate_chain", "identifier_cookie", "protocol_ver", "remote_display", "request", "response"),
	4006: net("client_dialects", "command", "dce_rpc", "dialect", "file", "open_type", "response", "share", "share_type", "share_type_id", "tree_uid"),
	4007: net("auth_type", "auth_type_id", "client_hassh", "protocol_ver", "server_hassh"),
	4008: net("codes", "command", "command_responses", "name", "port", "type"),
	4013: net("delay", "dispersion", "precision", "stratum", "stratum_id", "version"),
}

// activityOther lists the activities that came later.
var activityOther = map[int64][]int64{
	4001: {7},    // Listen, 1.3
	4002: {9},    // Patch
	4005: {7, 8}, // Disconnect, Reconnect, 1.6
}

// objects are the attributes of the objects at a path, from the outside in.
var objects = []struct {
	path       []string
	attributes []string
}{
	{[]string{"metadata"}, []string{
		"correlation_uid", "event_code", "extension", "extensions", "labels", "log_level", "log_name", "log_provider", "log_version", "logged_time",
		"loggers", "modified_time", "original_time", "processed_time", "product", "profiles", "sequence", "tenant_uid", "uid", "version",
	}},
	{[]string{"connection_info"}, []string{
		"boundary", "boundary_id", "direction", "direction_id", "protocol_name", "protocol_num", "protocol_ver", "protocol_ver_id", "session", "tcp_flags", "uid",
	}},
	{[]string{"src_endpoint"}, endpoint},
	{[]string{"dst_endpoint"}, endpoint},
	{[]string{"traffic"}, []string{"bytes", "bytes_in", "bytes_out", "chunks", "chunks_in", "chunks_out", "packets", "packets_in", "packets_out"}},
	{[]string{"tls"}, []string{
		"alert", "certificate", "certificate_chain", "cipher", "client_ciphers", "handshake_dur", "ja3_hash", "ja3s_hash", "key_length", "sans",
		"server_ciphers", "sni", "tls_extension_list", "version",
	}},
	{[]string{"tls", "certificate"}, []string{"created_time", "expiration_time", "fingerprints", "issuer", "serial_number", "subject", "uid", "version"}},
	{[]string{"http_request"}, []string{"args", "http_headers", "http_method", "length", "referrer", "uid", "url", "user_agent", "version", "x_forwarded_for"}},
	{[]string{"http_request", "url"}, []string{"categories", "category_ids", "hostname", "path", "port", "query_string", "resource_type", "scheme", "subdomain", "url_string"}},
	{[]string{"http_response"}, []string{"code", "content_type", "http_headers", "latency", "length", "message", "status"}},
}

var endpoint = []string{
	"domain", "hostname", "hw_info", "instance_uid", "interface_name", "interface_uid", "intermediate_ips", "ip", "location", "mac", "name", "os",
	"port", "proxy_endpoint", "subnet_uid", "svc_name", "type", "type_id", "uid", "vlan_uid", "vpc_uid", "zone",
}

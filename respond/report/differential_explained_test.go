// SPDX-License-Identifier: Apache-2.0

package report

// explanations account for every difference: where tshark reads less or is
// wrong, where the sensor withholds, sums up or says more on purpose.
var explanations = []explanation{
	{"broken.pcap", "dicom", `^- (operation  0 |request .* impl  "" max 0 )`, "Broken on purpose. tshark shows a command that ends within an element, and an association request with an item longer than the PDU, as far as it can read them; the sensor says what is wrong with them."},
	{"dhcpv6.pcap", "dhcpv6", `(RELEASE|INFORMATION-REQUEST) .* fqdn ".*" `, "The client sends its FQDN option in RELEASE and INFORMATION-REQUEST, too, where RFC 4704 §5 does not foresee it. tshark does not read it there, the sensor does."},
	{"dicom-find-.*cancel.pcap|theatre.pcapng", "dicom", `operation C-CANCEL `, "A C-CANCEL request carries no SOP class (PS3.7 §9.3.2.3). The sensor gives that of its presentation context."},
	{"dicom-store-(deflated|small-pdus|syntaxes).pcap|theatre.pcapng", "dicom", `operation C-STORE .* answered (true|false) status 0x0000`, "tshark reads the C-STORE response behind a data set that it put together from fragments, or could not, as a data set (\"Private Tag, incomplete\"), and so does not see the answer. The bytes there are a whole command set: C-STORE-RSP, status 0000H."},
	{"hl7-acks.pcap", "hl7", `^- ack CA `, "In the enhanced mode a message is answered twice: CA when it was taken, AA when it was processed. The sensor's event of the message has the last answer."},
	{"hl7-batch.pcap", "hl7", `^\+ message .* \[FHS BHS MSH`, "tshark does not read batches: it wants MSH first."},
	{"hl7-mllp-send.pcap", "hl7", `message "(ADMIT|ORSCHED|RIS)" `, "The sender leaves out the CR behind the last segment. tshark drops that segment."},
	{"replayed.pcap", "hl7", `message "RIS" `, "The sender leaves out the CR behind the last segment. tshark drops that segment."},
	{"smuggled-segment.pcap", "hl7", `message "RIS" `, "The sender leaves out the CR behind the last segment. tshark drops that segment."},
	{"hl7-pipeline.pcap", "hl7", `^\+ message .* id "Q5"`, "The last message has no end block: the connection ends first. tshark waits for it in vain; the sensor reports the message, and that it is cut."},
	{"theatre.pcapng", "smb", `share .*(protocols|p:[0-9a-f]+) `, "A share may be a person's home: the sensor replaces names that are not known to be none with pseudonyms."},
	{"ngtcp2-v2draft.pcap", "quic", `^\+ `, "tshark 4.0 does not know QUIC version 2 (RFC 9369) and its keys."},
	{"ngtcp2-versionneg.pcap", "quic", `^- `, "The client offers a version that exists only to be refused (RFC 9000 §15). No keys are defined for it; tshark tries those of version 1, which this client happens to use. The sensor reports the negotiation."},
	{"tls-fallback.pcap", "dicom", `^\+ `, "TLS first and clear DICOM then, on the same port: told that the port is TLS, tshark reads it as nothing else."},
	{"dns-tunnel.pcap", "dns", `^[+-] `, "iodine puts octets into names and answers that are no text. The sensor writes them as \\DDD (RFC 4343 §2.1), tshark as they are."},
	{"vnc-tls.pcap", "tls", `^\+ `, "tshark does not follow VeNCrypt into its TLS handshake; told that the port is TLS, it takes the RFB bytes in front for a record."},
}

// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// misread says in plain words what bytes are that are no PDU.
func misread(err error) error {
	switch {
	case errors.Is(err, ul.ErrTLS):
		return &ProtocolError{What: "the peer speaks TLS on a connection for plain DICOM", Err: err,
			hint: "switch TLS on here, or let the peer use the port for plain DICOM"}
	case errors.Is(err, ul.ErrHTTP):
		return &ProtocolError{What: "the peer speaks HTTP on a connection for DICOM", Err: err,
			hint: "this is a DIMSE port; DICOMweb has another"}
	case errors.Is(err, ul.ErrType):
		return &ProtocolError{What: "the peer does not speak DICOM", Err: err, hint: "check address and port"}
	}
	return &ProtocolError{What: "the peer sent a PDU that breaks the standard", Err: err}
}

// answerMistaken tells a peer in its own language that it has the wrong port: a TLS
// client gets an alert, a browser a status. Peers that get a DICOM A-ABORT
// there report garbage, and people search for hours.
func answerMistaken(c net.Conn, err error) {
	switch {
	case errors.Is(err, ul.ErrTLS):
		_, _ = c.Write([]byte{21, 3, 1, 0, 2, 2, 10}) // RFC 8446 §6: fatal, unexpected_message
	case errors.Is(err, ul.ErrHTTP):
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis is a DICOM (DIMSE) port. It does not speak HTTP.\n")
	}
}

// answerPlain tells a peer on a port for TLS that speaks none, where it waits for an answer in clear: DICOM, or HTTP.
func answerPlain(c net.Conn, header [5]byte) {
	switch {
	case isPDU(header):
		_, _ = c.Write(ul.AppendReject(nil, RejectNoReason))
	case isHTTPHeader(header):
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis is a port for DICOM over TLS. It does not speak HTTP.\n")
	}
}

// handshakeError says what went wrong in a TLS handshake. server is this side's role.
func handshakeError(err error, server bool) error {
	var header tls.RecordHeaderError
	var unknown *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &header) && isPDU(header.RecordHeader):
		if server {
			return &ProtocolError{What: "the peer speaks plain DICOM on a port for DICOM over TLS", Err: err,
				hint: "switch TLS on in the peer, or let it use the port for plain DICOM"}
		}
		return &ProtocolError{What: "the peer answered a TLS handshake with plain DICOM", Err: err,
			hint: "that port is for plain DICOM; use the peer's TLS port (2762 by convention) or switch TLS off"}
	case errors.As(err, &header) && isHTTPHeader(header.RecordHeader):
		return &ProtocolError{What: "the peer speaks plain HTTP on a port for DICOM over TLS", Err: err, hint: "check address and port"}
	case errors.As(err, &header):
		return &ProtocolError{What: "the peer does not speak TLS", Err: err, hint: "check address and port, and whether the peer has TLS switched on"}
	case errors.As(err, &unknown):
		return fmt.Errorf("TLS: the peer's certificate is not trusted: %w", err)
	case errors.As(err, &op) && op.Op == "remote error" && strings.HasSuffix(op.Error(), "unexpected message"):
		// What answerMistaken and DCMTK's peers send where TLS was not expected.
		return &ProtocolError{What: "the peer refused TLS", Err: err, hint: "that port may be for plain DICOM"}
	case op != nil && op.Op == "remote error":
		return fmt.Errorf("TLS: the peer refused the handshake: %w", err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		if server {
			return fmt.Errorf("TLS: the peer closed the connection during the handshake: %w", err)
		}
		return &ProtocolError{What: "the peer closed the connection during the TLS handshake", Err: err,
			hint: "the port may be one for plain DICOM, or the peer wants a client certificate"}
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// isPDU reports whether five bytes may be the start of a PDU.
func isPDU(h [5]byte) bool { return h[0] >= 1 && h[0] <= 7 && h[1] == 0 }

func isHTTPHeader(h [5]byte) bool {
	switch string(h[:4]) {
	case "GET ", "POST", "PUT ", "HEAD", "HTTP", "OPTI", "DELE", "PRI ":
		return true
	}
	return false
}

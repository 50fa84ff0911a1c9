// SPDX-License-Identifier: Apache-2.0

// Package remote holds the analysers of remote access (RDP, VNC, Telnet, ADB),
// files (SMB, FTP), directories (LDAP, CLDAP, Kerberos), databases (TDS, MySQL,
// PostgreSQL) and control (Modbus/TCP). The parsers are those of wire/; each
// names its standard.
//
// # What they emit
//
//   - smb: event.SMB for NEGOTIATE, SESSION_SETUP, TREE_CONNECT, CREATE, CLOSE of
//     a file that was read, written, renamed or deleted, and SMB1's DELETE and
//     RENAME; event.Application "dcerpc" BIND for each RPC interface bound on a
//     pipe (interface, transport); at the end "smb" SESSION.
//   - rdp: event.RDP for request, confirm and client data; then TLS takes over.
//   - ftp: event.FTP for the greeting and each command with its final reply.
//   - All others: event.Application.
//
// # Attributes of event.Application
//
//   - smb SESSION: dialect, share, pipe, rpc_interface, ioctl, files_opened,
//     files_created, files_renamed, files_deleted, opens_refused, shares_refused,
//     bytes_read, bytes_written, encrypted_messages.
//   - vnc HANDSHAKE: server_version, client_version, security_offered,
//     security_chosen, vencrypt_subtype, without_authentication, screen,
//     desktop_host.
//   - telnet SESSION: option, terminal_type, login_prompt, password_in_clear, no_password_asked,
//     encrypted, banner, default_credential.
//   - adb CNXN: system_type, product, model, device, authentication ("none",
//     "asked", "key"), feature; OPEN, once a kind: service, with_command,
//     from_device; STLS; SESSION: service, streams_opened, bytes_to_device,
//     bytes_from_device.
//   - modbus, once for each function of a unit: unit, function_code,
//     first_address, quantity, writes, sub_function; device_identification: unit,
//     vendor, product_code, revision, product_name, model; SESSION: requests,
//     writes, exceptions, function ("unit 1 read_coils 3 at 0-15").
//   - ldap and cldap BIND: bind_dn, mechanism, simple_credentials_in_clear;
//     SEARCH, once a shape: base, scope, filter_attribute, requested_attribute,
//     entries; EXTENDED and STARTTLS: oid; others: entry; NETLOGON_PING: domain,
//     forest, domain_controller, netbios_domain, controller_site, client_site;
//     SESSION: <operation>_requests, entries, searches_alike.
//   - kerberos AS-REQ, TGS-REQ (or an answer alone): realm, client, service,
//     etype_offered, pre_authentication, ticket_etype, session_etype, error,
//     weak_encryption.
//   - tds LOGIN: client_encryption, server_encryption, instance, server_version,
//     tls_in_tds, user, application, server_name, library, database,
//     integrated_authentication, password_in_clear.
//   - mysql CONNECT: server_version, mariadb, tls_offered, authentication_plugin,
//     user, database, without_password, program_name, client_name,
//     client_version, client_os.
//   - postgresql SECURE: requested, accepted; STARTUP: user, database,
//     application_name, replication, authentication, sasl_mechanism,
//     password_in_clear, server_version; CANCEL.
//
// # Patients and people
//
// User names are pseudonyms of kind Person; only machine accounts, which end in
// "$", and service principals are in clear. Paths are shown by redactPath,
// distinguished names by redactDN: what may name a person is replaced. Passwords,
// responses, tickets, search values, register values, queries, what is typed and
// what is transferred are never emitted.
//
// # Memory
//
// For each flow at most: SMB, 1.5 MiB when all of its 256 requests and 512 files
// have the longest paths, and 28 KiB of bytes; LDAP, 700 KiB when all of its 64
// requests have the longest filters; MySQL 33 KiB; the others 16 KiB of bytes and
// some KiB of state. What is usual is a few KiB.
//
// # What is not done
//
// Data connections of FTP are not joined to their control connection. Nothing
// behind TLS, SMB3 encryption or a SASL security layer is read; TLS within TDS is
// recognised and ends the reading, as its records are wrapped in packets.
package remote

// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// secrets are what was typed or transferred in the recordings and must not come
// out: user names, passwords, names of files and entries.
var secrets = []string{"petra", "drprobe", "verysecret", "orstaff", "fictional", "nobodyknows", "Probe-Petra", "md5user", "scramuser", "clearuser", "up1", "image1", "report.txt"}

func TestRecordedConversations(t *testing.T) {
	type fact struct {
		attr  device.Attribute
		value string
	}
	for _, tc := range []struct {
		file   string
		apps   string
		events [][]string
		facts  []fact
	}{
		{"smb/smb2.pcap", "smb", [][]string{
			{"SMB dialect 2.1 agreed, signing enabled", "STATUS_SUCCESS"},
			{"with NTLMv2", `"Workstation":"ORWS1"`, `"Domain":"LINDENHOF"`},
			{`"Share":"\\\\127.0.0.1\\archive"`, `"ShareType":"disk"`},
			{"8 bytes written"}, {"3000 bytes read", ".dcm"}, {"renamed to p:"}, {": deleted"}, {"STATUS_OBJECT_NAME_NOT_FOUND"},
			{`{"name":"files_deleted","value":"1"}`, `{"name":"bytes_read","value":"3000"}`},
		}, []fact{{device.AttrHostname, "ORNAS"}, {device.AttrHostname, "ORWS1"}, {device.AttrService, "smb/tcp:445"}, {device.AttrUses, "smb"}}},
		{"smb/smb1-nt1-spnego.pcap", "smb", [][]string{
			{"with NTLMv2", "ORWS1"}, {`"ShareType":"pipe"`}, {"17 bytes read"},
		}, []fact{{device.AttrBanner, "Samba 4.17.12-Debian"}, {device.AttrHostname, "ORNAS"}}},
		{"smb/smb1-nt1.pcap", "smb", [][]string{{"SMB logon refused", "STATUS_INVALID_PARAMETER"}}, []fact{{device.AttrHostname, "ORNAS"}}},
		{"smb/smb311-signed.pcap", "smb", [][]string{{"SMB dialect 3.1.1 agreed"}, {"17 bytes read"}}, nil},
		{"smb/smb311-encrypted.pcap", "smb", [][]string{{"SMB session opened"}, {`{"name":"encrypted_messages","value":"18"}`}}, nil},
		{"smb/smb-refused.pcap", "smb", [][]string{{"SMB logon refused", "STATUS_LOGON_FAILURE"}}, nil},
		{"smb/smb-anonymous-rpc.pcap", "smb", [][]string{{"SMB anonymous session", `"Guest":true`}, {"SMB pipe srvsvc opened"}, {"RPC interface srvsvc bound"}}, nil},
		{"ftp/ftp-clear.pcap", "ftp", [][]string{
			{"FTP logged on as anonymous"}, {"FTP logon refused", "530", `"Cleartext":true`}, {"FTP RETR", "226"}, {"FTP STOR p:", ".txt"}, {"FTP DELE upload/p:", "refused"}, {"FTP PORT", "200"},
		}, []fact{{device.AttrBanner, "(vsFTPd 3.0.3)"}, {device.AttrService, "ftp/tcp:21"}}},
		{"ftp/ftp-auth-tls.pcap", "ftp+tls tls", [][]string{{"FTP AUTH", "234"}, {"TLS handshake"}}, nil},
		{"telnet/telnet-login.pcap", "telnet", [][]string{{"Telnet login with a password in clear refused", `{"name":"terminal_type","value":"XTERM"}`, `{"name":"password_in_clear","value":"true"}`}}, nil},
		{"rdp/rdp-tls.pcap", "rdp+tls", [][]string{{"RDP connection requested with rdp, tls", `"Cookie":"p:`}, {"RDP connection accepted with tls"}}, []fact{{device.AttrService, "rdp/tcp:3389"}}},
		{"rdp/rdp-standard.pcap", "rdp", [][]string{{"connects without TLS", `"ClientBuild":"18363"`}}, nil},
		{"rdp/rdp-nla-refused.pcap", "rdp", [][]string{{"requested with rdp, tls, credssp"}}, nil},
		{"vnc/vnc-none.pcap", "vnc", [][]string{{"VNC session opened without authentication", "320x200"}}, []fact{{device.AttrBanner, "RFB 3.8"}}},
		{"vnc/vnc-auth.pcap", "vnc", [][]string{{"VNC session opened with VNC Authentication"}}, nil},
		{"vnc/vnc-tls.pcap", "vnc+tls", [][]string{{"VNC handshake with TLSVnc"}, {"TLS handshake"}}, nil},
		{"modbus/modbus-pymodbus.pcap", "modbus", [][]string{
			{"Modbus device identified itself", "Lindenhof Klima"}, {"refused: illegal data address"}, {"3 writes, 1 exception"}, {"write_multiple_registers", `{"name":"quantity","value":"3"}`},
		}, []fact{{device.AttrVendor, "Lindenhof Klima"}, {device.AttrModel, "OR-AIR 3"}, {device.AttrFirmware, "2.4"}}},
		{"ldap/ldap-clear.pcap", "ldap", [][]string{
			{"LDAP bind with a password in clear", "simple_credentials_in_clear"}, {"LDAP search returned 1 entry", `"objectClass"`, `"uid"`, `"sn"`, "dc=lindenhof"},
			{"refused: invalidCredentials", "uid=p:"}, {"DIGEST-MD5"}, {"LDAP delete", "uid=p:"},
		}, nil},
		{"ldap/ldap-starttls.pcap", "ldap+tls", [][]string{{"LDAP StartTLS", "1.3.6.1.4.1.1466.20037"}, {"TLS handshake"}}, nil},
		{"kerberos/kerberos.pcap", "kerberos", [][]string{
			{"pre-authentication required"}, {"TGS-REQ for cifs/ornas.lindenhof.example granted with aes256"}, {"TGS-REQ for dicom/pacs.lindenhof.example granted with rc4-hmac", "weak_encryption"},
			{"KDC_ERR_S_PRINCIPAL_UNKNOWN"}, {"KDC_ERR_PREAUTH_FAILED"}, {`"ORWS1$"`},
		}, []fact{{device.AttrHostname, "ORWS1"}, {device.AttrService, "kerberos/tcp:88"}, {device.AttrService, "kerberos/udp:88"}}},
		{"postgresql/postgresql.pcap", "postgresql postgresql+tls", [][]string{
			{"opened with authentication md5"}, {"opened with authentication sasl", "SCRAM-SHA-256"}, {"authentication cleartext", "password_in_clear"}, {"SQLSTATE 28P01"}, {"PostgreSQL TLS accepted"}, {"TLS handshake"},
		}, []fact{{device.AttrBanner, "PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"}, {device.AttrOS, "Debian Linux"}}},
		{"mysql/mariadb.pcap", "mysql mysql+tls", [][]string{{"MySQL session opened in clear", `"mysql_native_password"`}, {"error 1045"}, {"continues in TLS"}, {"TLS handshake"}},
			[]fact{{device.AttrBanner, "MariaDB 10.11.19-MariaDB-0+deb12u1"}}},
		{"tds/freetds.pcap", "tds", [][]string{{"SQL Server login in clear", `"TSQL"`, `"password_in_clear"`, `"ris"`, "p:"}, {"SQL Server login refused: error 18456"}},
			[]fact{{device.AttrBanner, "Microsoft SQL Server 15.0.2000"}, {device.AttrBanner, "Lindenhof SQL (fictional) 15.0.2000"}, {device.AttrHostname, "ORNAS"}, {device.AttrHostname, "ornas"}}},
		{"cldap/samba-dc.pcap", "cldap", [][]string{{"Domain controller ornas.lindenhof.example answered for domain lindenhof.example"}}, []fact{{device.AttrHostname, "ORNAS"}, {device.AttrClass, "server"}}},
		{"adb/adb-quest.pcap", "adb", [][]string{{"ADB connection to Quest 3 without authentication"}},
			[]fact{{device.AttrModel, "Quest 3"}, {device.AttrClass, "xr-headset"}, {device.AttrVendor, "Meta"}, {device.AttrOS, "Android"}}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			s := watch(t, filepath.Join(recorded, tc.file))
			if got := strings.Join(s.apps(), " "); got != tc.apps {
				t.Errorf("the flows are %q, want %q", got, tc.apps)
			}
			for _, words := range tc.events {
				if !s.has(words...) {
					t.Errorf("no event says %q", words)
				}
			}
			for _, f := range tc.facts {
				if !s.knows(f.attr, f.value) {
					t.Errorf("no evidence %s=%s", f.attr, f.value)
				}
			}
			for _, e := range s.events {
				b, _ := json.Marshal(e)
				for _, secret := range secrets {
					if secret != "fictional" && strings.Contains(string(b), secret) {
						t.Errorf("%q came out: %s", secret, b)
					}
				}
			}
			if t.Failed() {
				s.dump(t)
			}
		})
	}
}

func TestOutsideCaptures(t *testing.T) {
	for _, tc := range []struct {
		file, apps string
		events     [][]string
	}{
		{"zeek/smb_smb2readwrite.pcap", "smb", [][]string{{"7000 bytes written"}, {"5 files opened, 16 bytes read"}}},
		{"ndpi/ftp.pcap", "ftp", [][]string{{"FTP logged on as anonymous"}, {"FTP RETR", ".zip"}}},
		{"ndpi/rdp.pcap", "rdp+tls", [][]string{{"accepted with credssp-early-auth"}}},
		{"ndpi/telnet.pcap", "telnet", [][]string{{"Telnet login with a password in clear", "OpenBSD/i386 (oof) (ttyp2)"}}},
		{"ndpi/modbus.pcap", "modbus", [][]string{{"51 requests, 0 writes"}}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			s := watch(t, filepath.Join(outside, tc.file))
			if got := strings.Join(s.apps(), " "); got != tc.apps {
				t.Errorf("the flows are %q, want %q", got, tc.apps)
			}
			for _, words := range tc.events {
				if !s.has(words...) {
					t.Errorf("no event says %q", words)
				}
			}
			if t.Failed() {
				s.dump(t)
			}
		})
	}
}

// tshark lists the values of a field in packets that a filter selects.
func tshark(t *testing.T, file, filter, field string) (out []string) {
	t.Helper()
	bin, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not here")
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("%s is not here", file)
	}
	b, err := exec.Command(bin, "-r", file, "-Y", filter, "-T", "fields", "-e", field, "-E", "occurrence=a").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		for v := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			if v != "" {
				out = append(out, v)
			}
		}
	}
	return out
}

// sum adds up an attribute of all events of an operation.
func (s *seen) sum(operation, name string) (n int) {
	for _, e := range s.events {
		if a, ok := e.Detail.(*event.Application); ok && a.Operation == operation {
			for _, kv := range a.Attributes {
				if kv.Name == name {
					v, _ := strconv.Atoi(kv.Value)
					n += v
				}
			}
		}
	}
	return n
}

func (s *seen) count(pick func(*event.Event) bool) (n int) {
	for _, e := range s.events {
		if pick(e) {
			n++
		}
	}
	return n
}

func TestCountsAreThoseOfTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("tshark takes its time")
	}
	for _, f := range []string{"smb/smb2.pcap"} {
		file := filepath.Join(recorded, f)
		s := watch(t, file)
		if got, want := s.sum("SESSION", "files_opened"), len(tshark(t, file, "smb2.cmd==5 && smb2.flags.response==1 && smb2.nt_status==0", "smb2.msg_id")); got != want {
			t.Errorf("%s: %d files opened, tshark counts %d", f, got, want)
		}
		read := 0
		for _, v := range tshark(t, file, "smb2.cmd==8 && smb2.flags.response==1 && smb2.nt_status==0", "smb2.olb.length") {
			n, _ := strconv.Atoi(v)
			read += n
		}
		if got := s.sum("SESSION", "bytes_read"); got != read {
			t.Errorf("%s: %d bytes read, tshark counts %d", f, got, read)
		}
	}
	file := filepath.Join(recorded, "ftp/ftp-clear.pcap")
	s := watch(t, file)
	var verbs []string
	for _, e := range s.events {
		if d, ok := e.Detail.(*event.FTP); ok && d.Command != "GREETING" {
			verbs = append(verbs, d.Command)
		}
	}
	want := tshark(t, file, "ftp.request", "ftp.request.command")
	want = slices.DeleteFunc(want, func(v string) bool { return v == "QUIT" }) // of which the answer may be lost in the close
	verbs = slices.DeleteFunc(verbs, func(v string) bool { return v == "QUIT" })
	slices.Sort(verbs)
	slices.Sort(want)
	if !slices.Equal(verbs, want) {
		t.Errorf("FTP commands\n%v, tshark has\n%v", verbs, want)
	}
	file = filepath.Join(recorded, "modbus/modbus-pymodbus.pcap")
	if got, want := watch(t, file).sum("SESSION", "requests"), len(tshark(t, file, "modbus && tcp.dstport==502", "mbtcp.trans_id")); got != want {
		t.Errorf("%d Modbus requests, tshark counts %d", got, want)
	}
	file = filepath.Join(recorded, "kerberos/kerberos.pcap")
	got := watch(t, file).count(func(e *event.Event) bool { return e.StatusCode != "" })
	if want := len(tshark(t, file, "kerberos.msg_type==30", "kerberos.error_code")); got != want {
		t.Errorf("%d Kerberos errors, tshark counts %d", got, want)
	}
	file = filepath.Join(recorded, "ldap/ldap-clear.pcap")
	if got, want := watch(t, file).sum("SESSION", "bind_requests"), len(tshark(t, file, "ldap.protocolOp==0", "ldap.messageID")); got != want {
		t.Errorf("%d LDAP binds, tshark counts %d", got, want)
	}
}

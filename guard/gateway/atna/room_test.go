// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/wire/atna"
	"github.com/asepsis/asepsis/wire/syslog"
)

func TestMessagesArriveInOrder(t *testing.T) {
	p, dial := newRepository(t)
	r := newRoom(t, quick(p.addr), t.TempDir(), dial)
	stop := runs(t, r)
	for n := range 500 {
		if err := r.Transferred(transfer(n)); err != nil {
			t.Fatal(err)
		}
	}
	identitytest.Wait(t, "the lag to end", func() bool { s := r.Status(); return s.State == "ok" && s.Lag == 0 })
	stop()
	identitytest.Wait(t, "the last message", func() bool { return p.has("Application Stop") == 1 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) != 502 || !strings.Contains(p.got[0], "Application Start") {
		t.Fatalf("%d messages, the first %s", len(p.got), p.got[0])
	}
	for n := range 500 {
		if !strings.Contains(p.got[n+1], fmt.Sprintf(`ParticipantObjectID="1.2.3.%d.9"`, n)) {
			t.Fatalf("message %d is %s", n, p.got[n+1])
		}
	}
	m, err := syslog.Parse([]byte(p.got[1]))
	if err != nil || m.Facility != 10 || m.Severity != 5 || m.App != "gateway-or-3" || m.MessageID != "DICOM+RFC3881" || !m.Audit || m.Process != fmt.Sprint(os.Getpid()) {
		t.Errorf("%+v, %v", m, err)
	}
	if strings.Contains(p.got[1], "FICT-0001") || strings.Contains(p.got[1], "Petra") || strings.Contains(p.got[1], "ACC-1") || !strings.Contains(p.got[1], "ps-patient") || !strings.Contains(p.got[1], "ps-accession") {
		t.Errorf("pseudonyms: %s", p.got[1])
	}
}

func TestARepositoryThatGoesAndComes(t *testing.T) {
	p, dial := newRepository(t)
	dir := t.TempDir()
	r := newRoom(t, quick(p.addr), dir, dial)
	stop := runs(t, r)
	send := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			if err := r.Transferred(transfer(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, 50)
	identitytest.Wait(t, "the first messages", func() bool { return p.has("1.2.3.49.9") > 0 })
	p.stop()
	send(50, 100)
	identitytest.Wait(t, "the outage to be known", func() bool { s := r.Status(); return s.State == "degraded" && s.Lag >= 50 && s.Hint != "" })
	// What waits survives a restart of the gateway.
	stop()
	r = newRoom(t, quick(p.addr), dir, dial)
	if lag := r.Status().Lag; lag < 50 {
		t.Errorf("%d messages wait after the restart", lag)
	}
	runs(t, r)
	send(100, 150)
	p.start()
	identitytest.Wait(t, "everything to be delivered", func() bool { s := r.Status(); return s.State == "ok" && s.Lag == 0 })
	for n := range 150 {
		if p.has(fmt.Sprintf("\"1.2.3.%d.9\"", n)) == 0 {
			t.Errorf("message %d is lost", n)
		}
	}
}

func TestAConnectionThatBreaksLosesNothing(t *testing.T) {
	p, dial := newRepository(t)
	c := quick(p.addr)
	c.Settle = 500 * time.Millisecond // what is in the hands of the repository's machine it reads by then
	r := newRoom(t, c, t.TempDir(), dial)
	runs(t, r)
	var group sync.WaitGroup
	group.Go(func() {
		for n := range 300 {
			if err := r.Transferred(transfer(n)); err != nil {
				t.Error(err)
			}
			if n%50 == 25 {
				p.stop()
				p.start()
			}
		}
	})
	group.Wait()
	identitytest.Wait(t, "everything to be delivered", func() bool { return r.Status().Lag == 0 })
	for n := range 300 {
		if p.has(fmt.Sprintf("\"1.2.3.%d.9\"", n)) == 0 {
			t.Errorf("message %d is lost", n)
		}
	}
}

func TestAFullSpoolKeepsTheOldestAndTellsTheLoss(t *testing.T) {
	p, dial := newRepository(t)
	p.stop()
	c := quick(p.addr)
	c.SpoolBytes = 64 << 10
	dir := t.TempDir()
	r := newRoom(t, c, dir, dial)
	stop := runs(t, r)
	kept, lost := 0, 0
	for n := range 200 {
		switch err := r.Transferred(transfer(n)); {
		case err == nil && lost == 0:
			kept++
		case errors.Is(err, ErrFull):
			lost++
		case err != nil:
			t.Fatal(err)
		}
	}
	if lost < 100 || kept < 20 {
		t.Fatalf("%d kept, %d lost", kept, lost)
	}
	if s := r.Status(); s.State != "down" || !strings.Contains(s.Why, "full") {
		t.Errorf("%+v", s)
	}
	if r.Ready() == nil {
		t.Error("it says that it is ready")
	}
	stop()
	// The count survives a restart; the message that the application stops was lost too.
	r = newRoom(t, c, dir, dial)
	runs(t, r)
	p.start()
	identitytest.Wait(t, "the loss to be told", func() bool { return p.has("Audit Recording Stopped") == 1 })
	identitytest.Wait(t, "everything to be delivered", func() bool { s := r.Status(); return s.State == "ok" && s.Lag == 0 })
	for n := range kept {
		if p.has(fmt.Sprintf("\"1.2.3.%d.9\"", n)) != 1 {
			t.Errorf("message %d arrived %d times", n, p.has(fmt.Sprintf("\"1.2.3.%d.9\"", n)))
		}
	}
	// There is room again, and again: what is delivered does not stay.
	for n := range 200 {
		identitytest.Wait(t, "room", func() bool { return r.Transferred(transfer(1000+n)) == nil })
	}
}

func TestADeafRepositoryIsNoticed(t *testing.T) {
	p, dial := newRepository(t)
	p.stop()
	p.deaf = true
	p.start()
	c := quick(p.addr)
	c.Timeout = 200 * time.Millisecond
	r := newRoom(t, c, t.TempDir(), dial)
	runs(t, r)
	identitytest.Wait(t, "the outage to be known", func() bool {
		s := r.Status()
		return s.State == "degraded" && s.Lag > 0 && s.Why != "not connected yet"
	})
}

func TestARepositoryThatIsSomebodyElse(t *testing.T) {
	p, _ := newRepository(t)
	_, dial := newRepository(t) // of another site
	r := newRoom(t, quick(p.addr), t.TempDir(), dial)
	runs(t, r)
	identitytest.Wait(t, "the refusal", func() bool {
		s := r.Status()
		return s.State != "ok" && strings.Contains(s.Why, p.addr) && s.Hint != ""
	})
	if len(p.got) != 0 {
		t.Error("messages went to another site's repository")
	}
}

// TestRsyslogReceives sends to a real syslog server over mutual TLS, as a repository with a PKI of its own.
func TestRsyslogReceives(t *testing.T) {
	for _, program := range []string{"rsyslogd", "xmllint"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("peer missing: %s", program)
		}
	}
	if m, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(m) == 0 {
		t.Skip("peer missing: rsyslog-gnutls")
	}
	repo, _ := newRepository(t)
	repo.stop()
	cert, key := pairFiles(t, repo.cert)
	site := repo.site
	ca := writePEM(t, "ca.pem", pemOf(site.Root().Raw), pemOf(site.Issuing()[0].Raw))
	_, own := site.Issue(t, "dicom-node", "gateway-or-3")
	ownCert, ownKey := pairFiles(t, own)
	port := gatewaytest.FreePort(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "rsyslog.conf")
	out := filepath.Join(dir, "out.log")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `global(workDirectory=%q maxMessageSize="64k" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q)
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="raw" type="string" string="%%syslogfacility-text%%.%%syslogseverity-text%%|%%hostname%%|%%app-name%%|%%msgid%%|%%msg%%\n")
input(type="imtcp" port=%q address="127.0.0.1" ruleset="audit")
ruleset(name="audit") { action(type="omfile" file=%q template="raw") }
`, dir, ca, cert, key, port, out), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("rsyslogd said:\n%s", said.String())
		}
	})
	c := quick("localhost:" + port)
	c.CAFile, c.CertFile, c.Patients = ca, ownCert, Clear
	c.KeyFile = secretFile(ownKey)
	c.Host = "gateway-or-3.st-example.internal"
	r := newRoom(t, c, t.TempDir(), nil)
	runs(t, r)
	for n := range 100 {
		if err := r.Transferred(transfer(n)); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	identitytest.Wait(t, "rsyslog to write everything", func() bool {
		b, _ := os.ReadFile(out)
		lines = strings.Split(strings.TrimSpace(string(b)), "\n")
		return len(lines) >= 101
	})
	for n, line := range lines[1:101] {
		part := strings.SplitN(line, "|", 5)
		if len(part) != 5 || part[0] != "authpriv.notice" || part[1] != c.Host || part[2] != "gateway-or-3" || part[3] != "DICOM+RFC3881" || !strings.Contains(part[4], fmt.Sprintf("1.2.3.%d.9", n)) {
			t.Fatalf("line %d: %s", n, line)
		}
		if n == 0 {
			lint(t, []byte(part[4][strings.Index(part[4], "<?xml"):]))
			if !strings.Contains(line, "FICT-0001^^^St&amp;Example") || !strings.Contains(line, "Fictional^Petra") || strings.Contains(line, "ps-patient") {
				t.Errorf("in clear: %s", line)
			}
		}
	}
}

// lint checks a document against the standard's schema.
func lint(t *testing.T, doc []byte) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("peer missing: xmllint")
	}
	path := filepath.Join(t.TempDir(), "message.xml")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "xmllint", "--nonet", "--noout", "--relaxng", "../../../wire/atna/testdata/audit.rng", path).CombinedOutput(); err != nil {
		t.Errorf("%s\n%s", out, doc)
	}
}

func TestEveryEventFollowsTheSchema(t *testing.T) {
	r := newRoom(t, quick("127.0.0.1:1"), t.TempDir(), nobody)
	nurse := Actor{ID: "biomed", Name: "A Person (fictional)", Address: "10.1.1.1"}
	gateway := Node{ID: "gateway-or-3", Address: "10.0.0.2"}
	tr := transfer(1)
	begin, again, many := tr, tr, tr
	begin.Begin, again.Again, again.Outcome, again.Why = true, true, atna.MinorFailure, "2 of 3 were refused"
	many.Studies = make([]Study, 20)
	for i := range many.Studies {
		many.Studies[i].SOPClasses = make([]atna.SOPClass, 40)
	}
	for name, c := range map[string]struct {
		event interface{ message(*Room) atna.Message }
		code  string
	}{
		"a transfer":                {tr, "110104"},
		"the beginning of one":      {begin, "110102"},
		"one that failed in part":   {again, "110104"},
		"one of many studies":       {many, "110104"},
		"a look at a header":        {Access{Action: atna.Read, Who: nurse, Where: gateway, Studies: tr.Studies, Patient: tr.Patient}, "110103"},
		"a study deleted":           {Access{Action: atna.Delete, Study: true, Who: nurse, Where: gateway, Studies: tr.Studies, Patient: tr.Patient}, "110105"},
		"an export":                 {Media{Who: nurse, By: gateway, Where: "file:///export", Studies: tr.Studies, Patient: tr.Patient}, "110106"},
		"an import":                 {Media{Import: true, Who: nurse, By: gateway, Where: "a disc", Studies: tr.Studies, Patient: tr.Patient}, "110107"},
		"a node that appears":       {Entry{Node: gateway}, "110108"},
		"a node that leaves":        {Entry{Node: gateway, Detach: true}, "110108"},
		"a query":                   {Asked{From: tr.From, To: tr.To, SOPClass: "1.2.840.10008.5.1.4.1.2.2.1", Keys: []string{"PatientID", "StudyDate"}, Matches: 3}, "110112"},
		"a query over the web":      {Asked{From: tr.From, To: tr.To, SOPClass: "/studies", Keys: []string{"PatientID"}}, "110112"},
		"a failed authentication":   {Alert{Kind: atna.NodeAuthentication, Outcome: atna.SeriousFailure, Reporter: gateway, Subject: "10.0.0.9", Description: "unknown certificate"}, "110113"},
		"a release from quarantine": {Alert{Kind: atna.RestrictedFunction, Reporter: gateway, By: &nurse, Subject: "1.2.3", Description: "released"}, "110113"},
		"a log-in":                  {Session{Who: nurse, Where: gateway}, "110114"},
		"a log-out":                 {Session{Logout: true, Who: nurse, Where: gateway}, "110114"},
		"a look at the audit log":   {LogUse{Who: nurse, URI: "urn:asepsis:ledger"}, "110101"},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.event.message(r)
			m.Source = atna.Source{ID: "gateway-or-3"}
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
			doc := atna.Append(nil, &m)
			lint(t, doc)
			if !strings.Contains(string(doc), `csd-code="`+c.code+`"`) {
				t.Errorf("it is no %s: %s", c.code, doc)
			}
			if strings.Contains(string(doc), "Petra") || strings.Contains(string(doc), "FICT-0001") {
				t.Errorf("a patient in clear: %s", doc)
			}
			if len(doc) > 20<<10 {
				t.Errorf("%d bytes", len(doc))
			}
		})
	}
}

func TestWithoutARepositoryNothingHappens(t *testing.T) {
	r, err := New(Default(), Deps{})
	if r != nil || err != nil {
		t.Fatal(r, err)
	}
	if err := r.Transferred(transfer(1)); err != nil || r.Status().State != "off" {
		t.Error(err, r.Status())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no port":           func(c *Config) { c.Address = "host" },
		"port 0":            func(c *Config) { c.Address = "host:0" },
		"no host":           func(c *Config) { c.Address = ":6514" },
		"a key alone":       func(c *Config) { c.KeyFile = "x" },
		"a pair without CA": func(c *Config) { c.KeyFile, c.CertFile = "x", "y" },
		"device and CA":     func(c *Config) { c.CAFile, c.Device = "x", "y" },
		"patients":          func(c *Config) { c.Patients = "names" },
		"a spool of 1 KB":   func(c *Config) { c.SpoolBytes = 1024 },
		"no retry":          func(c *Config) { c.RetryMin = 0 },
		"no timeout":        func(c *Config) { c.Timeout = 0 },
		"a host with space": func(c *Config) { c.Host = "a b" },
	} {
		c := quick("localhost:6514")
		spoil(&c)
		if c.Validate() == nil {
			t.Error(name)
		}
	}
	if u := config.Undocumented(Default()); len(u) > 0 {
		t.Errorf("without documentation: %v", u)
	}
	if _, err := config.Decode("test.yaml", []byte("patients: names"), Default()); err == nil || !strings.Contains(err.Error(), "pseudonym or clear") {
		t.Errorf("patients: names: %v", err)
	}
	if err := quick("[::1]:6514").Validate(); err != nil {
		t.Error(err)
	}
}

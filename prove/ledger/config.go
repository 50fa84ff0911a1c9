// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
	"github.com/asepsis/asepsis/prove/receipt"
)

// Config says how a log is kept and who witnesses it.
type Config struct {
	Dir         string          `yaml:"dir" doc:"Directory of the log. Empty: ledger in the data directory. Not on NFS: the log rests on locks and renames of a local file system."`
	Origin      string          `yaml:"origin" doc:"Name of the log in its checkpoints, as in ledger.hospital.example/theatres. It is fixed when the log is made. Empty: site, process and random digits."`
	KeyFile     string          `yaml:"key_file" doc:"File with the log's signing key (mode 0600), made at the first start. Empty: key in the log's directory."`
	WriteAhead  config.ByteSize `yaml:"write_ahead" doc:"Disk space for entries that are recorded and not in the tree yet. When it is full, writers wait for the tree."`
	BatchSize   int             `yaml:"batch_size" doc:"The most entries that are taken into the tree together."`
	BatchAge    time.Duration   `yaml:"batch_age" doc:"How long a recorded entry waits for others before it is taken into the tree. Recording does not wait for it, receipts do."`
	Waiting     int             `yaml:"waiting" doc:"The most statements that wait to be recorded; beyond it callers are told to try again."`
	Checkpoint  time.Duration   `yaml:"checkpoint_interval" doc:"How often a checkpoint is signed when there are new entries, at least 100ms."`
	Reserve     config.ByteSize `yaml:"reserve" doc:"Disk space that is left free: with less, recording is refused with a clear error, and reading goes on."`
	Witnesses   []WitnessConfig `yaml:"witnesses" doc:"Who cosigns checkpoints, best on machines of other operators."`
	Required    int             `yaml:"required_witnesses" doc:"How many of the witnesses must have cosigned for an entry to count as witnessed."`
	Unwitnessed time.Duration   `yaml:"unwitnessed_alarm" doc:"How long entries may wait for witnesses before it is a finding."`
	Timestamp   TimestampConfig `yaml:"timestamp" doc:"RFC 3161 timestamps over checkpoints; off without a URL."`
	Audit       AuditConfig     `yaml:"audit" doc:"How the log checks itself."`
}

// WitnessConfig is one witness.
type WitnessConfig struct {
	Key string `yaml:"key" doc:"The witness's verifier key, as asepsis ledger witness prints it."`
	URL string `yaml:"url" doc:"Where it listens: https://host:port/prefix, to which /add-checkpoint is appended (C2SP tlog-witness)."`
}

// TimestampConfig says where timestamps come from.
type TimestampConfig struct {
	URL   string        `yaml:"url" doc:"The timestamp authority (RFC 3161 over HTTP)."`
	Every time.Duration `yaml:"every" doc:"How often a checkpoint is timestamped when there are new entries."`
	Roots string        `yaml:"roots_file" doc:"Certificates (PEM) that tokens must come from; they go into the trust file."`
}

// AuditConfig says how fast the log reads itself again.
type AuditConfig struct {
	Every   time.Duration `yaml:"every" doc:"How often new entries are checked."`
	Bundles int           `yaml:"bundles" doc:"How many old bundles of 256 entries are read again each time, round and round."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{
		WriteAhead: 32 * config.MiB, BatchSize: 2048, BatchAge: 200 * time.Millisecond, Waiting: 4096, Checkpoint: time.Second, Reserve: 64 * config.MiB,
		Unwitnessed: 15 * time.Minute, Timestamp: TimestampConfig{Every: time.Hour}, Audit: AuditConfig{Every: 10 * time.Second, Bundles: 16},
	}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case strings.ContainsFunc(c.Origin, unicode.IsSpace) || strings.Contains(c.Origin, "+") || len(c.Origin) > 200:
		return config.Invalid("origin", "a name such as ledger.hospital.example/theatres", "must be at most 200 bytes without spaces and plus signs")
	case c.WriteAhead < walSlots*wal.MinSlot || c.WriteAhead > walSlots*wal.MaxSlot:
		return config.Invalid("write_ahead", "32MiB is usual", "%s is not within 1MiB..512MiB", c.WriteAhead)
	case c.BatchSize < 1 || c.BatchSize > 4096:
		return config.Invalid("batch_size", "2048 is usual", "%d is not within 1..4096", c.BatchSize)
	case c.BatchAge < time.Millisecond || c.BatchAge > 10*time.Second:
		return config.Invalid("batch_age", "200ms is usual", "%s is not within 1ms..10s", c.BatchAge)
	case c.Waiting < 1 || c.Waiting > 1<<20:
		return config.Invalid("waiting", "4096 is usual", "%d is not within 1..1048576", c.Waiting)
	case c.Checkpoint < 100*time.Millisecond || c.Checkpoint > time.Hour:
		return config.Invalid("checkpoint_interval", "1s is usual", "%s is not within 100ms..1h", c.Checkpoint)
	case c.Unwitnessed < time.Second:
		return config.Invalid("unwitnessed_alarm", "15m is usual", "%s is less than 1s", c.Unwitnessed)
	case c.Required < 0 || c.Required > len(c.Witnesses):
		return config.Invalid("required_witnesses", "list more witnesses, or require fewer", "%d of %d witnesses cannot be required", c.Required, len(c.Witnesses))
	case len(c.Witnesses) > receipt.MaxWitnesses:
		return config.Invalid("witnesses", "", "has %d entries, more than %d", len(c.Witnesses), receipt.MaxWitnesses)
	case len(c.Witnesses) > 0 && c.Required == 0:
		return config.Invalid("required_witnesses", "a majority is usual: 2 of 3", "is 0 although there are witnesses")
	case c.Timestamp.URL != "" && !isHTTP(c.Timestamp.URL):
		return config.Invalid("timestamp", "https://tsa.example/", "its url is no http or https URL")
	case c.Timestamp.URL != "" && (c.Timestamp.Every < time.Second || c.Timestamp.Every > 30*24*time.Hour):
		return config.Invalid("timestamp", "1h is usual", "every: %s is not within 1s..720h", c.Timestamp.Every)
	case c.Audit.Every < 100*time.Millisecond || c.Audit.Every > time.Hour:
		return config.Invalid("audit", "10s is usual", "every: %s is not within 100ms..1h", c.Audit.Every)
	case c.Audit.Bundles < 0 || c.Audit.Bundles > 1<<16:
		return config.Invalid("audit", "16 is usual", "bundles: %d is not within 0..65536", c.Audit.Bundles)
	}
	for _, w := range c.Witnesses {
		if _, err := receipt.ParseKey(w.Key); err != nil {
			return config.Invalid("witnesses", "asepsis ledger witness prints its key when it starts", "a key cannot be used: %v", err)
		}
		if !isHTTP(w.URL) {
			return config.Invalid("witnesses", "https://witness.example:8444", "a url is no http or https URL")
		}
	}
	return nil
}

func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Deps are what a ledger needs besides its configuration; every field may be left
// out.
type Deps struct {
	Log  *slog.Logger
	HTTP *http.Client     // to witnesses and the timestamp authority
	Now  func() time.Time // the clock
	// Name is how the origin of a new log begins that has none configured, see [OriginOf].
	Name string
	// Notice is told when the ledger finds something that needs a person, and when that is over.
	// It must not block.
	Notice func(Notice)
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.HTTP == nil {
		d.HTTP = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Notice == nil {
		d.Notice = func(Notice) {}
	}
	return d
}

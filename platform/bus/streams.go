// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// prepare makes the streams, or checks those that are there.
func (b *Bus) prepare(ctx context.Context) error {
	if err := b.prepareEvents(ctx); err != nil {
		return fmt.Errorf("stream %s: %w", b.cfg.streamName(), err)
	}
	kv, err := b.js.KeyValue(ctx, b.cfg.bucketName())
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: b.cfg.bucketName(), Description: "latest reports of sensors and roles", History: 1,
			MaxBytes: int64(stateBytes), MaxValueSize: MaxReport, Replicas: b.cfg.Replicas, Storage: jetstream.FileStorage,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // another process was faster
			kv, err = b.js.KeyValue(ctx, b.cfg.bucketName())
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", b.cfg.bucketName(), err)
	}
	b.kv.Store(&bucket{kv})
	return nil
}

// bucket holds the latest reports.
type bucket struct{ jetstream.KeyValue }

// reports returns it, or ErrAway as long as the server was not there since the start.
func (b *Bus) reports() (*bucket, error) {
	if kv := b.kv.Load(); kv != nil {
		return kv, nil
	}
	return nil, ErrAway.as(errors.New("it was not there since the start"))
}

// wanted is the stream of events as the configuration says.
func (b *Bus) wanted() jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: b.cfg.streamName(), Description: "events of the sensors", Subjects: []string{b.cfg.Name + ".events.>"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
		MaxBytes: int64(b.cfg.MaxBytes), MaxAge: b.cfg.MaxAge, MaxMsgSize: maxPayload, Replicas: b.cfg.Replicas, Duplicates: min(dedupe, b.cfg.MaxAge),
	}
	for _, site := range b.cfg.Sites {
		c.Sources = append(c.Sources, &jetstream.StreamSource{Name: (&Config{Name: site}).streamName(), Domain: site})
	}
	return c
}

func (b *Bus) prepareEvents(ctx context.Context) error {
	want := b.wanted()
	s, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s, err = b.js.CreateStream(ctx, want); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = b.js.Stream(ctx, want.Name) // another process was faster
		}
	}
	if err != nil {
		return err
	}
	is := s.CachedInfo().Config
	switch {
	case is.Retention != jetstream.LimitsPolicy, is.Storage != jetstream.FileStorage, is.Discard != jetstream.DiscardOld, is.Sealed, is.NoAck, !slices.Contains(is.Subjects, want.Subjects[0]):
		return &Error{Kind: "stream", Text: "it is there but is not kept as asepsis needs it: limits retention, file storage, discard old, acknowledged, subject " + want.Subjects[0],
			Help: "choose another bus.name, or remove the stream when nobody needs it"}
	case is.MaxMsgSize > 0 && is.MaxMsgSize < maxPayload:
		return &Error{Kind: "stream", Text: fmt.Sprintf("it takes messages of %d bytes, less than %d", is.MaxMsgSize, maxPayload), Help: "raise max_msg_size of the stream"}
	}
	same := is.MaxBytes == want.MaxBytes && is.MaxAge == want.MaxAge && is.Replicas == want.Replicas && is.Duplicates == want.Duplicates
	if same && (b.srv == nil || sameSources(is.Sources, want.Sources)) {
		return nil
	}
	if b.srv == nil {
		// Several processes share it: the first one's limits stay, or they would take turns.
		b.log.Warn("the stream of events has other limits than this configuration", "stream", want.Name, "max_bytes", is.MaxBytes, "max_age", is.MaxAge, "replicas", is.Replicas)
		return nil
	}
	is.MaxBytes, is.MaxAge, is.Replicas, is.Duplicates, is.Sources = want.MaxBytes, want.MaxAge, want.Replicas, want.Duplicates, want.Sources
	_, err = b.js.UpdateStream(ctx, is)
	return err
}

func sameSources(a, b []*jetstream.StreamSource) bool {
	name := func(s *jetstream.StreamSource) string { return s.Name }
	return slices.EqualFunc(a, b, func(x, y *jetstream.StreamSource) bool { return name(x) == name(y) })
}

// identity names a stream and its making.
func identity(i *jetstream.StreamInfo) string {
	return i.Config.Name + "@" + strconv.FormatInt(i.Created.UnixNano(), 36)
}

// info asks for the state of the stream of events.
func (b *Bus) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, b.cfg.streamName())
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// Stream returns the identity of the stream of events. It is another one when
// the stream was made anew: positions of the old one mean nothing in it.
func (b *Bus) Stream(ctx context.Context) (string, error) {
	i, err := b.info(ctx)
	if err != nil {
		return "", explain("stream of events", err)
	}
	return identity(i), nil
}

// Pending says how far a reader is behind.
type Pending struct {
	Messages uint64
	Oldest   time.Time // when the first of them was published; zero when there is none
}

// Pending returns what is in the stream after a position.
func (b *Bus) Pending(ctx context.Context, after uint64) (Pending, error) {
	ctx, cancel := limit(ctx, apiTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, b.cfg.streamName())
	if err != nil {
		return Pending{}, explain("stream of events", err)
	}
	st := s.CachedInfo().State
	next := max(after+1, st.FirstSeq)
	if st.Msgs == 0 || next > st.LastSeq {
		return Pending{}, nil
	}
	p := Pending{Messages: st.LastSeq - next + 1, Oldest: st.FirstTime}
	if next > st.FirstSeq {
		m, err := s.GetMsg(ctx, next)
		switch {
		case err == nil:
			p.Oldest = m.Time
		case errors.Is(err, jetstream.ErrMsgNotFound): // it was given up meanwhile
		default:
			return Pending{}, explain("stream of events", err)
		}
	}
	return p, nil
}

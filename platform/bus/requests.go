// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// MaxBody is the largest body of a request, an answer or a notice.
const MaxBody = maxPayload - 4096

// Bounds of answering.
const (
	askTimeout  = 5 * time.Second
	maxTimeout  = 10 * time.Minute
	maxAnswers  = 64 // of one Serve at once
	kindHeader  = "Asepsis-Error"
	hintHeader  = "Asepsis-Hint"
	limitHeader = "Asepsis-Timeout" // of the one who asks, in ms
)

var validSubject = regexp.MustCompile(`^[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*$`)

func checkSubject(s string) error {
	if !validSubject.MatchString(s) || len(s) > 200 {
		return fmt.Errorf("%q is no subject: words of letters, digits, - and _ with dots between", s)
	}
	return nil
}

// Serve answers requests on a subject until stop is called, which waits for
// those under way. Of several that serve a subject, each request goes to one. The
// context of h ends when the one who asked waits no longer. An error is given to the
// one who asked, with its kind where it is an Error; see Error.
func (b *Bus) Serve(subject string, h func(context.Context, []byte) ([]byte, error)) (stop func(), err error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	var busy sync.WaitGroup
	slots := make(chan struct{}, maxAnswers)
	sub, err := b.nc.QueueSubscribe(b.cfg.Name+".ask."+subject, "asepsis", func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			b.answer(m, nil, ErrBusy)
			return
		}
		busy.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, patience(m))
			defer cancel()
			body, err := b.call(ctx, subject, h, m.Data)
			b.answer(m, body, err)
		})
	})
	if err == nil {
		err = b.flush()
	}
	if err != nil {
		cancel()
		b.running.Done()
		return nil, explain("serve "+subject, err)
	}
	var once sync.Once
	end := func() {
		once.Do(func() {
			done := make(chan struct{})
			sub.SetClosedHandler(func(string) { close(done) })
			if sub.Unsubscribe() == nil {
				select {
				case <-done: // the callback runs no more
				case <-time.After(time.Second):
				}
			}
			cancel()
			busy.Wait()
			b.running.Done()
		})
	}
	unhook := context.AfterFunc(b.ctx, end)
	return func() { unhook(); end() }, nil
}

// patience is how long the one who asked waits.
func patience(m *nats.Msg) time.Duration {
	ms, err := strconv.ParseInt(m.Header.Get(limitHeader), 10, 64)
	if err != nil || ms <= 0 || ms > maxTimeout.Milliseconds() {
		return askTimeout
	}
	return time.Duration(ms) * time.Millisecond
}

// call calls a handler. A panic in it costs this request, not the process.
func (b *Bus) call(ctx context.Context, subject string, h func(context.Context, []byte) ([]byte, error), body []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("a request made its handler panic", "subject", subject, "panic", p, "stack", string(debug.Stack()))
			out, err = nil, ErrInternal
		}
	}()
	return h(ctx, body)
}

func (b *Bus) answer(m *nats.Msg, body []byte, err error) {
	if m.Reply == "" {
		return
	}
	if err == nil && len(body) > MaxBody {
		err = fmt.Errorf("answer: %w: %d bytes, at most %d", ErrTooLarge, len(body), MaxBody)
	}
	r := &nats.Msg{Data: body}
	if err != nil {
		e := travelling(err)
		r.Data = []byte(e.Text)
		r.Header = nats.Header{kindHeader: {e.Kind}}
		if e.Help != "" {
			r.Header.Set(hintHeader, e.Help)
		}
	}
	if err := m.RespondMsg(r); err != nil && b.ctx.Err() == nil {
		b.log.Warn("an answer could not be sent", "subject", m.Subject, "why", err)
	}
}

// Ask sends a request and returns the answer. It waits until ctx ends, at most
// five seconds when ctx has no deadline. It is ErrNobody at once when nobody serves
// the subject. Whoever asks again after an error may make the other side do it twice.
func (b *Bus) Ask(ctx context.Context, subject string, body []byte) ([]byte, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("ask %s: %w: %d bytes, at most %d", subject, ErrTooLarge, len(body), MaxBody)
	}
	ctx, cancel := limit(ctx, askTimeout)
	defer cancel()
	m := &nats.Msg{Subject: b.cfg.Name + ".ask." + subject, Data: body}
	if until, ok := ctx.Deadline(); ok {
		m.Header = nats.Header{limitHeader: {strconv.FormatInt(max(time.Until(until).Milliseconds(), 1), 10)}}
	}
	r, err := b.nc.RequestMsgWithContext(ctx, m)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("ask %s: %w", subject, ErrNobody)
	case err != nil:
		return nil, explain("ask "+subject, err)
	}
	if kind := r.Header.Get(kindHeader); kind != "" {
		return nil, &Error{Kind: kind, Text: string(r.Data), Help: r.Header.Get(hintHeader)}
	}
	return r.Data, nil
}

// Tell sends a notice to all that listen now. Nobody keeps it: who is not
// there, or too slow, or cut off, does not get it, and nobody knows. Use it for
// what can be found out another way, "look again" for example.
func (b *Bus) Tell(subject string, body []byte) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if len(body) > MaxBody {
		return fmt.Errorf("tell %s: %w: %d bytes, at most %d", subject, ErrTooLarge, len(body), MaxBody)
	}
	return explain("tell "+subject, b.nc.Publish(b.cfg.Name+".tell."+subject, body))
}

// Listen calls f for each notice on a subject, one at a time, until stop is
// called, which waits for the call under way. See Tell for what does not arrive.
func (b *Bus) Listen(subject string, f func([]byte)) (stop func(), err error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	notices := make(chan *nats.Msg, 256)
	sub, err := b.nc.ChanSubscribe(b.cfg.Name+".tell."+subject, notices)
	if err == nil {
		err = b.flush()
	}
	if err != nil {
		b.running.Done()
		return nil, explain("listen to "+subject, err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer b.running.Done()
		defer close(done)
		defer func() { _ = sub.Unsubscribe() }()
		for {
			select {
			case m, ok := <-notices:
				if !ok {
					return
				}
				f(m.Data)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}

// flush waits until the server has what was sent. A patient bus does not wait for a server that is away: what is
// subscribed to is sent when it is there.
func (b *Bus) flush() error {
	if b.patient && !b.nc.IsConnected() {
		return nil
	}
	return b.nc.FlushTimeout(apiTimeout)
}

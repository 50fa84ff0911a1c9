// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
	"github.com/asepsis/asepsis/wire/capture"
)

type ipAddr = netip.Addr

// Recorded is an event with its record.
type Recorded struct {
	Record record.Record
	Event  *event.Event
}

// maxCapture bounds a capture of a sample, in bytes.
const maxCapture = 64 << 20

// Capture runs a capture through sensor and inventory, and gives its events, filed under
// the devices that they belong to, in their order.
func Capture(ctx context.Context, sys fs.FS, name string) ([]Recorded, []device.Device, error) {
	f, err := sys.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("capture: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxCapture+1))
	if err != nil {
		return nil, nil, fmt.Errorf("capture %s: %w", name, err)
	}
	if len(data) > maxCapture {
		return nil, nil, fmt.Errorf("capture %s: larger than %d bytes", name, maxCapture)
	}
	src, err := capture.NewReader(bytes.NewReader(data), capture.Options{Name: name})
	if err != nil {
		return nil, nil, fmt.Errorf("capture %s: %w", name, err)
	}
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		return nil, nil, err
	}
	key, err := pseudonym.New(bytes.Repeat([]byte{1}, pseudonym.KeySize))
	if err != nil {
		return nil, nil, err
	}
	sink := &keep{inv: inv}
	cfg := sensor.Default()
	cfg.Workers = 0
	sn, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: sink, Key: key, Seed: 1})
	if err != nil {
		return nil, nil, err
	}
	if err := sn.Run(ctx, src); err != nil {
		var bad *capture.CorruptError
		if !errors.As(err, &bad) {
			return nil, nil, fmt.Errorf("capture %s: %w", name, err)
		}
	}
	out := make([]Recorded, len(sink.events))
	for i, e := range sink.events {
		out[i] = Recorded{FileUnder(inv, e, "sample", uint64(i)+1), e}
	}
	return out, inv.Devices(), nil
}

// keep gives events to the inventory and keeps them.
type keep struct {
	inv *inventory.Inventory

	mu     sync.Mutex
	events []*event.Event
}

// Emit implements sensor.Sink.
func (k *keep) Emit(e *event.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inv.Observe(e)
	k.events = append(k.events, e)
}

// FileUnder makes the record of an event, without its encoding: whose it is, as the
// inventory knows it.
func FileUnder(inv *inventory.Inventory, e *event.Event, sensorName string, seq uint64) record.Record {
	x := record.Record{Seq: seq, Time: e.Time, Class: e.Class(), Activity: e.Activity, Severity: e.Severity, Status: e.Status, Protocol: e.Protocol, Sensor: sensorName}
	whose := func(s device.Subject) string {
		if s.MAC.IsGroup() || !s.IP.IsValid() && s.MAC.IsZero() || s.IP.IsValid() && (s.IP.IsMulticast() || s.IP == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
			return ""
		}
		id, _ := inv.Resolve(s, e.Time)
		return id
	}
	if f := e.Flow; f != nil {
		var vlan uint16
		if n := len(f.VLANs); n > 0 {
			vlan = f.VLANs[n-1]
		}
		x.Src, x.Dst = f.Src.IP, f.Dst.IP
		x.SrcDevice = whose(device.Subject{MAC: f.Src.MAC, IP: f.Src.IP, VLAN: vlan, Hops: f.SrcHops})
		x.DstDevice = whose(device.Subject{MAC: f.Dst.MAC, IP: f.Dst.IP, VLAN: vlan, Hops: f.DstHops})
	} else if d, ok := e.Detail.(*event.DeviceEvidence); ok {
		x.Src = d.Evidence.Subject.IP
		x.SrcDevice = whose(d.Evidence.Subject)
	}
	return x
}

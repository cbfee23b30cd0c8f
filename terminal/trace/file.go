package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"huika/pay"
)

// ErrFormat says that bytes are not a trace.
var ErrFormat = errors.New("trace: not a trace file")

// magic begins a sealed file; the payment id and a line end follow, then the box.
const magic = "HUIKA-TRACE-1\n"

const idLen = 26

func sealContext(id pay.PaymentID) string { return "trace/" + string(id) }

// Seal makes the file that may be kept: magic, payment id, sealed JSON.
func Seal(t Trace, sealer pay.Sealer) ([]byte, error) {
	plain, err := t.Clear()
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer clear(plain)
	if _, err := pay.ParsePaymentID(string(t.Payment)); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	box, err := sealer.Seal(plain, sealContext(t.Payment))
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return append([]byte(magic+string(t.Payment)+"\n"), box...), nil
}

// IsSealed reports whether b begins like a sealed file.
func IsSealed(b []byte) bool { return bytes.HasPrefix(b, []byte(magic)) }

// Open reads a sealed file. Errors: ErrFormat, pay.ErrSealed.
func Open(b []byte, sealer pay.Sealer) (Trace, error) {
	if len(b) > MaxFile {
		return Trace{}, fmt.Errorf("%w: longer than %d bytes", ErrFormat, MaxFile)
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(rest) < idLen+1 || rest[idLen] != '\n' {
		return Trace{}, ErrFormat
	}
	id, err := pay.ParsePaymentID(string(rest[:idLen]))
	if err != nil {
		return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	plain, err := sealer.Open(rest[idLen+1:], sealContext(id))
	if err != nil {
		return Trace{}, err
	}
	defer clear(plain)
	t, err := parse(plain)
	if err == nil && t.Payment != id {
		return Trace{}, fmt.Errorf("%w: it is of another payment than its name says", ErrFormat)
	}
	return t, err
}

// Parse reads a clear file: ours (Trace.Clear), or an exchange in the form of
// the public vectors (see vector). Errors: ErrFormat.
func Parse(b []byte) (Trace, error) { return ParseWith(b, Settings{}) }

// ParseWith is Parse; s says about an exchange of a foreign terminal what the file does not show.
func ParseWith(b []byte, s Settings) (Trace, error) {
	if len(b) > MaxFile {
		return Trace{}, fmt.Errorf("%w: longer than %d bytes", ErrFormat, MaxFile)
	}
	var kind struct {
		Version   int               `json:"version"`
		Exchanges []json.RawMessage `json:"exchanges"`
		APDUs     []json.RawMessage `json:"apdus"`
	}
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		return parseVector(b, s)
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if kind.Version == 0 && len(kind.Exchanges)+len(kind.APDUs) > 0 {
		return parseVector(b, s)
	}
	return parse(b)
}

func parse(b []byte) (Trace, error) {
	var t Trace
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Trace{}, fmt.Errorf("%w: more than one value", ErrFormat)
	}
	return t, t.check()
}

func (t Trace) check() error {
	switch {
	case t.Version != Version:
		return fmt.Errorf("%w: version %d, want %d", ErrFormat, t.Version, Version)
	case len(t.Steps) > MaxSteps || len(t.Random) > MaxRandom:
		return fmt.Errorf("%w: too long", ErrFormat)
	}
	for i, s := range t.Steps {
		switch s.Presence {
		case "", "no card", "one card", "collision":
		default:
			return fmt.Errorf("%w: step %d: presence %q", ErrFormat, i, s.Presence)
		}
		if s.Presence == "" && len(s.Command) < 4 {
			return fmt.Errorf("%w: step %d: a command has at least 4 bytes", ErrFormat, i)
		}
	}
	return nil
}

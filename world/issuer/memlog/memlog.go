// Package memlog is an append log in memory for simulations and tests. It
// keeps what is durable apart from who holds it: Crash ends a handle, as a
// killed process loses its file, and gives a new one on the same records.
//
// Log[issuer.Record] is an issuer.Store, Log[scheme.Record] a scheme.Store.
// Records are kept as bytes, so that they pass the same encoding as on disk.
package memlog

import (
	"encoding"
	"errors"
	"fmt"
	"sync"
)

// MaxRecords bounds one log.
const MaxRecords = 1 << 22

// Errors of a log.
var (
	// ErrCrashed says that the handle's process is gone. Nothing was appended.
	ErrCrashed = errors.New("memory log: its process crashed")
	// ErrFull says that the log holds MaxRecords records. Nothing was appended.
	ErrFull = errors.New("memory log: full")
)

// Value is a pointer to a record type that writes and reads itself.
type Value[T any] interface {
	*T
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// durable is what outlives a crash.
type durable struct {
	mu      sync.Mutex
	records [][]byte
}

// Log is one process's handle on a log.
type Log[T any, P Value[T]] struct {
	durable *durable
	crashed bool // under durable.mu
}

// New makes an empty log.
func New[T any, P Value[T]]() *Log[T, P] { return &Log[T, P]{durable: &durable{}} }

// Load hands every record to f, oldest first.
func (l *Log[T, P]) Load(f func(T) error) error {
	l.durable.mu.Lock()
	records, crashed := l.durable.records, l.crashed
	l.durable.mu.Unlock()
	if crashed {
		return ErrCrashed
	}
	for _, b := range records {
		var v T
		if err := P(&v).UnmarshalBinary(b); err != nil {
			return fmt.Errorf("load memory log: %w", err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// Append adds records, all or none.
func (l *Log[T, P]) Append(records ...T) error {
	encoded := make([][]byte, len(records))
	for i := range records {
		b, err := P(&records[i]).MarshalBinary()
		if err != nil {
			return fmt.Errorf("append to memory log: %w", err)
		}
		encoded[i] = b
	}
	l.durable.mu.Lock()
	defer l.durable.mu.Unlock()
	if l.crashed {
		return ErrCrashed
	}
	if len(l.durable.records)+len(encoded) > MaxRecords {
		return ErrFull
	}
	l.durable.records = append(l.durable.records, encoded...)
	return nil
}

// Crash ends this handle and returns the next process's.
func (l *Log[T, P]) Crash() *Log[T, P] {
	l.durable.mu.Lock()
	defer l.durable.mu.Unlock()
	l.crashed = true
	return &Log[T, P]{durable: l.durable}
}

// Len is the number of records.
func (l *Log[T, P]) Len() int {
	l.durable.mu.Lock()
	defer l.durable.mu.Unlock()
	return len(l.durable.records)
}

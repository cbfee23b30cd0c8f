package sim

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"

	"huika/acquirer/book"
	"huika/terminal/journal"
)

// sector is what a disk writes as a whole. Between two syncs it may have written
// any of them, in any order.
const sector = 512

// image is a file and the write-ahead log beside it, as they are on the disk.
type image struct{ file, wal []byte }

func look(path string) (i image, err error) {
	if i.file, err = os.ReadFile(path); err != nil {
		return i, err
	}
	if i.wal, err = os.ReadFile(path + "-wal"); errors.Is(err, os.ErrNotExist) {
		return i, nil
	}
	return i, err
}

func (i image) write(path string) error {
	err := os.WriteFile(path, i.file, 0o600)
	if err == nil && i.wal != nil {
		err = os.WriteFile(path+"-wal", i.wal, 0o600)
	}
	return err
}

// between is what a power cut may leave of a write that led from before to
// after and was not acknowledged. SQLite syncs the log before it touches the
// database (synchronous=FULL): where the database has changed, the log is whole.
func between(before, after image, d *rand.Rand) image {
	if !bytes.Equal(before.file, after.file) && after.wal != nil {
		return image{mix(before.file, after.file, d), after.wal}
	}
	return image{mix(before.file, after.file, d), mix(before.wal, after.wal, d)}
}

// mix takes each sector that differs from one of the two, and cuts what was
// appended anywhere.
func mix(before, after []byte, d *rand.Rand) []byte {
	if bytes.Equal(before, after) {
		return after
	}
	end := len(after)
	if end > len(before) {
		end = len(before) + d.IntN(end-len(before)+1)
	}
	out := bytes.Clone(after[:end])
	for at := 0; at < end; at += sector {
		if d.IntN(2) == 0 {
			continue
		}
		to := min(at+sector, end)
		for i := at; i < to; i++ {
			out[i] = 0 // appended, and never written
			if i < len(before) {
				out[i] = before[i]
			}
		}
	}
	if d.IntN(2) == 0 { // the other common case: all up to a point
		return append(bytes.Clone(before[:min(len(before), end)]), after[min(len(before), end):end]...)
	}
	return out
}

// tear makes the write at hand the last one of its node, now and then: it runs
// the write, keeps part of it, and crashes the machine. The write was never
// acknowledged: the crash does not return.
type tear func(write func())

func (d *files) tear(node, name string) tear {
	return func(write func()) {
		if !d.tears(node) {
			write()
			return
		}
		slot := node + "-" + name
		before, err := look(d.latest[slot])
		write()
		after, err2 := look(d.latest[slot])
		if err == nil && err2 == nil {
			d.torn[slot] = between(before, after, d.dice)
			d.dies(node)
		}
	}
}

type tearBooks struct {
	book.Store
	tear tear
}

// Apply implements book.Store.
func (s tearBooks) Apply(ctx context.Context, batches []book.LaneBatch) (out []book.LaneResult, err error) {
	s.tear(func() { out, err = s.Store.Apply(ctx, batches) })
	return out, err
}

type tearJournal struct {
	journal.Store
	tear tear
}

// Append implements journal.Store.
func (s tearJournal) Append(ctx context.Context, records ...journal.Record) (err error) {
	s.tear(func() { err = s.Store.Append(ctx, records...) })
	return err
}

// tearLog is a log of either stand-in.
type tearLog[T any] struct {
	log interface {
		Load(f func(T) error) error
		Append(records ...T) error
	}
	tear tear
}

// Load implements issuer.Store and scheme.Store.
func (s tearLog[T]) Load(f func(T) error) error { return s.log.Load(f) }

// Append implements issuer.Store and scheme.Store.
func (s tearLog[T]) Append(records ...T) (err error) {
	s.tear(func() { err = s.log.Append(records...) })
	return err
}

// Package filelog is an append log in one file: what a stand-in of package
// world must not forget when its process is killed. A batch of records is
// written with one write and one fdatasync, and Append returns after that.
//
// It knows nothing of payments: Log[issuer.Record] is an issuer.Store, and
// Log[scheme.Record] a scheme.Store. It is not for the acquirer's books, which
// are in acquirer/book.
package filelog

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Limits of a log.
const (
	MaxRecord = 1 << 12 // bytes of one record
	MaxBatch  = 1 << 20 // bytes of the records of one Append, with their lengths
	MaxFile   = 1 << 32 // bytes of the file
)

// Errors of a log.
var (
	// ErrCorrupt says that a batch is damaged although a later one is whole:
	// that is no torn write, and nothing is cut.
	ErrCorrupt = errors.New("log damaged before its end")
	// ErrPoisoned says that a write or sync failed earlier: what is durable is
	// unknown until the log is opened anew.
	ErrPoisoned = errors.New("log poisoned by an earlier write or sync error")
	// ErrLocked says that another process has the log open.
	ErrLocked = errors.New("log in use by another process")
	// ErrTooLarge says that a record, a batch or the file is over its limit. Nothing was written.
	ErrTooLarge = errors.New("log: over its limit")
)

// A batch is magic(4) ‖ length(4) ‖ CRC-32C(4) over (offset(8) ‖ length(4) ‖
// payload) ‖ payload, big-endian; the payload is a row of length(2) ‖ record.
// With the offset under the checksum, bytes of a record can't pass for a batch.
const (
	headerSize = 12
	magic      = "HKB1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Value is a pointer to a record type that writes and reads itself.
type Value[T any] interface {
	*T
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Log is an open log of records of type T. Its methods may be called from any task.
type Log[T any, P Value[T]] struct {
	path string
	mu   sync.Mutex
	file *os.File
	end  int64
	err  error // set once: poisoned or closed
	cut  int64 // bytes of a torn batch that Open cut off
	sync func(*os.File) error
}

// Open opens or makes the log at path (0600). A torn last batch is cut off;
// damage before the end is ErrCorrupt. One process at a time: ErrLocked.
func Open[T any, P Value[T]](path string) (*Log[T, P], error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log[T, P]{path: path, file: file, sync: datasync}
	if err := l.recover(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", filepath.Base(path), errors.Join(err, file.Close()))
	}
	return l, nil
}

func (l *Log[T, P]) recover() error {
	if err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return ErrLocked
		}
		return err
	}
	size, err := l.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size > MaxFile {
		return ErrTooLarge
	}
	if l.end, err = scan(l.file, size, func([]byte) error { return nil }); err != nil {
		return err
	}
	if l.end < size {
		later, err := wholeBatchAfter(l.file, l.end+1, size)
		if err != nil {
			return err
		}
		if later {
			return ErrCorrupt
		}
		l.cut = size - l.end
		if err := l.file.Truncate(l.end); err != nil {
			return err
		}
		if err := l.file.Sync(); err != nil {
			return err
		}
	}
	// Also where the file is not new: an earlier process may have made it and died before this.
	return syncDir(filepath.Dir(l.path))
}

// Cut is the number of bytes of a torn batch that Open removed.
func (l *Log[T, P]) Cut() int64 { return l.cut }

// Load hands every durable record to f, oldest first.
func (l *Log[T, P]) Load(f func(T) error) error {
	l.mu.Lock()
	end, err := l.end, l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	n, err := scan(l.file, end, func(payload []byte) error {
		return split(payload, func(b []byte) error {
			var v T
			if err := P(&v).UnmarshalBinary(b); err != nil {
				return err
			}
			return f(v)
		})
	})
	if err != nil {
		return fmt.Errorf("load log: %w", err)
	}
	if n != end {
		return fmt.Errorf("load log: %w", ErrCorrupt)
	}
	return nil
}

// Append writes records as one batch and syncs it. After a write or sync
// error every call returns ErrPoisoned.
func (l *Log[T, P]) Append(records ...T) error {
	if len(records) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	buf := make([]byte, headerSize, 512)
	for i := range records {
		b, err := P(&records[i]).MarshalBinary()
		if err != nil {
			return fmt.Errorf("append to log: %w", err)
		}
		if len(b) > MaxRecord {
			return ErrTooLarge
		}
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(b)))
		buf = append(buf, b...)
	}
	if len(buf)-headerSize > MaxBatch || l.end+int64(len(buf)) > MaxFile {
		return ErrTooLarge
	}
	copy(buf, magic)
	binary.BigEndian.PutUint32(buf[4:], uint32(len(buf)-headerSize))
	binary.BigEndian.PutUint32(buf[8:], checksum(l.end, buf[headerSize:]))
	if _, err := l.file.WriteAt(buf, l.end); err != nil {
		return l.poison("write", err)
	}
	if err := l.sync(l.file); err != nil {
		return l.poison("sync", err)
	}
	l.end += int64(len(buf))
	return nil
}

func (l *Log[T, P]) poison(op string, err error) error {
	l.err = fmt.Errorf("%w (%s: %w)", ErrPoisoned, op, err)
	return l.err
}

// Close releases the file.
func (l *Log[T, P]) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, os.ErrClosed) {
		return nil
	}
	l.err = fmt.Errorf("log: %w", os.ErrClosed)
	return l.file.Close()
}

func checksum(offset int64, payload []byte) uint32 {
	var head [12]byte
	binary.BigEndian.PutUint64(head[:], uint64(offset))
	binary.BigEndian.PutUint32(head[8:], uint32(len(payload)))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
}

// batchAt is the payload of the whole batch at offset, or nil where there is none.
func batchAt(file io.ReaderAt, offset, size int64) ([]byte, error) {
	if size-offset < headerSize {
		return nil, nil
	}
	var head [headerSize]byte
	if _, err := file.ReadAt(head[:], offset); err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(head[4:]))
	if string(head[:4]) != magic || length == 0 || length > MaxBatch || offset+headerSize+length > size {
		return nil, nil
	}
	payload := make([]byte, length)
	if _, err := file.ReadAt(payload, offset+headerSize); err != nil {
		return nil, err
	}
	if checksum(offset, payload) != binary.BigEndian.Uint32(head[8:]) {
		return nil, nil
	}
	return payload, nil
}

// scan hands the payload of each whole batch to f and returns where they end.
func scan(file io.ReaderAt, size int64, f func(payload []byte) error) (end int64, err error) {
	for end < size {
		payload, err := batchAt(file, end, size)
		if err != nil {
			return end, err
		}
		if payload == nil {
			return end, nil
		}
		if err := f(payload); err != nil {
			return end, err
		}
		end += headerSize + int64(len(payload))
	}
	return end, nil
}

// wholeBatchAfter looks for a whole batch at any offset from start on.
func wholeBatchAfter(file io.ReaderAt, start, size int64) (bool, error) {
	if start >= size {
		return false, nil
	}
	// A torn batch is the last one, so only so many bytes can follow its start.
	// More than that is damage by itself.
	if size-start >= headerSize+MaxBatch {
		return true, nil
	}
	tail := make([]byte, size-start)
	if _, err := file.ReadAt(tail, start); err != nil {
		return false, err
	}
	for i := 0; i+headerSize <= len(tail); i++ {
		if tail[i] != magic[0] {
			continue
		}
		payload, err := batchAt(file, start+int64(i), size)
		if err != nil || payload != nil {
			return payload != nil, err
		}
	}
	return false, nil
}

// split hands each record of a batch to f.
func split(payload []byte, f func([]byte) error) error {
	for len(payload) > 0 {
		if len(payload) < 2 {
			return ErrCorrupt
		}
		n := int(binary.BigEndian.Uint16(payload))
		if n > len(payload)-2 {
			return ErrCorrupt
		}
		if err := f(payload[2 : 2+n]); err != nil {
			return err
		}
		payload = payload[2+n:]
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

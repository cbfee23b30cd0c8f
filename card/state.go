package card

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Counters are what a card must never forget.
type Counters struct {
	ATC uint16 // application transaction counter: the last one used
}

// State keeps a card's counters. Save is durable when it returns: a cryptogram
// under a counter leaves the card only afterwards. Errors are those of the store.
type State interface {
	Load() (Counters, error)
	Save(Counters) error
}

type memoryState struct {
	mu sync.Mutex
	c  Counters
}

// NewMemoryState is a State that lives as long as the program, for tests and the simulation.
func NewMemoryState() State { return &memoryState{} }

func (s *memoryState) Load() (Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c, nil
}

func (s *memoryState) Save(c Counters) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c = c
	return nil
}

// ErrState says that a state file is damaged. A card with unknown counters must
// not be used: it would repeat cryptograms.
var ErrState = errors.New("card: state file is damaged")

// fileState is a State in a file of 10 bytes: "HKC1" ‖ ATC(2) ‖ CRC-32 of both.
type fileState struct{ path string }

const stateMagic = "HKC1"

// FileState is a State in the file path, which need not exist yet. Save writes
// a new file beside it, syncs it, renames it and syncs the folder. One card
// at a time may use the file.
func FileState(path string) State { return fileState{path} }

func (s fileState) Load() (Counters, error) {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Counters{}, nil
	}
	if err != nil {
		return Counters{}, fmt.Errorf("card state: %w", err)
	}
	if len(b) != 10 || string(b[:4]) != stateMagic || crc32.ChecksumIEEE(b[:6]) != binary.BigEndian.Uint32(b[6:]) {
		return Counters{}, ErrState
	}
	return Counters{ATC: binary.BigEndian.Uint16(b[4:])}, nil
}

func (s fileState) Save(c Counters) error {
	b := binary.BigEndian.AppendUint16([]byte(stateMagic), c.ATC)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	if err := writeDurably(s.path, b); err != nil {
		return fmt.Errorf("card state: %w", err)
	}
	return nil
}

func writeDurably(path string, b []byte) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() // opened for reading only: nothing is lost
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return dir.Sync()
}

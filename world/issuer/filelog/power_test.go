package filelog

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"huika/world/issuer"
	"huika/world/issuer/storetest"
)

// A power cut keeps what was synced, and of the rest whatever it likes. Here it
// keeps the file as the last sync saw it and a random part of what was written
// behind it. Every record that Append has taken must be there again, none twice
// and none torn; the log must go on.
func TestPowerCut(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	dark := errors.New("the power is off")
	for round := range 200 {
		path := filepath.Join(t.TempDir(), "log")
		l := open(t, path)
		disk := []byte{} // what the disk holds for sure
		last := 1 + dice.IntN(6)
		syncs := 0
		l.sync = func(f *os.File) error {
			if syncs++; syncs > last {
				return dark // written, and never synced
			}
			var err error
			disk, err = os.ReadFile(f.Name())
			return errors.Join(err, datasync(f))
		}
		taken := 0
		for n := 1; ; n++ {
			batch := []issuer.Record{storetest.Record(taken + 1)}
			for range dice.IntN(3) {
				batch = append(batch, storetest.Record(taken+1+len(batch)))
			}
			if err := l.Append(batch...); errors.Is(err, dark) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			taken += len(batch)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		all, err := os.ReadFile(path)
		if err != nil || len(all) <= len(disk) {
			t.Fatalf("%d bytes written, %d synced (%v): nothing was cut", len(all), len(disk), err)
		}
		tail := append([]byte(nil), all[len(disk):len(disk)+dice.IntN(len(all)-len(disk))]...) // an untaken batch that is there as a whole may count: not tried here
		if len(tail) > 0 && dice.IntN(2) == 0 {
			clear(tail[dice.IntN(len(tail)):]) // the size reached the disk, the data did not
		}
		if err := os.WriteFile(path, append(disk, tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, path)
		if n := count(t, again); n != taken {
			t.Fatalf("round %d: %d records after the power cut, %d were taken", round, n, taken)
		}
		if err := again.Append(storetest.Record(taken + 1)); err != nil {
			t.Fatal(err)
		}
		if n := count(t, again); n != taken+1 {
			t.Fatalf("round %d: %d records after one more", round, n)
		}
	}
}

// No Append returns before a sync that began after its own write: also where
// many tasks append at once.
func TestSyncCoversEachAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	var mu sync.Mutex
	synced := int64(0)
	l.sync = func(f *os.File) error {
		info, err := f.Stat() // before the sync: what comes later need not be covered
		if err != nil {
			return err
		}
		if err := datasync(f); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		synced = info.Size()
		return nil
	}
	var tasks sync.WaitGroup
	for task := range 4 {
		tasks.Go(func() {
			for n := range 20 {
				r := storetest.Record(1 + task*20 + n)
				if err := l.Append(r); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				durable := synced
				mu.Unlock()
				if !holds(t, path, durable, r.Key) {
					t.Errorf("record %s was taken and is not among the %d synced bytes", r.Key, durable)
				}
			}
		})
	}
	tasks.Wait()
}

// holds reports whether the first n bytes of the log hold a record of that key.
func holds(t *testing.T, path string, n int64, key string) bool {
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return false
	}
	defer f.Close() // it was only read
	found := false
	if _, err := scan(f, n, func(payload []byte) error {
		return split(payload, func(b []byte) error {
			var r issuer.Record
			err := r.UnmarshalBinary(b)
			found = found || r.Key == key
			return err
		})
	}); err != nil {
		t.Error(err)
	}
	return found
}

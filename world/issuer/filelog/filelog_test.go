package filelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"huika/world/issuer"
	"huika/world/issuer/storetest"
)

type issuerLog = Log[issuer.Record, *issuer.Record]

type harness struct {
	*issuerLog
}

// Reopen closes the file without more: what a killed process leaves behind.
func (h harness) Reopen(t *testing.T) storetest.Harness {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return harness{open(t, h.path)}
}

func open(t testing.TB, path string) *issuerLog {
	t.Helper()
	l, err := Open[issuer.Record](path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // closed by most tests already
	return l
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		return harness{open(t, filepath.Join(t.TempDir(), "issuer.log"))}
	})
}

func count(t *testing.T, l *issuerLog) int {
	t.Helper()
	n := 0
	if err := l.Load(func(r issuer.Record) error {
		n++
		if r.Key != storetest.Record(n).Key {
			t.Errorf("record %d is another", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// written is the bytes of a log with n batches of one record, and where each ends.
func written(t testing.TB, n int) (content []byte, ends []int64) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	for i := 1; i <= n; i++ {
		if err := l.Append(storetest.Record(i)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, l.end)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, ends
}

// A write torn at any byte loses the torn batch and nothing before it; the log goes on.
func TestTornTail(t *testing.T) {
	content, ends := written(t, 3)
	path := filepath.Join(t.TempDir(), "log")
	for cut := ends[1]; cut < ends[2]; cut++ {
		for _, tail := range [][]byte{nil, make([]byte, ends[2]-cut)} { // short, or of full length with zeros
			if err := os.WriteFile(path, append(bytes.Clone(content[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t, path)
			if n := count(t, l); n != 2 {
				t.Fatalf("cut at %d: %d records", cut, n)
			}
			if wantCut := cut + int64(len(tail)) - ends[1]; l.Cut() != wantCut {
				t.Fatalf("cut at %d: %d bytes cut off, want %d", cut, l.Cut(), wantCut)
			}
			if err := l.Append(storetest.Record(3)); err != nil {
				t.Fatal(err)
			}
			if n := count(t, l); n != 3 {
				t.Fatalf("cut at %d: %d records after an append", cut, n)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Damage before the end is no torn write: nothing is cut, the log is refused.
func TestDamageIsNotCut(t *testing.T) {
	content, ends := written(t, 3)
	path := filepath.Join(t.TempDir(), "log")
	for at := range ends[1] {
		bad := bytes.Clone(content)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open[issuer.Record](path); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("flip at %d: %v", at, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(after, bad) {
			t.Fatalf("flip at %d: the file was changed (%v)", at, err)
		}
	}
}

// Append is on the disk before it returns, and a failed sync is never forgotten.
func TestSyncBeforeReturn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	broken := errors.New("disk says no")
	synced := int64(0)
	l.sync = func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		synced = info.Size()
		return nil
	}
	for n := 1; n <= 3; n++ {
		if err := l.Append(storetest.Record(n)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || synced != info.Size() {
			t.Fatalf("%d bytes synced of %d (%v)", synced, info.Size(), err)
		}
	}
	l.sync = func(*os.File) error { return broken }
	if err := l.Append(storetest.Record(4)); !errors.Is(err, ErrPoisoned) || !errors.Is(err, broken) {
		t.Fatalf("append with a failing sync: %v", err)
	}
	l.sync = datasync
	if err := l.Append(storetest.Record(5)); !errors.Is(err, ErrPoisoned) {
		t.Fatalf("append after a failed sync: %v", err)
	}
	if err := l.Load(func(issuer.Record) error { return nil }); !errors.Is(err, ErrPoisoned) {
		t.Fatalf("load after a failed sync: %v", err)
	}
}

func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	if _, err := Open[issuer.Record](path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(storetest.Record(1)); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("append to a closed log: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	open(t, path)
}

func TestTooLarge(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "log"))
	many := make([]issuer.Record, MaxBatch/100)
	for i := range many {
		many[i] = storetest.Record(i)
	}
	if err := l.Append(many...); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("batch over the limit: %v", err)
	}
	if err := l.Append(storetest.Record(1)); err != nil {
		t.Fatalf("the log is still good: %v", err)
	}
	if n := count(t, l); n != 1 {
		t.Fatalf("%d records", n)
	}
}

// Any bytes are opened, refused or cut, without a panic; what is opened loads and takes appends.
func FuzzOpen(f *testing.F) {
	content, ends := written(f, 3)
	f.Add(content)
	f.Add(content[:ends[1]+7])
	f.Add(content[:ends[1]+1]) // one byte of a torn batch
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open[issuer.Record](path)
		if err != nil {
			return
		}
		defer func() { _ = l.Close() }() // the test is over
		before := 0
		if err := l.Load(func(issuer.Record) error { before++; return nil }); err != nil {
			return // whole batches of something else
		}
		if err := l.Append(storetest.Record(1)); err != nil {
			t.Fatal(err)
		}
		after := 0
		if err := l.Load(func(issuer.Record) error { after++; return nil }); err != nil || after != before+1 {
			t.Fatalf("%d records, then %d: %v", before, after, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(map[int]string{1: "one", 64: "batch of 64"}[batch], func(b *testing.B) {
			l := open(b, filepath.Join(b.TempDir(), "log"))
			records := make([]issuer.Record, batch)
			for i := range records {
				records[i] = storetest.Record(i)
			}
			for b.Loop() {
				if err := l.Append(records...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package sqlite_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"huika/pay"
	"huika/terminal/journal"
	"huika/terminal/journal/journaltest"
	"huika/terminal/journal/sqlite"
)

// disk copies the files for a crash: what a killed process leaves behind is
// what was written, and its locks are gone.
type disk struct {
	dir  string
	open *sqlite.Store
}

func (d *disk) Open(t testing.TB, crash bool) journal.Store {
	path := filepath.Join(d.dir, "journal.db")
	if d.open != nil {
		if crash {
			next := filepath.Join(d.dir, "crash")
			if err := os.MkdirAll(next, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"", "-wal"} {
				copyFile(t, path+suffix, filepath.Join(next, "journal.db"+suffix))
			}
			d.dir, path = next, filepath.Join(next, "journal.db")
		}
		if err := d.open.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if d.open == nil {
		t.Cleanup(func() {
			if err := d.open.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	d.open = s
	return s
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	journaltest.Run(t, func(t testing.TB) journaltest.Disk { return &disk{dir: t.TempDir()} })
}

func BenchmarkAppend(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "journal.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := pay.STAN(0)
	for b.Loop() {
		n = n.Next()
		if err := s.Append(b.Context(), journal.Numbered{Key: journal.Key{Batch: "000001", STAN: n}}); err != nil {
			b.Fatal(err)
		}
	}
}

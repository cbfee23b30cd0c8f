package site_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A backup of a shop that goes on selling, restored elsewhere, holds every
// payment that was approved before it began, and is whole.
func TestBackupAndRestore(t *testing.T) {
	l := openLife(t)
	for range 3 {
		l.approved(terminal.Request{Amount: pay.Fen(100)})
	}
	on, sold := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		n := 0
		for ; on.Err() == nil; n++ {
			l.approved(terminal.Request{Amount: pay.Fen(100)})
		}
		done <- n
	}()
	to := filepath.Join(t.TempDir(), "backup")
	m, err := site.Backup(t.Context(), rt.Real(), l.Kit.Config, to, quiet)
	sold()
	meanwhile := <-done
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d payments in the backup, %d sold meanwhile", m.Payments, meanwhile)
	if m.Payments < 3 {
		t.Errorf("the backup holds %d payments, 3 were approved before it began", m.Payments)
	}
	cfg := site.Default()
	cfg.Data = filepath.Join(t.TempDir(), "restored")
	rep, err := site.Restore(t.Context(), rt.Real(), cfg, to, quiet)
	if err != nil || !rep.Sound() || rep.Payments != m.Payments {
		t.Fatalf("%v %+v", err, rep)
	}
	// What was restored opens for business: the card numbers in it can be read, and it sells.
	s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true, Terminal: true}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { check(t, s.Close()) }()
	check(t, s.WaitReady(t.Context()))

	if _, err := site.Restore(t.Context(), rt.Real(), cfg, to, quiet); !errors.Is(err, site.ErrBackup) {
		t.Errorf("restored over a data directory: %v", err)
	}
	if _, err := site.Backup(t.Context(), rt.Real(), l.Kit.Config, to, quiet); !errors.Is(err, site.ErrBackup) {
		t.Errorf("backed up over a backup: %v", err)
	}
}

func TestDamagedBackupIsRefused(t *testing.T) {
	l := openLife(t)
	l.approved(terminal.Request{Amount: pay.Fen(100)})
	for name, damage := range map[string]func(dir string) error{
		"a bit of the books": func(dir string) error {
			path := filepath.Join(dir, "acquirer", "books.db")
			b, err := os.ReadFile(path)
			if err == nil {
				b[len(b)/2] ^= 1
				err = os.WriteFile(path, b, 0o600)
			}
			return err
		},
		"keys missing": func(dir string) error { return os.Remove(filepath.Join(dir, "keys.json")) },
		"not finished": func(dir string) error { return os.Remove(filepath.Join(dir, "backup.json")) },
	} {
		to := filepath.Join(t.TempDir(), "backup")
		if _, err := site.Backup(t.Context(), rt.Real(), l.Kit.Config, to, quiet); err != nil {
			t.Fatal(err)
		}
		check(t, damage(to))
		cfg := site.Default()
		cfg.Data = filepath.Join(t.TempDir(), "restored")
		if _, err := site.Restore(t.Context(), rt.Real(), cfg, to, quiet); !errors.Is(err, site.ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two hosts on one directory would each believe to be the only one.
func TestOneHostADirectory(t *testing.T) {
	l := openLife(t)
	_, err := site.Open(rt.Real(), l.Kit.Config, site.Parts{Acquirer: true}, quiet)
	if !errors.Is(err, site.ErrData) {
		t.Fatalf("a second host: %v", err)
	}
}

package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/sqlite"
	"huika/rt"
)

// manifestFile lists a backup's files; it is written last, so that a backup
// that was broken off has none.
const manifestFile = "backup.json"

// Manifest says what a backup holds.
type Manifest struct {
	Made     time.Time         `json:"made"`
	Mode     Mode              `json:"mode"`
	Payments int               `json:"payments"`
	Files    map[string]string `json:"files"` // SHA-256 in hex, by path
}

// ErrBackup is wrapped by errors about backups.
var ErrBackup = errors.New("backup")

// notCopied are folders and files of a data directory that a backup leaves
// out: the terminal's journal is the terminal's own, and locks are nobody's.
func notCopied(path string) bool {
	first, _, _ := strings.Cut(path, string(filepath.Separator))
	return first == "terminal" || strings.HasSuffix(path, "lock") || strings.HasPrefix(filepath.Base(path), booksFile) || strings.HasSuffix(path, ".new")
}

// Backup copies an acquirer's installation into a new folder: books, chain
// heads, keys, certificates. The host may go on meanwhile: the books are those
// of one moment, and no older than the heads. What was copied is proved whole
// before the backup counts. Errors: ErrBackup, ErrData, ErrConfig.
func Backup(ctx context.Context, env rt.Env, cfg Config, to string, log *slog.Logger) (m Manifest, err error) {
	if err := cfg.Check(); err != nil {
		return m, err
	}
	if err := cfg.embedded("copy the data directory's files, which hold keys and chain heads, and then, not before, the database with pg_dump or pg_basebackup"); err != nil {
		return m, err
	}
	if err := cfg.hasBooks(); err != nil {
		return m, err
	}
	if err := emptyDir(to); err != nil {
		return m, err
	}
	m = Manifest{Made: env.Now().UTC(), Mode: cfg.Mode, Files: map[string]string{}}
	err = filepath.WalkDir(cfg.Data, func(path string, d fs.DirEntry, err error) error {
		rel, rerr := filepath.Rel(cfg.Data, path)
		if err = errors.Join(err, rerr); err != nil || d.IsDir() || notCopied(rel) {
			return err
		}
		return m.copy(cfg.Data, to, rel)
	})
	if err == nil { // after the heads, so that they are not ahead of it
		err = sqlite.Copy(ctx, cfg.path("acquirer", booksFile), filepath.Join(to, "acquirer", booksFile))
	}
	if err == nil {
		err = syncFile(filepath.Join(to, "acquirer", booksFile))
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	copied := cfg
	copied.Data = to
	rep, err := Verify(ctx, env, copied, log)
	switch {
	case err != nil:
		return m, fmt.Errorf("%w: the copy can't be verified: %w", ErrBackup, err)
	case !rep.Sound():
		return m, fmt.Errorf("%w: the copied books are not whole: %v", ErrBackup, rep.Findings[0])
	}
	m.Payments = rep.Payments
	if err := m.again(to); err != nil { // verifying brings the books' file up to date
		return m, err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return m, err
	}
	return m, writeDurable(filepath.Join(to, manifestFile), text)
}

// Restore makes a new data directory of a backup, and proves its books. It
// never writes over anything. Errors: ErrBackup, ErrData.
func Restore(ctx context.Context, env rt.Env, cfg Config, from string, log *slog.Logger) (*book.Report, error) {
	if err := cfg.embedded("restore the database with pg_restore, put the saved data directory's files back, and run huika verify"); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(from, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no finished backup: %w", ErrBackup, from, err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackup, manifestFile, err)
	}
	if m.Mode != cfg.Mode {
		return nil, fmt.Errorf("%w: it is of mode %s, this is mode %s", ErrBackup, m.Mode, cfg.Mode)
	}
	if err := emptyDir(cfg.Data); err != nil {
		return nil, err
	}
	var paths []string
	for rel := range m.Files {
		if !filepath.IsLocal(rel) {
			return nil, fmt.Errorf("%w: the list names %q, outside the backup", ErrBackup, rel)
		}
		paths = append(paths, rel)
	}
	slices.Sort(paths)
	restored := Manifest{Files: map[string]string{}}
	for _, rel := range paths {
		if err := restored.copy(from, cfg.Data, rel); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if restored.Files[rel] != m.Files[rel] {
			return nil, fmt.Errorf("%w: %s is not what was backed up: the backup is damaged", ErrBackup, rel)
		}
	}
	return Verify(ctx, env, cfg, log)
}

// embedded refuses books that are not in the data directory, and says what to do instead.
func (c *Config) embedded(do string) error {
	if c.Acquirer.Store != storePostgres {
		return nil
	}
	return fmt.Errorf("%w: the books are in PostgreSQL, whose operator keeps their backups: %s (docs/recipes/postgresql.md)", ErrBackup, do)
}

// emptyDir makes a folder that must not hold anything yet.
func emptyDir(dir string) error {
	if dir == "" {
		return fmt.Errorf("%w: name a folder", ErrBackup)
	}
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeDir(dir)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBackup, err)
	case len(list) > 0:
		return fmt.Errorf("%w: %s is not empty: name a new folder", ErrBackup, dir)
	}
	return nil
}

// copy copies one file durably and notes its hash.
func (m Manifest) copy(from, to, rel string) error {
	if err := makeDir(filepath.Dir(filepath.Join(to, rel))); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(from, rel))
	if err != nil {
		return err
	}
	if err := writeDurable(filepath.Join(to, rel), text); err != nil {
		return err
	}
	return m.add(to, rel)
}

func (m Manifest) add(dir, rel string) error {
	f, err := os.Open(filepath.Join(dir, rel))
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	m.Files[rel] = hex.EncodeToString(h.Sum(nil))
	return errors.Join(err, f.Close())
}

// syncFile makes a file durable that somebody else wrote, and its name.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
}

// again takes the hashes of what the folder holds now; files that verifying
// left behind (the books' log) go with it.
func (m Manifest) again(dir string) error {
	clear(m.Files)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, rerr := filepath.Rel(dir, path)
		if err = errors.Join(err, rerr); err != nil || d.IsDir() || rel == "lock" {
			return err
		}
		return m.add(dir, rel)
	})
}

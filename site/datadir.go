package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"huika/pay"
)

// ErrData is wrapped by errors about the data directory.
var ErrData = errors.New("data directory")

// openData makes the directory on first use and checks its stamp afterwards:
// what was demo never becomes live, nor the other way round.
func openData(dir string, mode Mode) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) { // what holds an existing one need not be ours to read
		if err := makeDir(dir); err != nil {
			return err
		}
	}
	stamp := filepath.Join(dir, "mode")
	have, err := os.ReadFile(stamp)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeDurable(stamp, []byte(mode))
	case err != nil:
		return fmt.Errorf("%w: %w", ErrData, err)
	case Mode(have) != mode:
		return fmt.Errorf("%w: %s belongs to mode %s and can't be used in mode %s: choose another with --data", ErrData, dir, have, mode)
	}
	return nil
}

// makeDir makes a folder, unless it is there, and syncs the one that holds it:
// what is synced inside is worth nothing while a power cut can take the folder.
func makeDir(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = syncDir(filepath.Dir(filepath.Clean(dir)))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrData, err)
	}
	return nil
}

// writeDurable writes a file whole or not at all: temporary name, sync, rename, sync of the folder.
func writeDurable(path string, content []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrData, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrData, path, err)
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

// Secrets are the keys of one installation. In production each would live in
// a key store of its own; here they are files of the data directory, readable
// by its owner only, until the key store of package keys takes them over.
type Secrets struct {
	Seal        pay.Secret // AES-256: card numbers at rest (acquirer)
	Terminal    pay.Secret // AES-256: the terminal's journal and receipts
	Trace       pay.Secret // AES-256: whole traces
	Fingerprint pay.Secret // AES-128: digest of a message
	Heads       pay.Secret // AES-128: MAC of the chain heads kept outside the books
	TMK         pay.Secret // AES-128: terminal master key
	IssuerZPK   pay.Secret // TDES, schemes and issuer
	IssuerMAC   pay.Secret // AES-128, schemes and issuer
	Pairing     pay.Secret // 16 bytes: proves that a browser was paired with this terminal

	Schemes map[string]ZoneKeys // host and scheme, by the scheme's name
}

// ZoneKeys are what host and one scheme share.
type ZoneKeys struct {
	PIN    pay.Secret // TDES: what a connection begins with
	MAC    pay.Secret // AES-128, likewise
	Master pay.Secret // AES-128: wraps the working keys that are exchanged
}

type secretRow struct {
	name string
	size int
	to   *pay.Secret
}

func (s *Secrets) rows() []secretRow {
	return []secretRow{
		{"seal", 32, &s.Seal}, {"terminal", 32, &s.Terminal}, {"trace", 32, &s.Trace}, {"fingerprint", 16, &s.Fingerprint},
		{"heads", 16, &s.Heads}, {"tmk", 16, &s.TMK},
		{"issuer_zpk", 16, &s.IssuerZPK}, {"issuer_mac", 16, &s.IssuerMAC}, {"pairing", 16, &s.Pairing},
	}
}

// rows are a scheme's keys in the file. UnionPay's have the names of the time
// when it was the only scheme.
func (z *ZoneKeys) rows(scheme string) []secretRow {
	prefix := "scheme_" + scheme
	if scheme == SchemeName {
		prefix = "acquirer"
	}
	return []secretRow{{prefix + "_zpk", 16, &z.PIN}, {prefix + "_mac", 16, &z.MAC}, {prefix + "_zmk", 16, &z.Master}}
}

// NewSecrets draws a fresh set, with zone keys of the built-in schemes.
func NewSecrets(rand io.Reader) (Secrets, error) {
	var s Secrets
	for _, r := range s.rows() {
		if err := r.draw(rand); err != nil {
			return s, err
		}
	}
	_, err := s.readSchemes(nil, Default().schemeNames(), rand)
	return s, err
}

func (r secretRow) draw(rand io.Reader) error {
	b := make([]byte, r.size)
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	*r.to = pay.NewSecret(b)
	return nil
}

// readSchemes takes the schemes' keys from m and draws those that are missing.
func (s *Secrets) readSchemes(m map[string][]byte, names []string, rand io.Reader) (drawn bool, err error) {
	s.Schemes = map[string]ZoneKeys{}
	for _, name := range names {
		var z ZoneKeys
		for _, r := range z.rows(name) {
			if have := m[r.name]; len(have) == r.size {
				*r.to = pay.NewSecret(have)
				continue
			}
			drawn = true
			if err := r.draw(rand); err != nil {
				return drawn, err
			}
		}
		s.Schemes[name] = z
	}
	return drawn, nil
}

// loadSecrets reads keys.json of the data directory, or makes it. Zone keys of a
// scheme that is new to the directory are added.
func loadSecrets(dir string, mode Mode, schemes []string, rand io.Reader) (Secrets, error) {
	path := filepath.Join(dir, "keys.json")
	var s Secrets
	m := map[string][]byte{}
	text, err := os.ReadFile(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh:
		if s, err = NewSecrets(rand); err != nil {
			return s, err
		}
	case err != nil:
		return s, fmt.Errorf("%w: %w", ErrData, err)
	default:
		if err := json.Unmarshal(text, &m); err != nil {
			return s, fmt.Errorf("%w: %s is damaged; restore it from a backup: without it nothing sealed can be opened", ErrData, path)
		}
		if _, marked := m[demoKeys]; marked && mode == Live {
			return s, fmt.Errorf("%w: %s holds keys of a demonstration: live needs its own (they are made when the file is missing)", ErrConfig, path)
		}
		for _, r := range s.rows() {
			if len(m[r.name]) != r.size {
				return s, fmt.Errorf("%w: %s: key %s is missing or has a wrong length", ErrData, path, r.name)
			}
			*r.to = pay.NewSecret(m[r.name])
		}
	}
	drawn, err := s.readSchemes(m, schemes, rand)
	if err != nil || !drawn && !fresh {
		return s, err
	}
	return s, saveSecrets(path, mode, m, s)
}

// saveSecrets writes s over what the file held: keys of a scheme that is not
// configured any more stay.
func saveSecrets(path string, mode Mode, m map[string][]byte, s Secrets) error {
	if mode == Demo {
		m[demoKeys] = []byte{1} // the mark that live refuses
	}
	for _, r := range s.rows() {
		m[r.name] = r.to.Reveal()
	}
	for name, z := range s.Schemes {
		for _, r := range z.rows(name) {
			m[r.name] = r.to.Reveal()
		}
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return writeDurable(path, text)
}

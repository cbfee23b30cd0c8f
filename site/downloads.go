package site

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"huika/iso8583/pos"
	"huika/pay"
)

// MaxBlacklist bounds a blacklist; a terminal takes no longer one.
const MaxBlacklist = 20_000

// downloads is what terminals are given after their sign-in.
type downloads struct {
	params   pos.Parameters
	freeBINs []string
	blocked  atomic.Pointer[[]string]
}

func (d *downloads) Parameters(pay.TerminalID) pos.Parameters { return d.params }
func (d *downloads) FreeBINs() []string                       { return d.freeBINs }
func (d *downloads) Blacklist() []string                      { return *d.blocked.Load() }

// downloads are those of the configuration; version tells one state of the
// blacklist's file from the next.
func (c Config) downloads() (d *downloads, version string, err error) {
	d = &downloads{params: pos.Parameters{Free: true, CDCVM: !c.Acquirer.NoCDCVM, NoPINLimit: c.Acquirer.NoPINLimit}, freeBINs: prefixesOf(SchemeName)}
	if d.params.NoPINLimit == 0 {
		d.params.NoPINLimit = c.Terminal.CVMLimit - 1
	}
	list, version, err := c.blacklist()
	d.blocked.Store(&list)
	return d, version, err
}

// blacklist reads acquirer.blacklist: one card number a line, # begins a comment.
func (c Config) blacklist() (list []string, version string, err error) {
	path := c.Acquirer.Blacklist
	if path == "" {
		return nil, "", nil
	}
	bad := func(format string, args ...any) ([]string, string, error) {
		return nil, version, fmt.Errorf("%w: acquirer.blacklist: %s: %w", ErrConfig, path, fmt.Errorf(format, args...))
	}
	info, err := os.Stat(path)
	if err != nil {
		return bad("%w", err)
	}
	version = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	f, err := os.Open(path)
	if err != nil {
		return bad("%w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	lines, n := bufio.NewScanner(f), 0
	for lines.Scan() {
		n++
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		card, err := pay.ParsePAN(text)
		if err != nil {
			return bad("line %d is no card number", n) // never print it
		}
		if list = append(list, card.Reveal()); len(list) > MaxBlacklist {
			return bad("more than %d card numbers", MaxBlacklist)
		}
	}
	if err := lines.Err(); err != nil {
		return bad("%w", err)
	}
	return list, version, nil
}

// followBlacklist reads the blacklist again when its file changes, until ctx ends. One
// that can't be read is said in the log, and the one in use stays.
func (s *System) followBlacklist(ctx context.Context, d *downloads, version string) {
	k := s.Kit
	for k.Env.Sleep(ctx, binsEvery) == nil {
		list, now, err := k.Config.blacklist()
		switch {
		case now == version && now != "":
		case err != nil && !errors.Is(err, os.ErrNotExist):
			k.Log.Error("the blacklist was changed and can't be used: the old one stays", "err", err)
			version = now
		case err == nil:
			version = now
			d.blocked.Store(&list)
			k.Log.Info("blacklist exchanged", "cards", len(list))
		}
	}
}

package site_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

// What the acquirer configures reaches the terminal with its sign-in: the limit
// without a PIN on either side of its edge, and the blacklist as the kernel's
// exception file.
func TestTerminalGoesByTheDownloads(t *testing.T) {
	l := openLife(t, func(c *site.Config) {
		c.Acquirer.NoPINLimit = 50_000
		c.Timeouts.PIN = ms(300)
		c.Acquirer.Blacklist = filepath.Join(c.Data, "blacklist")
		check(t, os.WriteFile(c.Acquirer.Blacklist, []byte("# none of ours\n4761739001010119\n"), 0o600))
	})
	if r := l.approved(terminal.Request{Amount: pay.Fen(50_000)}); r.CVM == "online_pin" {
		t.Errorf("at the limit: CVM %s", r.CVM)
	}
	if r := l.do(terminal.Request{Amount: pay.Fen(50_001)}); r.Outcome == terminal.Approved || !strings.Contains(r.Reason, "pin") {
		t.Errorf("one fen above the limit: %s %s; want the PIN pad", r.Outcome, r.Reason)
	}
}

func TestBlacklistedCardIsDeclinedAtTheTerminal(t *testing.T) {
	l := openLife(t, func(c *site.Config) {
		c.Acquirer.Blacklist = filepath.Join(c.Data, "blacklist")
		check(t, os.WriteFile(c.Acquirer.Blacklist, nil, 0o600))
	})
	l.approved(terminal.Request{Amount: pay.Fen(100)})
	var card string
	for _, a := range l.Kit.Cards.Accounts(func(string) string { return "123456" }) {
		if a.Profile == waved {
			card = a.PAN.Reveal()
		}
	}
	check(t, l.Close())
	cfg := l.Kit.Config
	check(t, os.WriteFile(cfg.Acquirer.Blacklist, []byte(card+"\n"), 0o600))
	again := openLife(t, func(c *site.Config) { *c = cfg })
	if r := again.do(terminal.Request{Amount: pay.Fen(100)}); r.Outcome != terminal.Declined || r.Reason != "card_blocked" {
		t.Errorf("a card of the blacklist: %s %s", r.Outcome, r.Reason)
	}
}

func TestBlacklistErrors(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, says string }{
		"not a number": {"4761739001010119\nhello\n", "line 2"},
		"too many":     {strings.Repeat("4761739001010119\n", site.MaxBlacklist+1), "more than"},
	} {
		cfg := site.Default()
		cfg.Data, cfg.Acquirer.Blacklist = filepath.Join(dir, name), filepath.Join(dir, "list "+name)
		check(t, os.WriteFile(cfg.Acquirer.Blacklist, []byte(c.text), 0o600))
		refused(t, rt.Real(), cfg, site.Parts{World: true, Acquirer: true}, c.says)
	}
	cfg := site.Default()
	cfg.Data, cfg.Acquirer.Blacklist = filepath.Join(dir, "gone"), filepath.Join(dir, "nowhere")
	if s, err := site.Open(rt.Real(), cfg, site.Parts{World: true, Acquirer: true}, quiet); !errors.Is(err, site.ErrConfig) {
		_ = s.Close()
		t.Errorf("a missing file: %v", err)
	}
}

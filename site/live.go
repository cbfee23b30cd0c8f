package site

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"huika/card/perso"
	"huika/emv/oda"
	"huika/rt"
)

// What may exist only in a demonstration carries a mark, and live refuses it:
// certificates (DemoMark in the authority's name), keys (demoKeys in their
// file), card schemes' CA keys (an index of the demonstration's own range).
const demoKeys = "demo"

// checkLive refuses configuration that may exist only in a demonstration.
func (c *Config) checkLive(bad func(field, format string, args ...any) error) error {
	if c.Terminal.DemoListen != "" {
		return bad("terminal.demo_listen", "live has no card tray and no fault buttons: leave it empty")
	}
	if c.Terminal.Reader == "memory" {
		return bad("terminal.reader", "the memory reader is for simulated cards: live needs pcsc")
	}
	for _, l := range []struct{ field, addr string }{{"terminal.listen", c.Terminal.Listen}, {"acquirer.metrics_listen", c.Acquirer.MetricsListen}} {
		if host, _, _ := net.SplitHostPort(l.addr); l.addr != "" && !loopback(host) {
			return bad(l.field, "%q is reachable from outside without TLS and sign-in: live allows loopback only", l.addr)
		}
	}
	if l := c.Acquirer.Console; l.Listen != "" && l.Cert == "" {
		if host, _, _ := net.SplitHostPort(l.Listen); !loopback(host) {
			return bad("acquirer.console.listen", "%q is reachable from outside without TLS: give acquirer.console.cert and key, or listen on 127.0.0.1", l.Listen)
		}
	}
	if c.Terminal.CAKeys == "" {
		return bad("terminal.ca_keys", "live needs the schemes' CA keys: name their file")
	}
	return nil
}

// refuseDemonstration is live's look at what a configuration can't show: who is
// asked to run, and on what.
func refuseDemonstration(env rt.Env, parts Parts) error {
	if parts.World {
		return fmt.Errorf("%w: mode: live has no stand-ins: connect a scheme instead", ErrConfig)
	}
	if !rt.IsReal(env) {
		return fmt.Errorf("%w: mode: live runs on the machine's own clock and randomness, not on simulated ones", ErrConfig)
	}
	return nil
}

// caFile is one key of terminal.ca_keys.
type caFile struct {
	RID      string `json:"rid"`      // 10 hex digits
	Index    string `json:"index"`    // 2 hex digits, 8F
	Modulus  string `json:"modulus"`  // hex
	Exponent string `json:"exponent"` // hex: 03 or 010001
	Expiry   string `json:"expiry"`   // 2030-12-31, the last day; "" for none
	Checksum string `json:"checksum"` // hex, SHA-1 over RID, index, modulus and exponent (EMV Book 2, 11.2.2)
}

// maxCAFile bounds the file of CA keys.
const maxCAFile = 1 << 20

// readCAKeys reads the schemes' CA keys. mode Live refuses the demonstration's range.
func readCAKeys(path string, mode Mode) (*oda.CAStore, error) {
	bad := func(format string, args ...any) (*oda.CAStore, error) {
		return nil, fmt.Errorf("%w: terminal.ca_keys: %s: %w", ErrConfig, path, fmt.Errorf(format, args...))
	}
	info, err := os.Stat(path)
	if err != nil {
		return bad("%w", err)
	}
	if info.Size() > maxCAFile {
		return bad("%d bytes, more than %d: is it the right file?", info.Size(), maxCAFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return bad("%w", err)
	}
	var list []caFile
	if err := json.Unmarshal(text, &list); err != nil {
		return bad("%w", err)
	}
	if len(list) == 0 {
		return bad("it holds no key")
	}
	store := oda.NewCAStore()
	for i, k := range list {
		key, sum, err := k.key()
		if err == nil && mode == Live && perso.IsDemoCA(key) {
			err = fmt.Errorf("index %02X is of the demonstration's range: live refuses it", key.Index)
		}
		if err == nil {
			err = store.Add(key, sum)
		}
		if err != nil {
			return bad("key %d: %w", i+1, err)
		}
	}
	return store, nil
}

func (f caFile) key() (key oda.CAKey, sum [sha1.Size]byte, err error) {
	take := func(name, text string, length int) []byte {
		b, herr := hex.DecodeString(text)
		if herr != nil || len(b) == 0 || length > 0 && len(b) != length {
			err = errors.Join(err, fmt.Errorf("%s: want hex of %d bytes", name, length))
			return make([]byte, max(length, 1))
		}
		return b
	}
	key.RID = [5]byte(take("rid", f.RID, 5))
	key.Index = take("index", f.Index, 1)[0]
	key.Modulus, key.Exponent = take("modulus", f.Modulus, 0), take("exponent", f.Exponent, 0)
	sum = [sha1.Size]byte(take("checksum", f.Checksum, sha1.Size))
	if f.Expiry != "" {
		last, perr := time.Parse(time.DateOnly, f.Expiry)
		if perr != nil {
			err = errors.Join(err, fmt.Errorf("expiry %q: want a day like 2030-12-31", f.Expiry))
		}
		key.Expiry = last.AddDate(0, 0, 1)
	}
	return key, sum, err
}

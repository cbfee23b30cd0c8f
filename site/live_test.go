package site_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/card/perso"
	"huika/emv/oda"
	"huika/rt"
	"huika/sim/sched"
	"huika/site"
)

// live is a configuration that live accepts, over a data directory with a
// certificate authority of its own.
func live(t *testing.T) site.Config {
	t.Helper()
	cfg := site.Default()
	cfg.Mode, cfg.Data = site.Live, t.TempDir()
	cfg.Terminal.DemoListen, cfg.Terminal.Reader = "", "pcsc"
	cfg.Terminal.CAKeys = caKeys(t, 0x0B)
	cfg.World.Scheme = "127.0.0.1:7002"
	authority(t, cfg.Data, "Example Payments CA")
	return cfg
}

func authority(t *testing.T, data, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	check(t, os.MkdirAll(filepath.Join(data, "pki"), 0o700))
	check(t, os.WriteFile(filepath.Join(data, "pki", "ca.pem"), text, 0o600))
}

// caKeys writes a file of one CA key under the given index.
func caKeys(t *testing.T, index byte) string {
	t.Helper()
	store, err := perso.TestIssuer().CAStore()
	check(t, err)
	k := store.Keys()[0]
	k.Index = index
	return writeCAKeys(t, k, nil)
}

func writeCAKeys(t *testing.T, k oda.CAKey, change func(map[string]string)) string {
	t.Helper()
	sum := k.Checksum()
	m := map[string]string{
		"rid": hex.EncodeToString(k.RID[:]), "index": hex.EncodeToString([]byte{k.Index}), "modulus": hex.EncodeToString(k.Modulus),
		"exponent": hex.EncodeToString(k.Exponent), "expiry": "2039-12-31", "checksum": hex.EncodeToString(sum[:]),
	}
	if change != nil {
		change(m)
	}
	text, err := json.Marshal([]map[string]string{m})
	check(t, err)
	path := filepath.Join(t.TempDir(), "ca.json")
	check(t, os.WriteFile(path, text, 0o600))
	return path
}

// refused opens and wants an error of the configuration that says what is wrong.
func refused(t *testing.T, env rt.Env, cfg site.Config, parts site.Parts, says string) {
	t.Helper()
	s, err := site.Open(env, cfg, parts, quiet)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, site.ErrConfig) && !errors.Is(err, site.ErrData) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want something about %q", err, says)
	}
}

func TestLiveOpens(t *testing.T) {
	s, err := site.Open(rt.Real(), live(t), site.Parts{Acquirer: true}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Close())
}

func TestLiveRefusesWhatIsOfADemonstration(t *testing.T) {
	host := site.Parts{Acquirer: true}
	for name, c := range map[string]struct {
		change func(*site.Config)
		parts  site.Parts
		says   string
	}{
		"nobody to ask":            {func(c *site.Config) { c.World.Scheme = "127.0.0.1:0" }, host, "acquirer.schemes"},
		"card tray":                {func(c *site.Config) { c.Terminal.DemoListen = "127.0.0.1:0" }, host, "terminal.demo_listen"},
		"memory reader":            {func(c *site.Config) { c.Terminal.Reader = "memory" }, host, "terminal.reader"},
		"page open to the network": {func(c *site.Config) { c.Terminal.Listen = "0.0.0.0:8080" }, host, "terminal.listen"},
		"metrics to the network":   {func(c *site.Config) { c.Acquirer.MetricsListen = ":9000" }, host, "acquirer.metrics_listen"},
		"no CA keys":               {func(c *site.Config) { c.Terminal.CAKeys = "" }, host, "terminal.ca_keys"},
		"stand-ins":                {func(*site.Config) {}, site.Parts{World: true, Acquirer: true}, "stand-ins"},
		"CA key of the demo range": {func(c *site.Config) { c.Terminal.CAKeys = caKeys(t, 0xE1) }, site.Parts{Terminal: true}, "E1"},
		"no authority":             {func(c *site.Config) { c.Data = t.TempDir() }, host, "certificate authority of your own"},
		"demo authority":           {func(c *site.Config) { authority(t, c.Data, "Huika DEMO CA") }, host, "DEMO"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := live(t)
			c.change(&cfg)
			refused(t, rt.Real(), cfg, c.parts, c.says)
		})
	}
}

func TestLiveRefusesSeededRandomness(t *testing.T) {
	w := sched.New(sched.Config{Seed: 1})
	defer w.Close()
	refused(t, w.Node("host"), live(t), site.Parts{Acquirer: true}, "randomness")
}

// Keys that a demonstration made are marked: copied into a live directory they are refused.
func TestLiveRefusesDemoKeys(t *testing.T) {
	demo := site.Default()
	demo.Data = t.TempDir()
	_, err := site.OpenKit(rt.Real(), demo, quiet)
	check(t, err)
	keys, err := os.ReadFile(filepath.Join(demo.Data, "keys.json"))
	check(t, err)
	cfg := live(t)
	check(t, os.WriteFile(filepath.Join(cfg.Data, "keys.json"), keys, 0o600))
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "demonstration")
}

// A data directory belongs to one mode for ever.
func TestModeIsStamped(t *testing.T) {
	demo := site.Default()
	demo.Data = t.TempDir()
	_, err := site.OpenKit(rt.Real(), demo, quiet)
	check(t, err)
	cfg := live(t)
	cfg.Data = demo.Data
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "belongs to mode demo")
}

func TestCAKeysAreChecked(t *testing.T) {
	store, err := perso.TestIssuer().CAStore()
	check(t, err)
	k := store.Keys()[0]
	for name, change := range map[string]func(map[string]string){
		"checksum": func(m map[string]string) { m["checksum"] = strings.Repeat("00", 20) },
		"modulus":  func(m map[string]string) { m["modulus"] = "zz" },
		"rid":      func(m map[string]string) { m["rid"] = "A0" },
		"index":    func(m map[string]string) { m["index"] = "" },
		"expiry":   func(m map[string]string) { m["expiry"] = "31.12.2030" },
	} {
		cfg := site.Default()
		cfg.Data = t.TempDir()
		cfg.Terminal.CAKeys = writeCAKeys(t, k, change)
		refused(t, rt.Real(), cfg, site.Parts{Terminal: true}, name)
	}
	cfg := site.Default()
	cfg.Data, cfg.Terminal.CAKeys = t.TempDir(), filepath.Join(t.TempDir(), "missing.json")
	refused(t, rt.Real(), cfg, site.Parts{Terminal: true}, "terminal.ca_keys")
}

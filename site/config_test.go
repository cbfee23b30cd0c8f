package site_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"huika/site"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"unknown field":       {"[terminal]\nreder = \"pcsc\"", "terminal.reder"},
		"unknown table":       {"[terminals]\nid = \"x\"", "terminals"},
		"wrong type":          {"[acquirer]\nlanes = \"many\"", "acquirer.lanes"},
		"not TOML":            {"mode = ", "line 1"},
		"duration":            {"[timeouts]\nissuer = \"3 parsecs\"", "issuer"},
		"mode":                {`mode = "test"`, "mode"},
		"merchant":            {"[merchant]\nid = \"1\"", "merchant.id"},
		"terminal":            {"[terminal]\nid = \"1\"", "terminal.id"},
		"zone":                {"[merchant]\nzone = \"Mars/Olympus\"", "merchant.zone"},
		"category":            {"[merchant]\ncategory = 12345", "merchant.category"},
		"country":             {"[merchant]\ncountry = 0", "merchant.country"},
		"tariff":              {"[[merchant.tariff]]\nname = \"a\"\nrate = -1", "merchant.tariff"},
		"reader":              {"[terminal]\nreader = \"usb\"", "terminal.reader"},
		"limit":               {"[terminal]\ncvm_limit = 0", "terminal.cvm_limit"},
		"listen":              {"[terminal]\nlisten = \"8080\"", "terminal.listen"},
		"lanes":               {"[acquirer]\nlanes = 0", "acquirer.lanes"},
		"store":               {"[acquirer]\nstore = \"mongo\"", "acquirer.store"},
		"store without a DSN": {"[acquirer]\nstore = \"postgres\"", "acquirer.dsn"},
		"lease":               {"[acquirer]\nlease = \"1ms\"", "acquirer.lease"},
		"level":               {"[log]\nlevel = \"loud\"", "log.level"},
		"PIN":                 {"[world]\npin = \"12\"", "world.pin"},
		"timeouts":            {"[timeouts]\nscheme = \"1s\"", "timeouts"},
		"scheme's dialect":    {"[[acquirer.schemes]]\nname = \"a\"\ndialect = \"morse\"\naddress = \"h:1\"", "acquirer.schemes: a: dialect"},
		"scheme's name":       {"[[acquirer.schemes]]\nname = \"A B\"\ndialect = \"cup\"\naddress = \"h:1\"", "acquirer.schemes: name"},
		"scheme twice":        {"[[acquirer.schemes]]\nname = \"a\"\ndialect = \"cup\"\naddress = \"h:1\"\n[[acquirer.schemes]]\nname = \"a\"\ndialect = \"jcb\"\naddress = \"h:1\"", "stands twice"},
		"scheme's address":    {"[[acquirer.schemes]]\nname = \"a\"\ndialect = \"cup\"\naddress = \"7002\"", "acquirer.schemes: a: address"},
		"scheme's alternate":  {"[[acquirer.schemes]]\nname = \"a\"\ndialect = \"cup\"\naddress = \"h:1\"\nalternate = [\"h\"]", "acquirer.schemes: a: address"},
		"scheme's window":     {"[[acquirer.schemes]]\nname = \"a\"\ndialect = \"cup\"\naddress = \"h:1\"\nwindow = -1", "acquirer.schemes: a: window"},
		"no data":             {`data = ""`, "data"},
	} {
		cfg := site.Default()
		err := site.Parse(&cfg, c.text)
		if err == nil {
			err = cfg.Check()
		}
		if !errors.Is(err, site.ErrConfig) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", name, err, c.says)
		}
	}
}

// The file, the environment over it; flags come after both.
func TestConfigLayers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huika.toml")
	check(t, os.WriteFile(path, []byte("data = \"from-file\"\n[terminal]\nid = \"HK000007\"\nhosts = [\"a\"]\n[timeouts]\nissuer = \"2s\"\n"), 0o600))
	cfg := site.Default()
	check(t, site.Load(&cfg, path, []string{"HUIKA_DATA=from-env", "HUIKA_TERMINAL_HOSTS=b,c", "HUIKA_TIMEOUTS_ISSUER=1500ms", "HUIKA_ACQUIRER_LANES=8", "HUIKA_VECTORS=x", "PATH=/bin"}))
	if cfg.Data != "from-env" || cfg.Terminal.ID != "HK000007" || strings.Join(cfg.Terminal.Hosts, " ") != "b c" || cfg.Timeouts.Issuer != ms(1500) || cfg.Acquirer.Lanes != 8 {
		t.Errorf("%+v", cfg)
	}
	check(t, cfg.Check())
	for _, bad := range []string{"HUIKA_TERMINAL_COLOUR=red", "HUIKA_ACQUIRER_LANES=eight", "HUIKA_TIMEOUTS_ISSUER=soon", "HUIKA_MERCHANT_TARIFF=x"} {
		name, _, _ := strings.Cut(bad, "=")
		if err := site.Load(&cfg, "", []string{bad}); !errors.Is(err, site.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := site.Load(&cfg, path+".missing", nil); !errors.Is(err, site.ErrConfig) {
		t.Errorf("missing file: %v", err)
	}
	check(t, os.WriteFile(path, make([]byte, site.MaxConfigBytes+1), 0o600))
	if err := site.Load(&cfg, path, nil); !errors.Is(err, site.ErrConfig) {
		t.Errorf("a file of a megabyte and a byte: %v", err)
	}
}

// Whatever stands in the file: an error of the configuration, or one that works.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"", "mode = \"live\"", "[terminal]\nid = \"HK000001\"\nreader = \"pcsc\"\nreader_name = [\"ACS\"]", "[[merchant.tariff]]\nname = \"a\"\nrate = 6000",
		"[timeouts]\nissuer = \"1h\"", "[acquirer]\nlanes = 9223372036854775807", "a.b.c = 1979-05-27T07:32:00Z", "x = [[[[1]]]]", "\"\\u0000\" = 1",
	} {
		f.Add(text, "DATA", "x")
	}
	f.Add("", "TERMINAL_HOSTS", ",")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		cfg := site.Default()
		for _, err := range []error{site.Parse(&cfg, text), site.Load(&cfg, "", []string{"HUIKA_" + name + "=" + value}), cfg.Check()} {
			if err != nil && !errors.Is(err, site.ErrConfig) {
				t.Fatalf("%v does not say that it is about the configuration", err)
			}
		}
	})
}

// A connection string holds a password; nothing that prints a configuration shows it.
func TestConfigHidesTheConnectionString(t *testing.T) {
	const secret = "s3cret"
	cfg := site.Default()
	check(t, site.Load(&cfg, "", []string{"HUIKA_ACQUIRER_STORE=postgres", "HUIKA_ACQUIRER_DSN=postgres://huika:" + secret + "@db/huika"}))
	check(t, cfg.Check())
	if !strings.Contains(string(cfg.Acquirer.DSN), secret) {
		t.Fatal("the connection string was not read")
	}
	text, err := json.Marshal(cfg)
	check(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("configuration", "acquirer", cfg.Acquirer, "dsn", cfg.Acquirer.DSN)
	for _, shown := range []string{string(text), log.String(), fmt.Sprintf("%v %+v %#v %s %q %x", cfg, cfg, cfg, cfg.Acquirer.DSN, cfg.Acquirer.DSN, cfg.Acquirer.DSN)} {
		if strings.Contains(shown, secret) || strings.Contains(shown, hex.EncodeToString([]byte(secret))) {
			t.Errorf("shown: %s", shown)
		}
	}
}

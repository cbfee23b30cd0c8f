package archtest

import (
	"path"
	"strings"
	"testing"
)

// arrow says what the packages that match from may import of ours. Patterns:
// "a/b" is that package, "a/*" those one level below, "a/**" a and all below.
type arrow struct {
	from string
	to   string // patterns with spaces between
}

const (
	data     = "emv/tlv emv/tag emv/dol emv/apdu emv/oda emv/cryptogram emv/bdh"
	messages = "iso8583/** keys/** quantum/** qr/** ecny/**"
	anything = "pay rt emv/** card/** nfc/** terminal/** acquirer/** world/** httpapi/** web site site/load sim/** " + messages
)

// arrows is "Arrows" of docs/ARCHITECTURE.md. The first line that matches a
// package is the one that counts, so the special ones stand first.
var arrows = []arrow{
	{"cmd/**", "cmd/** " + anything},
	{"site", "terminal/** acquirer/** world/** nfc/** card/** httpapi/** web emv/** pay rt " + messages},

	{"site/load", "site acquirer/host acquirer/payment acquirer/book acquirer/book/* iso8583/** keys/** pay rt"},

	{"pay", ""},
	{"rt", ""},
	{"web", ""},
	{"archtest", ""},

	{"emv", "pay"},
	{"emv/tlv", ""},
	{"emv/tag", "emv/tlv pay"},
	{"emv/dol", "emv/tlv emv/tag pay"},
	{"emv/apdu", "emv/tlv emv/tag pay"},
	{"emv/oda", "emv/tlv emv/tag pay"},
	{"emv/cryptogram", "emv/tlv emv/tag pay"},
	{"emv/bdh", "emv/tlv emv/tag emv/oda emv/cryptogram pay"},
	{"emv/book3", "emv pay " + data},
	{"emv/*", "emv emv/book3 pay " + data}, // entry and the kernels: none sees another

	{"card", "pay ecny/** " + data},
	{"card/perso", "card pay ecny/** " + data},
	{"nfc/**", "nfc/** emv/apdu rt"},

	{"iso8583", "pay"},
	{"iso8583/link", "iso8583 rt"},
	{"iso8583/scheme", "iso8583 pay"},
	{"iso8583/*", "iso8583 iso8583/scheme keys pay"}, // a dialect seals its working keys
	{"keys/**", "keys/** pay"},
	{"quantum/**", "quantum/** keys/** pay rt"},
	{"qr/**", "qr/** pay"},
	{"ecny/**", "ecny/** pay"},

	{"terminal/pinpad", "keys pay"},
	{"terminal/journal", "pay rt"},
	{"terminal/journal/*", "terminal/journal pay rt"},
	{"terminal/**", "terminal terminal/* emv/** nfc pay rt " + messages},

	{"acquirer/payment", "pay"},
	{"acquirer/host", "acquirer/* emv/tlv emv/tag pay rt " + messages},
	{"acquirer/merchant", "acquirer/bin pay"},
	{"acquirer/*", "acquirer/payment emv/tlv emv/tag iso8583/** keys/** qr/** ecny/** pay rt"},
	{"acquirer/book/*", "acquirer/book acquirer/payment pay rt"},

	{"world/tray", "world/* card/** nfc nfc/memory nfc/fault pay rt " + data},
	{"world/issuer/*", "world/issuer pay rt"},
	{"world/**", "world/* card/** emv/tlv emv/tag emv/dol emv/cryptogram emv/oda pay rt " + messages},

	{"httpapi/**", "httpapi/** terminal terminal/* acquirer/* world/* web pay rt"},
	{"sim", "site sim/** card card/perso nfc/memory terminal terminal/journal terminal/journal/memory terminal/journal/sqlite acquirer/book acquirer/book/memory acquirer/book/sqlite acquirer/book/headfile acquirer/payment world/issuer world/issuer/memlog world/issuer/filelog world/scheme pay rt"},
	{"sim/sched/**", "sim/sched/** rt"},
	{"sim/*", "site sim/** acquirer/book acquirer/payment terminal/journal world/issuer pay rt"},
}

// adapters are stores. Only site, and the program, choose one.
var adapters = []string{
	"acquirer/book/sqlite", "acquirer/book/postgres", "acquirer/book/memory", "acquirer/book/headfile",
	"terminal/journal/sqlite", "terminal/journal/memory",
	"world/issuer/filelog", "world/issuer/memlog",
}

// foreign says who may import which module of somebody else. A new one needs a
// line in docs/adr/ as well.
var foreign = []arrow{
	{"github.com/alecthomas/kong", "cmd/**"},
	{"github.com/BurntSushi/toml", "site"},
	{"github.com/danielgtaylor/huma/v2", "httpapi/** site"},
	{"github.com/ebitengine/purego", "nfc/pcsc"},
	{"github.com/emmansun/gmsm", "emv/oda emv/cryptogram"},
	{"github.com/jackc/pgx/v5", "acquirer/book/postgres acquirer/book/postgres/pgtest site"},
	{"github.com/pressly/goose/v3", "acquirer/book/sqlite acquirer/book/postgres terminal/journal/sqlite"},
	{"github.com/prometheus/client_golang", "site httpapi/** cmd/**"},
	{"github.com/xuri/excelize/v2", "httpapi/console"},
	{"golang.org/x/text", "terminal/receipt"},
	{"golang.org/x/sys", "nfc/pcsc site cmd/**"},
	{"go.yaml.in/yaml/v3", "card/perso"},
	{"modernc.org/sqlite", "acquirer/book/sqlite terminal/journal/sqlite"},
	{"pgregory.net/rapid", "acquirer/book/booktest terminal/journal/journaltest"},
}

func matches(pattern, pkg string) bool {
	if root, ok := strings.CutSuffix(pattern, "/**"); ok {
		return under(pkg, root)
	}
	if root, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(pkg) == root
	}
	return pattern == pkg
}

func allowed(patterns, pkg string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

// suite says that a package is a contract suite for tests, like booktest.
func suite(pkg string) bool { return strings.HasSuffix(pkg, "test") && pkg != "archtest" }

// judge says what is wrong with the import of path by package from, or "".
func judge(from, path string) string {
	pkg, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
			return "" // the standard library
		}
		for _, f := range foreign {
			if under(path, f.from) && allowed(f.to, from) {
				return ""
			}
		}
		return "foreign imports " + path + " there"
	}
	if suite(from) {
		from = strings.TrimSuffix(from, "/"+lastPart(from)) // a suite may what its subject may,
		if pkg == from {
			return "" // and import its subject
		}
	} else if suite(pkg) {
		return "nobody but tests imports the suite " + pkg
	}
	for _, a := range adapters {
		// sim owns the disks that outlive its crashes: docs/adr/0006.
		if pkg == a && !under(from, "cmd", "site") && from != "sim" {
			return "nobody but site imports the adapter " + pkg
		}
	}
	for _, a := range arrows {
		if matches(a.from, from) {
			if allowed(a.to, pkg) {
				return ""
			}
			return "no arrow to " + pkg
		}
	}
	return "no line in the table of arrows for it"
}

func lastPart(pkg string) string { return pkg[strings.LastIndex(pkg, "/")+1:] }

func TestArrows(t *testing.T) {
	for _, f := range sources(t) {
		if f.test() {
			continue // tests may cross: a contract suite is run from where the subject is
		}
		for _, i := range f.imports() {
			if why := judge(f.folder(), i); why != "" {
				t.Errorf("%s: %s", f.path, why)
			}
		}
	}
}

// TestArrowsRefuse plants imports that must not pass, and some that must.
func TestArrowsRefuse(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"emv/c7", "huika/emv/oda", true},
		{"emv/c7", "huika/emv/c2", false},
		{"emv/c7", "huika/rt", false},
		{"emv/c6", "huika/emv/book3", true},
		{"emv/book3", "huika/emv/c6", false},
		{"emv/oda", "huika/emv/book3", false},
		{"emv/tlv", "huika/pay", false},
		{"card", "huika/nfc", false},
		{"nfc/vpcd", "huika/card", false},
		{"terminal", "huika/nfc", true},
		{"terminal", "huika/nfc/pcsc", false},
		{"terminal", "huika/acquirer/payment", false},
		{"terminal", "huika/terminal/journal/sqlite", false},
		{"terminal/pinpad", "huika/terminal", false},
		{"acquirer/host", "huika/acquirer/book", true},
		{"acquirer/host", "huika/acquirer/book/memory", false},
		{"acquirer/host", "huika/world/scheme", false},
		{"acquirer/host", "huika/emv/oda", false},
		{"acquirer/risk", "huika/acquirer/host", false},
		{"acquirer/risk", "huika/acquirer/payment", true},
		{"world/scheme", "huika/acquirer/payment", false},
		{"world/scheme", "huika/nfc/memory", false},
		{"world/tray", "huika/nfc/memory", true},
		{"site", "huika/acquirer/book/sqlite", true},
		{"site", "huika/sim", false},
		{"sim", "huika/site", true},
		{"sim", "huika/httpapi/pos", false},
		{"sim/sched", "huika/site", false},
		{"iso8583", "huika/keys", false},
		{"iso8583/link", "huika/rt", true},
		{"keys", "huika/rt", false},
		{"emv/oda", "huika/nfc/nfctest", false},
		{"acquirer/book/booktest", "huika/acquirer/book", true},
		{"acquirer/book/booktest", "huika/terminal", false},
		{"unheard/of", "huika/pay", false},
		{"emv/oda", "crypto/rsa", true},
		{"emv/oda", "github.com/alecthomas/kong", false},
		{"pay", "golang.org/x/text/width", false},
		{"cmd/huika", "huika/acquirer/host", true},
	} {
		if why := judge(c.from, c.to); (why == "") != c.ok {
			t.Errorf("%s imports %s: %q", c.from, c.to, why)
		}
	}
}

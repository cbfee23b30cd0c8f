package receipt

import (
	"bytes"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"huika/pay"
	"huika/rt"
)

var update = flag.Bool("update", false, "write the golden files anew")

func example() Data {
	return Data{
		Simulation: true, MerchantName: "回卡小卖部", MerchantID: "898110000000001", TerminalID: "10000001", Approved: true,
		Amount: pay.Fen(8880), Time: time.Date(2026, 3, 2, 17, 30, 5, 0, time.FixedZone("CST", 8*3600)),
		CardLabel: "UnionPay Debit", MaskedPAN: "622848******4890", PSN: "01", AID: "A000000333010101", ARQC: "5D016C91005E7CC2", TVR: "0000000000", ATC: "0240",
		Batch: "000007", STAN: "000042", RRN: "260302000042", AuthCode: "A1B2C3", Response: "00", CVM: "none", FreeUpTo: pay.Fen(100000),
	}
}

func TestGolden(t *testing.T) {
	with := func(f func(*Data)) Data { d := example(); f(&d); return d }
	for name, d := range map[string]Data{
		"free":      example(),
		"live":      with(func(d *Data) { d.Simulation = false }),
		"pin":       with(func(d *Data) { d.CVM, d.Amount = "online_pin", pay.Fen(100001) }),
		"cdcvm":     with(func(d *Data) { d.CVM, d.Amount = "cdcvm", pay.Fen(500000) }),
		"signature": with(func(d *Data) { d.CVM, d.MerchantName = "signature", strings.Repeat("很长的店名", 6) }),
		"declined": with(func(d *Data) {
			d.Approved, d.Response, d.RRN, d.AuthCode = false, "51", "", ""
			d.SaysZH, d.SaysEN = "卡内余额不足。请换一张卡。", "Not enough money on the card. Use another card."
		}),
	} {
		for _, lang := range []string{"zh", "en"} {
			got := Text(d, lang, Narrow)
			for _, l := range strings.Split(got, "\n") {
				if cells(l) > Narrow {
					t.Errorf("%s.%s: %q is wider than the paper", name, lang, l)
				}
			}
			path := filepath.Join("testdata", name+"."+lang+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s.%s differs:\n%s", name, lang, got)
			}
		}
	}
}

// The line that UnionPay's rules put on a receipt without PIN, to the fen.
func TestFreeLine(t *testing.T) {
	for fen, want := range map[int64]bool{1: true, 99999: true, 100000: true, 100001: false} {
		d := example()
		d.Amount = pay.Fen(fen)
		if got := strings.Contains(Text(d, "zh", Wide), "交易金额未超过1000.00元,免密免签"); got != want {
			t.Errorf("%s: line printed %v, want %v", d.Amount, got, want)
		}
	}
}

func TestESCPOS(t *testing.T) {
	b, err := ESCPOS(example(), "zh", Narrow)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte("\x1b@")) || !bytes.HasSuffix(b, []byte("\x1dVB\x00")) {
		t.Error("the job does not begin with init or end with a cut")
	}
	want, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte("免密免签"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, want) {
		t.Error("the Chinese text is not GB18030")
	}
	d := example()
	d.CardLabel = "evil\x1b@\x1dV\x00"
	b, err = ESCPOS(d, "en", Narrow)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\x1b@")); n != 1 {
		t.Errorf("a card's label reset the printer: %d resets", n)
	}
}

func TestWrap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := rapid.StringOf(rapid.SampledFrom([]rune("ab 中文1"))).Draw(r, "s")
		n := rapid.IntRange(2, 20).Draw(r, "columns")
		lines := wrap(s, n)
		for _, l := range lines {
			if cells(l) > n {
				t.Fatalf("%q is wider than %d", l, n)
			}
		}
		drop := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if drop(strings.Join(lines, "")) != drop(s) {
			t.Fatalf("wrap(%q) lost text: %q", s, lines)
		}
	})
}

func TestPrinters(t *testing.T) {
	job := []byte("job")
	path := filepath.Join(t.TempDir(), "lp0")
	for range 2 {
		if err := ToFile(path).Print(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "jobjob" {
		t.Errorf("file: %q, %v", got, err)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		b, err := io.ReadAll(c)
		if err != nil {
			got <- err.Error()
			return
		}
		got <- string(b)
	}()
	if err := ToNetwork(rt.Real(), ln.Addr().String()).Print(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "job" {
		t.Errorf("network: %q", s)
	}
	if err := ToFile(path).Print(t.Context(), make([]byte, MaxJob+1)); err == nil {
		t.Error("a job beyond MaxJob was printed")
	}
}

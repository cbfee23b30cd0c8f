package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"huika/card"
	"huika/card/perso"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/terminal"
)

// recording is a copy of everything that went over one wire or through one pipe.
type recording struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(b)
}

func (r *recording) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.b.Bytes())
}

// tapWire listens in front of to and records both directions.
func tapWire(t *testing.T, to string) (addr string, rec *recording) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // the test is over
	rec = &recording{}
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close() // as if nobody listened
				continue
			}
			pass := func(dst, src net.Conn) {
				_, _ = io.Copy(io.MultiWriter(dst, rec), src) // either end of a wire may hang up
				_ = dst.Close()
				_ = src.Close()
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return ln.Addr().String(), rec
}

// listening records what a browser would get.
type listening struct {
	http.RoundTripper
	rec *recording
}

func (l listening) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		a.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(a.Body, l.rec), a.Body}
		fmt.Fprintln(l.rec, a.Header)
	}
	return a, err
}

// secrets are the needles of an installation, and the files in which its keys may stand.
func secrets(t *testing.T, data, pin string) (needles []needle, mayHold map[string]bool) {
	t.Helper()
	issuer, err := perso.Load(filepath.Join(data, "cards"))
	if err != nil {
		t.Fatal(err)
	}
	needles = append(ofDigits("PIN", pin), ofBytes("issuer master key", issuer.IMK().Reveal())...)
	for _, a := range issuer.Accounts(func(string) string { return pin }) {
		// The middle of the number is what a mask hides; its ends may be shown.
		digits := a.PAN.Reveal()
		needles = append(needles, ofDigits("card number of "+a.Profile, digits)...)
		needles = append(needles, ofDigits("middle of the card number of "+a.Profile, digits[4:len(digits)-3])...)
		for _, cert := range certificates(t, issuer, a.Profile) {
			needles = append(needles, ofBytes("certificate of "+a.Profile, cert)...)
		}
	}
	mayHold = map[string]bool{"keys.json": true, "cards/demo-issuer.json": true}
	var keys map[string][]byte
	text, err := os.ReadFile(filepath.Join(data, "keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range keys {
		if len(key) > 1 {
			needles = append(needles, ofBytes("key "+name, key)...)
		}
	}
	pems, err := filepath.Glob(filepath.Join(data, "pki", "*.pem"))
	if err != nil || len(pems) == 0 {
		t.Fatal("no certificates", err)
	}
	for _, path := range pems {
		mayHold["pki/"+filepath.Base(path)] = true
		pair, err := tls.LoadX509KeyPair(path, path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := pair.PrivateKey.(*ecdsa.PrivateKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		needles = append(needles, ofBytes("private key of "+filepath.Base(path), d)...)
	}
	return needles, mayHold
}

// certificates are a card's ICC public key certificates: recovered with public
// keys, they give the card number. The cards that the test pays with must have
// one; some of the others show theirs only inside a channel, or have none.
func certificates(t *testing.T, issuer *perso.Issuer, name string) (out [][]byte) {
	t.Helper()
	c, err := issuer.Card(name, card.NewMemoryState(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(command []byte) []byte {
		r, err := apdu.ParseResponse(c.Transmit(command))
		if err != nil {
			t.Fatal(err)
		}
		return r.Data
	}
	dir := ask(apdu.Select([]byte("2PAY.SYS.DDF01"), false))
	aid, ok := tlv.Find(dir, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary, tag.ApplicationTemplate, tag.AID)
	if !ok {
		t.Fatalf("%s: no application", name)
	}
	fci := ask(apdu.Select(aid, false))
	pdol, _ := tlv.Find(fci, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
	asked := map[tlv.Tag][]byte{ // a purchase of 1.00 at a terminal that goes online
		tag.TTQ: {0x27, 0, 0x40, 0x80}, tag.AmountAuthorised: {0, 0, 0, 0, 1, 0}, tag.TransactionDate: {0x26, 0x11, 0x24},
		tag.TransactionCurrency: {1, 0x56}, tag.TerminalCountry: {1, 0x56}, tag.UN: {1, 2, 3, 4},
	}
	data, err := dol.Build(nil, pdol, func(t tlv.Tag) ([]byte, bool) { v, ok := asked[t]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	reply := ask(apdu.GPO(data))
	afl, ok := tlv.Find(reply, tag.ResponseFormat2, tag.AFL)
	if !ok && name == paysWith {
		t.Fatalf("%s: no AFL in %X", name, reply)
	}
	for ; len(afl) >= 4; afl = afl[4:] {
		for rec := afl[1]; rec <= afl[2]; rec++ {
			if cert, ok := tlv.Find(ask(apdu.ReadRecord(afl[0]>>3, rec)), tag.RecordTemplate, tag.ICCCertificate); ok {
				out = append(out, cert)
			}
		}
	}
	if len(out) == 0 && name == paysWith {
		t.Fatalf("%s has no certificate", name)
	}
	return out
}

// paysWith is the card of the orders of the town.
const paysWith = "unionpay-debit"

// ownersOnly: nobody else may read what a data directory holds when it is made.
func ownersOnly(t *testing.T, data string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// After a whole day at the counter no file, log, answer to a browser, receipt or
// captured byte between the parties holds a card number, a PIN, a key, or a
// certificate from which a card number can be recovered; keys stand in their own
// files only, which nobody else may read.
func TestNothingLeaks(t *testing.T) {
	made := template(t)
	ownersOnly(t, made)
	tw := newTown(t, made)
	pin := make([]byte, 12)
	if _, err := rand.Read(pin); err != nil {
		t.Fatal(err)
	}
	for i := range pin {
		pin[i] = '0' + pin[i]%10
	}
	tw.cfg.World.PIN, tw.cfg.Log.Level = string(pin), "debug"
	needles, mayHold := secrets(t, tw.cfg.Data, string(pin))

	pages := &recording{}
	tw.client.Transport = listening{http.DefaultTransport, pages}
	tw.start(partWorld, "")
	scheme, behind := tapWire(t, tw.cfg.World.Scheme)
	real := tw.cfg
	tw.cfg.World.Scheme = scheme
	tw.start(partHost, "")
	host, before := tapWire(t, tw.cfg.Acquirer.Listen)
	tw.cfg.Acquirer.Listen = host
	receipts := filepath.Join(t.TempDir(), "receipts")
	tw.printer = "file:" + receipts
	terminalProcess := tw.start(partTerminal, "")
	tw.cfg = real
	if !tw.ready() {
		t.Fatalf("not ready:\n%s", terminalProcess.log)
	}
	wrong := strings.Repeat("1", 12)
	for _, c := range []struct {
		amount string
		pins   []string
		want   terminal.OutcomeWord
	}{
		{"88.80", nil, terminal.Approved},
		{"1500.00", []string{string(pin)}, terminal.Approved},
		{"1500.00", []string{wrong, string(pin)}, terminal.Approved},
		{"1500.00", nil, terminal.Cancelled},
		{"99999.99", []string{string(pin)}, terminal.Declined},
	} {
		r, ok := tw.sell(order{c.amount, c.pins})
		if !ok || r.Outcome != c.want {
			t.Fatalf("%s: %s %s, want %s", c.amount, r.Outcome, r.Reason, c.want)
		}
		for _, path := range []string{"/api/pos/payments/" + string(r.Payment), "/api/pos/payments/" + string(r.Payment) + "/receipt", "/api/pos/payments/" + string(r.Payment) + "/trace", "/metrics", "/healthz", "/api/pos/view"} {
			if a, err := tw.client.Get(tw.pos + path); err == nil {
				_, _ = io.Copy(io.Discard, a.Body) // what counts was recorded
				_ = a.Body.Close()
			}
		}
		if err := tw.post(tw.pos+"/api/pos/payments/"+string(r.Payment)+"/print", nil, nil); err != nil && c.want == terminal.Approved {
			t.Logf("print: %v", err)
		}
	}
	hay := map[string][]byte{"the pages": pages.bytes(), "terminal to host": before.bytes(), "host to scheme": behind.bytes()}
	for _, name := range parties {
		if code, err := tw.running[name].stop(); err != nil || code != 0 {
			t.Errorf("%s ends with %d: %v", name, code, err)
		}
		hay["log of "+name] = []byte(tw.running[name].log.String())
	}
	for what, b := range hay {
		if len(b) == 0 {
			t.Errorf("%s: nothing was recorded", what)
		}
	}
	read := func(root string) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if mayHold[rel] {
				return nil
			}
			hay["file "+rel], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	read(tw.cfg.Data)
	if _, err := os.Stat(receipts); err != nil {
		t.Error("no receipt was printed:", err)
	}
	read(filepath.Dir(receipts))
	total := 0
	for what, b := range hay {
		total += len(b)
		for _, f := range search(needles, b) {
			t.Errorf("%s holds the %s", what, f)
		}
	}
	t.Logf("searched %d kB in %d places for %d needles", total>>10, len(hay), len(needles))
}

package site_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"huika/card/perso"
	"huika/nfc/memory"
	"huika/nfc/nfctest"
	"huika/nfc/pcsc"
	"huika/pay"
	"huika/rt"
	"huika/site"
	"huika/terminal"
)

// row is one scenario: who pays how much with what, what people do, who fails,
// and all that must be so afterwards. The rows stand in rows_test.go.
type row struct {
	name    string
	at      string // the counter on which it runs: rows of one counter run one after the other
	quick   bool   // runs under -short too
	overAir bool   // runs again over PC/SC

	card    string // of the desk; "": nobody comes
	beside  string // another one, held together with it the first time
	sticker string // how the card is held; one that pulls it away counts the first time only
	how     *memory.Presentation
	fen     int64
	keys    []string // what is keyed at each try; then the clerk cancels
	steps   []step   // what else happens meanwhile
	before  func(*visit)
	mend    func(*visit)
	play    func(*visit) terminal.Result // nil: (*visit).sell

	want want
}

// frames are requests, their answers, reversals, their answers: 0200 0210 0400
// 0410 between terminal and host, 0200 0210 0420 0430 between host and scheme.
type frames [4]int

// want is what must be so. What the merchant gets, the customer pays, and the
// scheme owes, is one amount.
type want struct {
	outcome                terminal.OutcomeWord
	reason, cvm, oda, code string
	toHost, toScheme       frames
	paid                   int64
	requests               int // different ones among those to the host; 0: all
}

// Counters on which rows run. Those of hasty ones wait for seconds only.
const (
	daily     = "daily"
	elsewhere = "elsewhere" // the acquirer has no route for UnionPay cards
	pinpad    = "pin pad"
	readers   = "readers"
	wires     = "wires"
	behind    = "behind the host"
	outages   = "outages"
	delays    = "delays"
)

// hasty are time-outs for parties that fail: long enough for a busy machine,
// short enough to wait for.
func hasty(_ *testing.T, c *site.Config) {
	c.Timeouts.Issuer, c.Timeouts.Scheme, c.Timeouts.Terminal = ms(500), ms(900), ms(1400)
	c.Timeouts.Present, c.Timeouts.PIN = ms(1200), ms(800)
}

func patient(*testing.T, *site.Config) {}

// foreign is an acquirer that takes no UnionPay card.
func foreign(t *testing.T, c *site.Config) {
	c.Acquirer.BINs = filepath.Join(c.Data, "bins.csv")
	check(t, os.WriteFile(c.Acquirer.BINs, []byte("from,to,brand,routes,product,country\n4,4,Visa,visa,credit,840\n"), 0o600))
}

// One table of payments over the whole system, as `huika demo` wires it.
func TestCounter(t *testing.T) {
	t.Parallel()
	for at, set := range map[string]func(*testing.T, *site.Config){daily: patient, elsewhere: foreign, pinpad: hasty, readers: patient, wires: hasty, behind: hasty, outages: hasty, delays: hasty} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			c := openCounter(t, set)
			for i := range rows {
				if r := &rows[i]; r.at == at && (r.quick || !testing.Short()) {
					t.Run(r.name, func(t *testing.T) { c.serve(t, r) })
				}
			}
		})
	}
}

// The same rows, where they apply, through a real pcscd and its virtual reader.
func TestCounterOverPCSC(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: no PC/SC stack is started")
	}
	nfctest.LockPCSC(t)
	daemon, err := pcsc.StartDaemon(t.Context(), rt.Real(), pcsc.DaemonOptions{VirtualReader: true})
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("no PC/SC stack in CI: %v", err)
	}
	if err != nil {
		t.Skipf("THE SCENARIOS ARE NOT TESTED OVER PC/SC: %v", err)
	}
	t.Cleanup(func() { check(t, daemon.Stop()) })
	c := openCounter(t, func(_ *testing.T, c *site.Config) { c.Terminal.Reader = "pcsc" })
	for i := range rows {
		if r := &rows[i]; r.overAir {
			t.Run(r.name, func(t *testing.T) { c.serve(t, r) })
		}
	}
}

// serve plays one row and holds what came of it to what was wanted.
func (c *counter) serve(t *testing.T, r *row) {
	before := c.purses(t, r.card)
	v := &visit{counter: c, t: t, row: r, mark: c.tap.mark()}
	defer c.tap.calm()
	if r.before != nil {
		r.before(v)
	}
	play := r.play
	if play == nil {
		play = (*visit).sell
	}
	got := play(v)
	if r.mend != nil {
		r.mend(v)
	}
	c.rest(t)
	w := r.want
	if got.Outcome != w.outcome || got.Reason != w.reason || got.CVM != w.cvm || got.ODA != w.oda || got.ResponseCode != w.code {
		t.Errorf("%s %q, cvm %s, oda %s, response %q; want %s %q, %s, %s, %q",
			got.Outcome, got.Reason, got.CVM, got.ODA, got.ResponseCode, w.outcome, w.reason, w.cvm, w.oda, w.code)
	}
	if got.Reason != "" {
		if words, ok := terminal.Explain(got.Reason); !ok || words.ZH == "" || words.EN == "" || words.NextZH == "" || words.NextEN == "" {
			t.Errorf("nobody can read %q: %+v", got.Reason, words)
		}
	}
	v.judgeWires(w)
	after := c.purses(t, r.card)
	paid := purse{after.merchant - before.merchant, before.clearing - after.clearing, before.customers - after.customers, before.card - after.card}
	onCard := w.paid
	if r.card == "" {
		onCard = paid.card
	}
	if paid != (purse{w.paid, w.paid, w.paid, onCard}) {
		t.Errorf("to the merchant, from the scheme, by all customers, by this one: %+v; want %d", paid, w.paid)
	}
	check(t, c.Terminal.Dismiss(t.Context()))
}

// judgeWires counts the row's frames. What a wire still carries has a moment to arrive.
func (v *visit) judgeWires(w want) {
	v.t.Helper()
	// The wiretap reads UnionPay's dialect alone: behind the host of another scheme's card it hears nothing.
	if p, _ := perso.ProfileByName(v.row.card); p.Scheme != "" && p.Scheme != perso.UnionPay {
		w.toScheme = frames{}
	}
	var toHost, toScheme frames
	var heard []spoken
	var waiting int
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		heard, waiting = v.tap.since(v.mark)
		toHost, toScheme = count(heard, posWire, "0200 0210 0400 0410"), count(heard, cupWire, "0200 0210 0420 0430")
		if toHost == w.toHost && toScheme == w.toScheme && waiting == 0 || time.Now().After(end) {
			break
		}
	}
	if toHost != w.toHost || toScheme != w.toScheme || waiting > 0 {
		v.t.Errorf("terminal-host %v, host-scheme %v; want %v, %v; %d planned mishaps never came", toHost, toScheme, w.toHost, w.toScheme, waiting)
	}
	// Each request has its own number, counter and cryptogram, unless it is the same one again.
	distinct := map[string]bool{}
	lastSTAN, lastATC := map[string]string{}, map[string]string{}
	sales := 0
	for _, f := range heard {
		if f.wire != posWire || f.mti != "0200" {
			continue
		}
		id := f.stan + f.atc + f.cryptogram
		if distinct[id] {
			continue // the frame again
		}
		distinct[id] = true
		sales++
		if f.stan <= lastSTAN[posWire] || f.atc <= lastATC[f.pan] || f.cryptogram == "" {
			v.t.Errorf("request %d: STAN %s after %s, ATC %x after %x", sales, f.stan, lastSTAN[posWire], f.atc, lastATC[f.pan])
		}
		lastSTAN[posWire], lastATC[f.pan] = f.stan, f.atc
	}
	if want := cmp.Or(w.requests, w.toHost[0]); sales != want {
		v.t.Errorf("%d different requests, want %d", sales, want)
	}
}

func count(heard []spoken, wire, mtis string) (n frames) {
	for i, mti := range strings.Fields(mtis) {
		for _, f := range heard {
			if f.wire == wire && f.mti == mti {
				n[i]++
			}
		}
	}
	return n
}

// Moments of steps.

func phase(p terminal.Phase) func(*visit, terminal.View) bool {
	return func(_ *visit, v terminal.View) bool { return v.Payment.Phase == p }
}

// message is a user interface request on the screen (EMV Contactless Book A 9.4), in two hex digits.
func message(id string) func(*visit, terminal.View) bool {
	return func(_ *visit, v terminal.View) bool { return v.Payment.UI != nil && v.Payment.UI.ID == id }
}

// crossed is the moment after the nth frame of a kind.
func crossed(wire, mti string, n int) func(*visit, terminal.View) bool {
	return func(v *visit, _ terminal.View) bool {
		heard, _ := v.tap.since(v.mark)
		return count(heard, wire, mti)[0] >= n
	}
}

// What steps do.

func cancels(took bool, why string) func(*visit) {
	return func(v *visit) { v.cancels(took, why) }
}

// pause lets what is on its way through a party get there.
const pause = 50 * time.Millisecond

// await waits, after the payment, for the nth frame of a kind.
func (v *visit) await(wire, mti string, n int) {
	v.t.Helper()
	for end := time.Now().Add(restLimit); !crossed(wire, mti, n)(v, terminal.View{}); time.Sleep(glance) {
		if time.Now().After(end) {
			v.t.Fatalf("no %s on %s", mti, wire)
		}
	}
}

// refuses is a row's play whose payment is not even begun.
func refuses(want error, minor int64) func(*visit) terminal.Result {
	return func(v *visit) terminal.Result {
		m := pay.Money{Minor: minor, Currency: pay.CNY}
		if id, err := v.Terminal.StartSale(v.t.Context(), terminal.SaleRequest{Amount: m}); !isErr(err, want) || id != "" {
			v.t.Errorf("sale of %d fen: %q, %v; want %v", minor, id, err, want)
		} else if !strings.Contains(err.Error(), "want") {
			v.t.Errorf("the error does not say what is wanted: %v", err)
		}
		view, _ := v.Terminal.View()
		if view.Payment != nil {
			v.t.Error("a payment is on the screen")
		}
		return terminal.Result{}
	}
}

// settles waits for a terminal.View within the time in which a reader's failure must be known.
func (v *visit) settles(what string, is func(terminal.View) bool) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Second)
	defer cancel()
	var seq uint64
	for {
		view, n, err := v.Terminal.After(ctx, seq)
		if err != nil {
			v.t.Errorf("not within a second: %s", what)
			return
		}
		if seq = n; is(view) {
			return
		}
	}
}

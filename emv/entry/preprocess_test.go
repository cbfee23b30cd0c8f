package entry

import (
	"context"
	"testing"

	"huika/emv"
	"huika/pay"
)

// Each rule of Book B 3.1.1 with its limit below, at and above.
func TestPreprocess(t *testing.T) {
	ttq := [4]byte{0x26, 0xC0, 0x80, 0x01}
	offlineOnly := [4]byte{0x28, 0x00, 0x00, 0x00}
	const cleared, onlineBit, cvmBit = "26008001", "26808001", "26408001"
	type want struct {
		status, notAllowed, zero, cvm, floor bool
		ttq                                  string
	}
	for _, c := range []struct {
		rule   string
		comb   Combination
		amount int64
		want   want
	}{
		{"3.1.1.2 TTQ bits are cleared", Combination{TTQ: &ttq}, 500, want{ttq: cleared}},
		{"3.1.1.2 no TTQ", Combination{}, 500, want{}},
		{"3.1.1.3 status check below one unit", Combination{TTQ: &ttq, StatusCheck: true}, 99, want{ttq: cleared}},
		{"3.1.1.3 status check at one unit, 3.1.1.10", Combination{TTQ: &ttq, StatusCheck: true}, 100, want{status: true, ttq: onlineBit}},
		{"3.1.1.3 status check above one unit", Combination{TTQ: &ttq, StatusCheck: true}, 101, want{ttq: cleared}},
		{"3.1.1.3 status check not supported", Combination{TTQ: &ttq}, 100, want{ttq: cleared}},
		{"3.1.1.3 status check without TTQ", Combination{StatusCheck: true}, 100, want{status: true}},
		{"3.1.1.4 zero amount, flag absent, 3.1.1.11", Combination{TTQ: &ttq}, 0, want{zero: true, ttq: onlineBit}},
		{"3.1.1.4 zero amount allowed", Combination{TTQ: &ttq, ZeroAmount: ZeroAmountAllowed}, 0, want{zero: true, ttq: onlineBit}},
		{"3.1.1.4 zero amount not allowed", Combination{TTQ: &ttq, ZeroAmount: ZeroAmountNotAllowed}, 0, want{notAllowed: true, ttq: cleared}},
		{"3.1.1.4 flag not allowed, other amount", Combination{TTQ: &ttq, ZeroAmount: ZeroAmountNotAllowed}, 1, want{ttq: cleared}},
		{"3.1.1.5 below the transaction limit", Combination{TransactionLimit: Limit(500)}, 499, want{}},
		{"3.1.1.5 at the transaction limit", Combination{TransactionLimit: Limit(500)}, 500, want{notAllowed: true}},
		{"3.1.1.5 above the transaction limit", Combination{TransactionLimit: Limit(500)}, 501, want{notAllowed: true}},
		{"3.1.1.6 below the floor limit", Combination{TTQ: &ttq, FloorLimit: Limit(500)}, 499, want{ttq: cleared}},
		{"3.1.1.6 at the floor limit", Combination{TTQ: &ttq, FloorLimit: Limit(500)}, 500, want{ttq: cleared}},
		{"3.1.1.6 above the floor limit, 3.1.1.9", Combination{TTQ: &ttq, FloorLimit: Limit(500)}, 501, want{floor: true, ttq: onlineBit}},
		{"3.1.1.6 floor limit 0", Combination{TTQ: &ttq, FloorLimit: Limit(0)}, 1, want{floor: true, ttq: onlineBit}},
		{"3.1.1.6 above the floor limit, no TTQ", Combination{FloorLimit: Limit(500)}, 501, want{floor: true}},
		{"3.1.1.7 at the terminal floor limit", Combination{TTQ: &ttq, TerminalFloorLimit: Limit(500)}, 500, want{ttq: cleared}},
		{"3.1.1.7 above the terminal floor limit", Combination{TTQ: &ttq, TerminalFloorLimit: Limit(500)}, 501, want{floor: true, ttq: onlineBit}},
		{"3.1.1.7 the reader's floor limit goes before", Combination{TTQ: &ttq, TerminalFloorLimit: Limit(500), FloorLimit: Limit(900)}, 501, want{ttq: cleared}},
		{"3.1.1.8 below the CVM limit", Combination{TTQ: &ttq, CVMLimit: Limit(100_001)}, 100_000, want{ttq: cleared}},
		{"3.1.1.8 at the CVM limit, 3.1.1.12", Combination{TTQ: &ttq, CVMLimit: Limit(100_001)}, 100_001, want{cvm: true, ttq: cvmBit}},
		{"3.1.1.8 above the CVM limit", Combination{TTQ: &ttq, CVMLimit: Limit(100_001)}, 100_002, want{cvm: true, ttq: cvmBit}},
		{"3.1.1.8 at the CVM limit, no TTQ", Combination{CVMLimit: Limit(1)}, 1, want{cvm: true}},
		{"3.1.1.11 zero amount, offline-only reader", Combination{TTQ: &offlineOnly}, 0, want{zero: true, notAllowed: true, ttq: "28000000"}},
		{"3.1.1.11 zero amount without TTQ", Combination{}, 0, want{zero: true}},
		{"all at once", Combination{TTQ: &ttq, FloorLimit: Limit(0), CVMLimit: Limit(1), TransactionLimit: Limit(1)}, 1,
			want{notAllowed: true, floor: true, cvm: true, ttq: "26C08001"}},
	} {
		got := Preprocess(&c.comb, sale(c.amount))
		w := emv.Indicators{StatusCheckRequested: c.want.status, NotAllowed: c.want.notAllowed, ZeroAmount: c.want.zero,
			CVMRequiredLimitExceeded: c.want.cvm, FloorLimitExceeded: c.want.floor}
		if c.want.ttq != "" {
			w.HasTTQ, w.TTQ = true, [4]byte(unhex(c.want.ttq))
		}
		if got != w {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.rule, got, w)
		}
	}
}

// One unit of a currency without decimals is 1, of one with two it is 100.
func TestStatusCheckUnit(t *testing.T) {
	c := Combination{StatusCheck: true}
	for _, x := range []struct {
		amount pay.Money
		want   bool
	}{{pay.Money{Minor: 1, Currency: pay.JPY}, true}, {pay.Money{Minor: 100, Currency: pay.JPY}, false}, {pay.Money{Minor: 1, Currency: pay.USD}, false}} {
		if got := Preprocess(&c, emv.Transaction{Amount: x.amount}).StatusCheckRequested; got != x.want {
			t.Errorf("%v: status check %v", x.amount, got)
		}
	}
}

// 3.1.1.13: nothing is allowed; the card is never asked for.
func TestNothingAllowed(t *testing.T) {
	for name, change := range map[string]func(*Point){
		"limits": func(p *Point) {
			for i := range p.Combinations {
				p.Combinations[i].TransactionLimit = Limit(100)
			}
		},
		"transaction type": func(p *Point) {
			for i := range p.Combinations {
				p.Combinations[i].Types = []byte{0x20}
			}
		},
		"no combinations": func(p *Point) { p.Combinations = nil },
	} {
		p, b := newPoint(t, &script{})
		change(p)
		r, err := p.Run(context.Background(), sale(100))
		o := r.Outcome
		if err != nil || o.Kind != emv.TryAnother || o.Start != emv.StartNone || o.CVM != emv.CVMNotGiven || o.FieldOff >= 0 || o.RemovalTimeout != 0 ||
			o.UIRestart != nil || o.DataRecord != nil || o.OnlineResponseData != emv.OnlineNotApplicable || o.Alternate != emv.AlternateNone {
			t.Errorf("%s: %+v %v", name, o, err)
		}
		b.wantLog("ui 18 processing_error")
	}
}

// A combination that is not allowed is not a candidate; the others are.
func TestOneNotAllowed(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	p.Combinations[0].TransactionLimit = Limit(100)
	b.apdus = []exchange{{"ppse", ppseFCI(dir{aidDebit, "01", "-", ""}, dir{aidVisa, "02", "-", ""}), nil}, {"aid " + aidVisa, appFCI(aidVisa), nil}}
	r, err := p.Run(context.Background(), sale(100))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Kernel != 3 || len(r.Candidates) != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

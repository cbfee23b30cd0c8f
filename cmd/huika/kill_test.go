package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"huika/pay"
	"huika/terminal"
)

// Of the kills under load.
const (
	loadFor     = 12 * time.Second
	loadForSoak = 5 * time.Minute
	killPause   = 900 * time.Millisecond // at most, between two kills
	downPause   = 400 * time.Millisecond // at most, that a killed process stays down
	loadPIN     = 4                      // one sale in so many needs the PIN
	loadGiveUp  = 10 * time.Second       // the clerk looks no longer at one sale
)

// counter is a clerk who sells without a break while processes die around him:
// what fails is tried no more, the next customer comes.
type counter struct {
	tw        *town
	pos, tray string
	begun     []pay.PaymentID
	shown     map[pay.PaymentID]terminal.OutcomeWord
	failed    atomic.Int64 // calls that found nobody
}

// sell takes sales until ctx ends.
func (c *counter) sell(ctx context.Context, dice *rand.Rand) {
	for ctx.Err() == nil {
		amount := "12.34"
		if dice.IntN(loadPIN) == 0 {
			amount = "1000.01"
		}
		if err := c.one(ctx, amount); err != nil {
			c.failed.Add(1)
			time.Sleep(pollPause)
		}
	}
}

// one is a sale; its error is that of the first call that failed.
func (c *counter) one(ctx context.Context, amount string) error {
	var started struct {
		Payment pay.PaymentID `json:"payment"`
	}
	_ = c.tw.post(c.pos+"/api/pos/dismiss", nil, nil) // what an earlier life left on the screen
	if err := c.tw.post(c.pos+"/api/pos/payments", map[string]string{"amount": amount}, &started); err != nil {
		return err
	}
	c.begun = append(c.begun, started.Payment)
	if err := c.tw.post(c.tray+"/api/tray/put", map[string]string{"card": "unionpay-debit"}, nil); err != nil {
		return err
	}
	keyed := 0
	for end := time.Now().Add(loadGiveUp); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(pollPause) {
		var v terminal.View
		r, err := c.tw.client.Get(c.pos + "/api/pos/view")
		if err := readJSON(r, err, &v); err != nil {
			return err
		}
		p := v.Payment
		switch {
		case p == nil || p.ID != started.Payment:
			return errors.New("the terminal was started anew")
		case p.Phase == terminal.PhaseDone:
			c.shown[started.Payment] = p.Result.Outcome
			return c.tw.post(c.tray+"/api/tray/take", map[string]int{}, nil)
		case p.Phase == terminal.PhasePIN && p.PIN != nil && p.PIN.Try > keyed:
			keyed = p.PIN.Try
			sealed, err := sealPIN(rightPIN, p.PIN)
			if err != nil {
				return err
			}
			// Refused while the acquirer is down: the PIN pad's own time-out ends it.
			_ = c.tw.post(c.pos+"/api/pos/payments/"+string(p.ID)+"/pin", map[string]any{"try": p.PIN.Try, "sealed": sealed}, nil)
		}
	}
	return errors.New("given up")
}

// TestKillUnderLoad kills terminal, host and world (each the owner of its
// database files) in random order while a clerk sells without a break, and
// starts them again a little later. In the end all sides must agree.
// HUIKA_TEST_SEED repeats the choices; the moments are the machine's.
func TestKillUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes by the dozen")
	}
	t.Parallel()
	seed, during := rand.Uint64(), loadFor
	if s := os.Getenv("HUIKA_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getenv("HUIKA_SOAK") != "" {
		during = loadForSoak
	}
	t.Logf("HUIKA_TEST_SEED=%d", seed)
	dice := rand.New(rand.NewPCG(seed, 11))
	tw := newTown(t, template(t))
	tw.open(crash{})
	tw.settle("")
	c := &counter{tw: tw, pos: tw.pos, tray: tw.tray, shown: map[pay.PaymentID]terminal.OutcomeWord{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.sell(ctx, rand.New(rand.NewPCG(seed, 12)))
	}()
	kills := map[string]int{}
	for end := time.Now().Add(during); time.Now().Before(end); {
		time.Sleep(time.Duration(dice.Int64N(int64(killPause))))
		victims := []string{parties[dice.IntN(len(parties))]}
		if dice.Float64() < killTwo {
			victims = append(victims, parties[dice.IntN(len(parties))])
		}
		for _, v := range victims {
			if err := tw.running[v].kill(); err != nil {
				t.Fatal(err)
			}
			kills[v]++
		}
		time.Sleep(time.Duration(dice.Int64N(int64(downPause))))
		tw.open(crash{})
	}
	stop()
	<-done
	tw.started, tw.shown = c.begun, c.shown
	tw.finish(c)
	tw.prove()
	tw.stop("")
	tw.agree()
	outcomes := map[terminal.OutcomeWord]int{}
	for _, o := range c.shown {
		outcomes[o]++
	}
	t.Logf("%d sales begun, shown %v, %d calls found nobody; kills: %v", len(c.begun), outcomes, c.failed.Load(), kills)
	if outcomes[terminal.Approved] == 0 {
		t.Error("no sale was approved: nothing was killed under load")
	}
}

// finish brings the sale under way, if there is one, to its end, and everything to rest.
func (tw *town) finish(c *counter) {
	tw.t.Helper()
	for end := time.Now().Add(settleLimit); time.Now().Before(end); time.Sleep(pollPause) {
		v, err := tw.view()
		switch {
		case err != nil:
			continue
		case v.Payment == nil:
			tw.settle("")
			return
		case v.Payment.Phase == terminal.PhaseDone:
			tw.shown[v.Payment.ID] = v.Payment.Result.Outcome
			tw.clear()
		case v.Payment.Cancellable:
			_ = tw.post(c.pos+"/api/pos/payments/"+string(v.Payment.ID)+"/cancel", nil, nil) // too late is as good
		}
	}
	tw.t.Fatal("the last sale does not end")
}

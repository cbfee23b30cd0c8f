package entry

import (
	"context"
	"testing"
	"time"

	"huika/emv"
)

// Select Next and a refused SELECT take the next candidate, without the directory.
func TestSelectNext(t *testing.T) {
	next := noOutcome(emv.SelectNext, "test")
	next.Start = emv.StartC
	k := &script{outcomes: []emv.Outcome{next, approved()}}
	p, b := newPoint(t, k)
	b.apdus = []exchange{
		{"ppse", ppseFCI(dir{aidDebit, "02", "-", ""}, dir{aidCredit, "01", "-", ""}, dir{aidVisa, "03", "-", ""}, dir{aidOther, "04", "21", ""}), nil},
		{"aid " + aidCredit, appFCI(aidCredit), nil},
		{"aid " + aidDebit, "6A82", nil},
		{"aid " + aidVisa, appFCI(aidVisa), nil},
	}
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Kernel != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	tried := ""
	for _, c := range r.Candidates {
		tried += map[bool]string{true: "x", false: "-"}[c.Tried]
	}
	if tried != "xx--" {
		t.Errorf("tried %s", tried)
	}
	b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidCredit, "tx aid "+aidDebit, "tx aid "+aidVisa, "ui 03 card_read_ok")
}

// The list runs out.
func TestSelectNextToTheEnd(t *testing.T) {
	next := noOutcome(emv.SelectNext, "test")
	k := &script{outcomes: []emv.Outcome{next}}
	p, b := newPoint(t, k)
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.EndApplication {
		t.Errorf("%+v %v", r.Outcome, err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 1C ready_to_read")
}

// Try Again: message on outcome, field off with hold, message on restart, everything anew, with the kernel's memory.
func TestTryAgain(t *testing.T) {
	again := noOutcome(emv.TryAgain, "test")
	again.Start = emv.StartB
	again.UIOutcome = &emv.UIRequest{Message: emv.MsgSeePhone, Status: emv.StatusProcessingError}
	again.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	again.FieldOff, again.Memory = 1300*time.Millisecond, "torn"
	k := &script{outcomes: []emv.Outcome{again, approved()}}
	p, b := newPoint(t, k)
	b.polls = []poll{{found: OneCard}, {found: OneCard}}
	b.apdus = append(oneApp(), oneApp()...)
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Restarts != 1 {
		t.Fatalf("%+v %v", r.Outcome, err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 20 processing_error", "off 1.3s",
		"ui 21 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 03 card_read_ok")
	if in := k.inputs[1]; !in.Restart || in.Previous != "torn" || !in.Indicators.FloorLimitExceeded {
		t.Errorf("second input %+v", in)
	}
	if k.inputs[0].Restart {
		t.Error("restart flag at the first attempt")
	}
}

// A kernel that gives the loss of the card back as an error is treated as Try Again.
func TestKernelLosesCard(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	b.polls = []poll{{found: OneCard}, {found: OneCard}}
	b.apdus = append(oneApp(), oneApp()...)
	k.process = func(context.Context, emv.Input, emv.Transceiver) (emv.Outcome, error) {
		if len(k.inputs) == 1 {
			return emv.Outcome{}, lost()
		}
		return approved(), nil
	}
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Kind != emv.Approved || r.Restarts != 1 {
		t.Errorf("%+v %v", r.Outcome, err)
	}
}

// End Application with a start: Run restarts there (Book A 8.1), Activate hands it back.
func TestFinalOutcomeWithStart(t *testing.T) {
	for _, c := range []struct {
		start emv.Start
		again []exchange // what is sent after the restart
		log   []string
	}{
		{emv.StartA, oneApp(), []string{"ui 21 ready_to_read", "on", "tx ppse", "tx aid " + aidDebit}},
		{emv.StartB, oneApp(), []string{"ui 21 ready_to_read", "on", "tx ppse", "tx aid " + aidDebit}},
		{emv.StartC, oneApp()[1:], []string{"ui 21 ready_to_read", "tx aid " + aidDebit}},
		{emv.StartD, nil, []string{"ui 21 ready_to_read"}},
	} {
		end := noOutcome(emv.EndApplication, "test")
		end.Start = c.start
		end.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
		k := &script{outcomes: []emv.Outcome{end, approved()}}
		p, b := newPoint(t, k)
		b.polls = []poll{{found: OneCard}, {found: OneCard}}
		b.apdus = append(oneApp(), c.again...)
		r, err := p.Run(context.Background(), sale(1))
		if err != nil || r.Outcome.Kind != emv.Approved || len(k.inputs) != 2 {
			t.Fatalf("start %X: %+v %v", c.start, r.Outcome, err)
		}
		if in := k.inputs[1]; !in.Restart || in.Start != c.start || len(in.FCI) == 0 || !in.Indicators.FloorLimitExceeded {
			t.Errorf("start %X: second input %+v", c.start, in)
		}
		b.wantLog(append(append([]string{"ui 15 ready_to_read", "on", "tx ppse", "tx aid " + aidDebit}, c.log...), "ui 03 card_read_ok")...)
	}
}

// A restart without a request of its own asks with message 15 (3.2.1.2).
func TestRestartWithoutRequest(t *testing.T) {
	end := noOutcome(emv.EndApplication, "test")
	end.Start = emv.StartB
	p, b := newPoint(t, &script{outcomes: []emv.Outcome{end, approved()}})
	b.polls = []poll{{found: OneCard}, {found: OneCard}}
	b.apdus = append(oneApp(), oneApp()...)
	if _, err := p.Run(context.Background(), sale(1)); err != nil {
		t.Fatal(err)
	}
	b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 15 ready_to_read", "on", "tx ppse", "tx aid "+aidDebit, "ui 03 card_read_ok")
}

func TestOuterRestartsAreBounded(t *testing.T) {
	k := &script{}
	p, b := newPoint(t, k)
	k.process = func(context.Context, emv.Input, emv.Transceiver) (emv.Outcome, error) {
		o := noOutcome(emv.EndApplication, "test")
		o.Start = emv.StartD
		return o, nil
	}
	b.apdus = oneApp()
	r, err := p.Run(context.Background(), sale(1))
	if err != nil || r.Outcome.Start != emv.StartNone || len(k.inputs) != MaxRestarts+1 {
		t.Errorf("%d times, %+v %v", len(k.inputs), r.Outcome, err)
	}
}

func onlineOutcome(start emv.Start, data emv.OnlineResponseData) emv.Outcome {
	o := noOutcome(emv.OnlineRequest, "test")
	o.Start, o.OnlineResponseData, o.CVM, o.DataRecord = start, data, emv.CVMSignature, []byte{0x82, 0}
	o.UIRestart = &emv.UIRequest{Message: emv.MsgPresentAgain, Status: emv.StatusReadyToRead}
	return o
}

// After the issuer's answer: at B with issuer data the same application is selected without the directory (3.3.2.1).
func TestResume(t *testing.T) {
	data := emv.OnlineResponse{Approved: true, AuthData: []byte{1, 2}}
	none := emv.OnlineResponse{Approved: true}
	for _, c := range []struct {
		name   string
		out    emv.Outcome
		online emv.OnlineResponse
		again  []exchange
		kernel bool // it is activated again
		kind   emv.Kind
	}{
		{"B with issuer data", onlineOutcome(emv.StartB, emv.OnlineEMVData), data, oneApp()[1:], true, emv.Approved},
		{"B with a script", onlineOutcome(emv.StartB, emv.OnlineEMVData), emv.OnlineResponse{Scripts: []byte{0x72, 0}}, oneApp()[1:], true, emv.Approved},
		{"B, any answer, no issuer data", onlineOutcome(emv.StartB, emv.OnlineAny), none, oneApp(), true, emv.Approved},
		{"D, any answer", onlineOutcome(emv.StartD, emv.OnlineAny), none, nil, true, emv.Approved},
		{"EMV data asked for, none came", onlineOutcome(emv.StartB, emv.OnlineEMVData), none, nil, false, emv.Approved},
		{"no restart, approved", onlineOutcome(emv.StartNone, emv.OnlineNotApplicable), data, nil, false, emv.Approved},
		{"no restart, declined", onlineOutcome(emv.StartNone, emv.OnlineNotApplicable), emv.OnlineResponse{}, nil, false, emv.Declined},
		{"B, application is gone", onlineOutcome(emv.StartB, emv.OnlineEMVData), data, []exchange{{"aid " + aidDebit, "6A82", nil}}, false, emv.EndApplication},
	} {
		k := &script{outcomes: []emv.Outcome{c.out}}
		p, b := newPoint(t, k)
		b.polls = []poll{{found: OneCard}, {found: OneCard}}
		b.apdus = oneApp()
		first, err := p.Run(context.Background(), sale(1))
		if err != nil || first.Outcome.Kind != emv.OnlineRequest {
			t.Fatalf("%s: %+v %v", c.name, first.Outcome, err)
		}
		b.apdus = c.again
		r, err := p.Resume(context.Background(), first, c.online)
		if err != nil || r.Outcome.Kind != c.kind || (len(k.inputs) == 2) != c.kernel || len(b.apdus) != 0 {
			t.Errorf("%s: %v, kernel ran %d times, %d commands left, %v", c.name, r.Outcome.Kind, len(k.inputs), len(b.apdus), err)
			continue
		}
		if c.kernel {
			if in := k.inputs[1]; !in.Restart || in.Online == nil || in.Start != c.out.Start {
				t.Errorf("%s: %+v", c.name, in)
			}
		} else if c.kind == emv.Approved {
			if r.Outcome.CVM != emv.CVMSignature || r.Outcome.UIOutcome.Message != emv.MsgApprovedSign || len(r.Outcome.DataRecord) == 0 {
				t.Errorf("%s: %+v", c.name, r.Outcome)
			}
		}
	}
}

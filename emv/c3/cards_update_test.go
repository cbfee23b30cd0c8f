package c3_test

import (
	"bytes"
	"context"
	"testing"

	"huika/card/perso"
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/cryptogram"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// scriptCommand is one command of an issuer script with its MAC.
func scriptCommand(t testing.TB, v cryptogram.Visa, pan pay.PAN, atc uint16, ac [8]byte, ins, p1, p2 byte, data []byte) []byte {
	t.Helper()
	udk, err := v.CardKey(perso.TestIssuer().MasterKeys(perso.Visa).Script, pan, "01")
	if err != nil {
		t.Fatal(err)
	}
	key, err := v.ScriptKey(udk, atc)
	if err != nil {
		t.Fatal(err)
	}
	header := []byte{0x84, ins, p1, p2, byte(len(data) + 8)}
	mac, err := v.ScriptMAC(key, header, atc, ac, data)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(header, data...), mac[:]...)
}

func scripts(commands ...[]byte) []byte {
	body := tlv.Append(nil, tag.ScriptID, []byte{0, 0, 0, 9})
	for _, c := range commands {
		body = tlv.Append(body, tag.ScriptCommand, c)
	}
	return tlv.Append(nil, tag.Script2, body)
}

// Issuer update with the real card: the ARPC of each version holds, scripts change
// the card, and what fails is said under the next cryptogram.
func TestIssuerUpdate(t *testing.T) {
	account := accountOf(t, "visa")
	for _, version := range versions {
		f := fieldOf(t, "visa", withVersion(version))
		p := newShop().point(t, f)
		tap := func() entry.Result {
			r, err := p.Run(context.Background(), sale(small))
			if err != nil || r.Outcome.Kind != emv.OnlineRequest || r.Outcome.Start != emv.StartB {
				t.Fatal(version, r.Outcome.Kind, r.Outcome.Reason, err)
			}
			return r
		}
		statusBytes := []byte("00")
		if version == cryptogram.VisaCVN18 || version == cryptogram.VisaCVN22 {
			statusBytes = []byte{0, cryptogram.CSUApproved, 0, 0}
		}
		resume := func(r entry.Result, damage bool, commands ...[]byte) entry.Result {
			v, udk, atc, ac, ok := verify(t, r.Outcome.DataRecord)
			if !ok {
				t.Fatal(version, "cryptogram")
			}
			auth, err := v.ARPC(udk, atc, ac, statusBytes)
			if err != nil {
				t.Fatal(err)
			}
			if damage {
				auth[0] ^= 1
			}
			online := emv.OnlineResponse{Approved: true, ResponseCode: "00", AuthData: auth}
			if len(commands) > 0 {
				online.Scripts = scripts(commands...)
			}
			r, err = p.Resume(context.Background(), r, online)
			if err != nil || r.Outcome.Kind != emv.Approved {
				t.Fatal(version, r.Outcome.Kind, err)
			}
			return r
		}
		// The issuer is who it says.
		r := resume(tap(), false)
		if r.Outcome.Error != (emv.ErrorIndication{}) || f.messages[len(f.messages)-1] != emv.MsgApproved {
			t.Errorf("%v: %+v, messages %v", version, r.Outcome.Error, f.messages)
		}
		// It is not; the card says so under its next cryptogram, once.
		if r = resume(tap(), true); r.Outcome.Error.SW != apdu.SWAuthFailed {
			t.Errorf("%v: damaged ARPC: %+v", version, r.Outcome.Error)
		}
		for _, want := range []bool{true, false} {
			r = tap()
			iad, _ := tlv.Find(r.Outcome.DataRecord, tag.IAD)
			if d, err := cryptogram.ParseVisaIAD(iad); err != nil || d.CVR.IssuerAuthFailed() != want {
				t.Errorf("%v: CVR %X %v", version, d.CVR, err)
			}
		}
		// PUT DATA gives it an offline limit; a wrong MAC does not.
		_, _, atc, ac, _ := verify(t, r.Outcome.DataRecord)
		put := scriptCommand(t, version, account.PAN, atc, ac, apdu.InsPutData, 0x9F, 0x54, []byte{0, 0, 0, 0, 0x50, 0})
		bad := bytes.Clone(put)
		bad[7] ^= 0x10
		r = resume(r, false, bad)
		if got, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResults); !bytes.Equal(got, []byte{0x11, 0, 0, 0, 9}) || r.Outcome.Error.SW != 0x6988 {
			t.Errorf("%v: changed script: %X %+v", version, got, r.Outcome.Error)
		}
		r = tap()
		if iad, err := cryptogram.ParseVisaIAD(mustFind(t, r.Outcome.DataRecord, tag.IAD)); err != nil || !iad.CVR.ScriptFailed() {
			t.Errorf("%v: CVR %X %v", version, iad.CVR, err)
		}
		// The MAC of an earlier cryptogram does not hold either: scripts can't be replayed.
		r = resume(r, false, put)
		if got, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResults); !bytes.Equal(got, []byte{0x11, 0, 0, 0, 9}) {
			t.Errorf("%v: replayed script: %X", version, got)
		}
		r = tap()
		_, _, atc, ac, _ = verify(t, r.Outcome.DataRecord)
		block := scriptCommand(t, version, account.PAN, atc, ac, 0x1E, 0, 0, nil)
		r = resume(r, false, scriptCommand(t, version, account.PAN, atc, ac, apdu.InsPutData, 0x9F, 0x54, []byte{0, 0, 0, 0, 0x50, 0}), block)
		if got, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResults); !bytes.Equal(got, []byte{0x20, 0, 0, 0, 9}) {
			t.Errorf("%v: script: %X %+v", version, got, r.Outcome.Error)
		}
		// Blocked: Select Next, and there is no other application.
		if r, err := p.Run(context.Background(), sale(small)); err != nil || r.Outcome.Kind != emv.EndApplication {
			t.Errorf("%v: blocked card: %v %v", version, r.Outcome.Kind, err)
		}
	}
}

func mustFind(t testing.TB, record []byte, g tlv.Tag) []byte {
	t.Helper()
	v, ok := tlv.Find(record, g)
	if !ok {
		t.Fatalf("%s is missing", g)
	}
	return v
}

// Scripts are not sent to a card that did not ask.
func TestUpdateOfAnotherRealCard(t *testing.T) {
	f := newField(t, "visa")
	p := newShop().point(t, f)
	r, err := p.Run(context.Background(), sale(small))
	if err != nil {
		t.Fatal(err)
	}
	f.card = newField(t, "visa-phone").card
	n := f.n
	r, err = p.Resume(context.Background(), r, emv.OnlineResponse{Approved: true, AuthData: make([]byte, 10)})
	if err != nil || r.Outcome.Kind != emv.Approved || r.Outcome.Error.Detail == "" || f.n != n+1 { // one SELECT
		t.Errorf("%v %+v %v after %d commands", r.Outcome.Kind, r.Outcome.Error, err, f.n-n)
	}
}

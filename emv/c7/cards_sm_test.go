package c7_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/c7"
	"huika/emv/cryptogram"
	"huika/emv/entry"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// smField is a reader with a UnionPay card by name, changed where change is given.
func smField(t *testing.T, name string, change func(*card.Data)) (*field, perso.Account) {
	t.Helper()
	i := perso.TestIssuer()
	d, err := i.UnionPayData(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&d)
	}
	c, err := card.New(d, card.NewMemoryState(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := perso.ProfileByName(name)
	for _, a := range i.Accounts(func(string) string { return "123456" }) {
		if a.Profile == p.Account {
			return &field{card: c, lostAt: -1}, a
		}
	}
	t.Fatalf("no account %s", name)
	return nil, perso.Account{}
}

// smPoint is a shop that takes issuer updates; sm says whether its terminal has the SM algorithms.
func smPoint(t *testing.T, f *field, sm bool) *entry.Point {
	t.Helper()
	cas, err := perso.TestIssuer().CAStore()
	if err != nil {
		t.Fatal(err)
	}
	var kernels entry.Kernels
	if err := kernels.Register(c7.ID, c7.Version, &c7.Kernel{Config: c7.Config{CAKeys: cas, SM: sm}}); err != nil {
		t.Fatal(err)
	}
	ttq := [4]byte{0x27, 0x00, 0xC0, 0x80}
	return &entry.Point{
		Combinations: []entry.Combination{{AID: []byte{0xA0, 0, 0, 0x03, 0x33, 0x01, 0x01}, Kernel: c7.ID, TTQ: &ttq, FloorLimit: entry.Limit(0), CVMLimit: entry.Limit(100_001)}},
		Kernels:      &kernels, Reader: f, Display: f, Rand: rand.NewChaCha8([32]byte{2}), Now: time.Now,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0xE1, 0xC8}, IFDSerial: "HUIKA001"},
	}
}

func smSale(t *testing.T, p *entry.Point) entry.Result {
	t.Helper()
	r, err := p.Run(context.Background(), emv.Transaction{Amount: pay.Fen(8880), Time: time.Date(2026, 3, 15, 14, 30, 0, 0, time.UTC), Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every pairing of card and terminal: the card prefers SM where both have it, and
// the issuer can check what came of it; a card with SM alone is not authenticated where the terminal has it not.
func TestSMPairings(t *testing.T) {
	smOnly := func(d *card.Data) { d.Key, d.UDK, d.Records = nil, pay.Secret{}, nil }
	for _, c := range []struct {
		name, card string
		change     func(*card.Data)
		terminal   bool
		kind       emv.Kind
		oda        emv.ODA
		algorithm  byte
	}{
		{"both sides", "unionpay-sm", nil, true, emv.OnlineRequest, emv.ODAfDDA, cryptogram.AlgorithmSM4},
		{"phone, both sides", "unionpay-sm-phone", nil, true, emv.OnlineRequest, emv.ODAfDDA, cryptogram.AlgorithmSM4},
		{"terminal has RSA alone", "unionpay-sm", nil, false, emv.OnlineRequest, emv.ODAfDDA, cryptogram.AlgorithmTDES},
		{"card has RSA alone", "unionpay-sm", func(d *card.Data) { d.SM = nil }, true, emv.OnlineRequest, emv.ODAfDDA, cryptogram.AlgorithmTDES},
		{"card has SM alone", "unionpay-sm", smOnly, true, emv.OnlineRequest, emv.ODAfDDA, cryptogram.AlgorithmSM4},
		{"card has SM alone, terminal RSA alone", "unionpay-sm", smOnly, false, emv.Declined, emv.ODAFailed, cryptogram.AlgorithmSM4},
		{"clone of the SM2 key", "unionpay-sm-cloned", nil, true, emv.Declined, emv.ODAFailed, cryptogram.AlgorithmSM4},
	} {
		f, a := smField(t, c.card, c.change)
		r := smSale(t, smPoint(t, f, c.terminal))
		if r.Outcome.Kind != c.kind || r.Outcome.ODA != c.oda {
			t.Errorf("%s: %v %v (%s)", c.name, r.Outcome.Kind, r.Outcome.ODA, r.Outcome.Reason)
		}
		list, err := tlv.Parse(r.Outcome.DataRecord)
		if err != nil {
			t.Fatal(err)
		}
		iad, ok, err := cryptogram.VerifyPBOC(perso.TestIssuer().MasterKeys(perso.UnionPay).PBOC(), a.PAN, a.PSN, list.Find)
		if err != nil || !ok || iad.Algorithm != c.algorithm {
			t.Errorf("%s: algorithm %02X, cryptogram %v %v", c.name, iad.Algorithm, ok, err)
		}
	}
}

// A man who takes DF69 away makes card and terminal use RSA, and no more: the
// signature still covers amount and number, and the issuer still checks the cryptogram.
func TestSMDowngrade(t *testing.T) {
	f, _ := smField(t, "unionpay-sm", nil)
	f.tamper = func(toCard bool, b []byte) []byte {
		if toCard && len(b) > 11 && b[0] == 0x80 && b[1] == 0xA8 {
			b[len(b)-2] = 0 // DF69 is the last of the PDOL; 00 (Le) follows
		}
		return b
	}
	r := smSale(t, smPoint(t, f, true))
	iad, err := cryptogram.ParseIAD(mustFind(t, r.Outcome.DataRecord, tag.IAD))
	if r.Outcome.Kind != emv.OnlineRequest || r.Outcome.ODA != emv.ODAfDDA || err != nil || iad.Algorithm != cryptogram.AlgorithmTDES {
		t.Errorf("%v %v %+v %v", r.Outcome.Kind, r.Outcome.ODA, iad, err)
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

// Issuer update with the real card under both families: the ARPC holds, a script
// blocks the card, and what fails is said under the next cryptogram.
func TestIssuerUpdate(t *testing.T) {
	for _, sm := range []bool{false, true} {
		f, a := smField(t, "unionpay-sm", nil)
		p := smPoint(t, f, sm)
		keys := perso.TestIssuer().MasterKeys(perso.UnionPay)
		cipher, master, scriptMaster := cryptogram.PBOC(cryptogram.PBOC01), keys.Cryptogram, keys.Script
		if sm {
			cipher, master, scriptMaster = cryptogram.PBOCSM4, keys.SM4, keys.SM4Script
		}
		udk, err := cipher.CardKey(master, a.PAN, a.PSN)
		if err != nil {
			t.Fatal(err)
		}
		scriptKey, err := cipher.CardKey(scriptMaster, a.PAN, a.PSN)
		if err != nil {
			t.Fatal(err)
		}
		tap := func() (r entry.Result, atc uint16, ac [8]byte) {
			r = smSale(t, p)
			if r.Outcome.Kind != emv.OnlineRequest || r.Outcome.Start != emv.StartB {
				t.Fatal(sm, r.Outcome.Kind, r.Outcome.Reason)
			}
			counter := mustFind(t, r.Outcome.DataRecord, tag.ATC)
			return r, uint16(counter[0])<<8 | uint16(counter[1]), [8]byte(mustFind(t, r.Outcome.DataRecord, tag.ApplicationCryptogram))
		}
		resume := func(damage byte, script bool) entry.Result {
			r, atc, ac := tap()
			session, err := cipher.SessionKey(udk, atc)
			if err != nil {
				t.Fatal(err)
			}
			arpc, err := cipher.ARPC(session, ac, [2]byte{'0', '0'})
			if err != nil {
				t.Fatal(err)
			}
			arpc[0] ^= damage
			online := emv.OnlineResponse{Approved: true, ResponseCode: "00", AuthData: append(arpc[:], '0', '0')}
			if script {
				mac, err := cryptogram.PBOCScriptMAC(cipher, scriptKey, []byte{0x84, 0x1E, 0, 0, 8}, atc, ac, nil)
				if err != nil {
					t.Fatal(err)
				}
				mac[0] ^= damage
				body := tlv.Append(tlv.Append(nil, tag.ScriptID, []byte{0, 0, 0, 9}), tag.ScriptCommand, append([]byte{0x84, 0x1E, 0, 0, 8}, mac[:]...))
				online.Scripts = tlv.Append(nil, tag.Script2, body)
			}
			if r, err = p.Resume(context.Background(), r, online); err != nil || r.Outcome.Kind != emv.Approved {
				t.Fatal(sm, r.Outcome.Kind, err)
			}
			return r
		}
		if r := resume(0, false); r.Outcome.Error != (emv.ErrorIndication{}) {
			t.Errorf("SM %v: %+v", sm, r.Outcome.Error)
		}
		if r := resume(1, false); r.Outcome.Error.SW != apdu.SWAuthFailed {
			t.Errorf("SM %v: damaged ARPC: %+v", sm, r.Outcome.Error)
		}
		r := resume(1, true)
		if iad, err := cryptogram.ParseIAD(mustFind(t, r.Outcome.DataRecord, tag.IAD)); err != nil || !iad.CVR.IssuerAuthFailed() {
			t.Errorf("SM %v: CVR %X %v", sm, iad.CVR, err)
		}
		if got, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResultsPBOC); !bytes.Equal(got, []byte{0x11, 0, 0, 0, 9}) {
			t.Errorf("SM %v: changed script: %X", sm, got)
		}
		r = resume(0, true)
		if iad, err := cryptogram.ParseIAD(mustFind(t, r.Outcome.DataRecord, tag.IAD)); err != nil || !iad.CVR.ScriptFailed() {
			t.Errorf("SM %v: CVR %X %v", sm, iad.CVR, err)
		}
		if got, _ := tlv.Find(r.Outcome.Discretionary, tag.ScriptResultsPBOC); !bytes.Equal(got, []byte{0x20, 0, 0, 0, 9}) {
			t.Errorf("SM %v: script: %X %+v", sm, got, r.Outcome.Error)
		}
		if r := smSale(t, p); r.Outcome.Kind != emv.EndApplication { // blocked: Select Next, and there is no other application
			t.Errorf("SM %v: blocked card: %v", sm, r.Outcome.Kind)
		}
	}
}

package issuer_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/world/issuer"
	"huika/world/issuer/issuertest"
	"huika/world/issuer/memlog"
)

// version1 builds a record as version 1 wrote it, field by field: kind, flags,
// PIN, account, amount, code, fingerprint, ATC, ARPC, RRN, time, key.
func version1(t testing.TB, kind, amount, code, key string) []byte {
	t.Helper()
	b, err := hex.DecodeString("01" + kind + "0301" + "0102030405060708" + amount + hex.EncodeToString([]byte(code)) +
		"101112131415161718191A1B1C1D1E1F" + "0007" + "A1A2A3A4A5A6A7A8" + hex.EncodeToString([]byte("000000000012")) + "000001A1E0D5FC00" + hex.EncodeToString([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const oldKey = "1123080000|000012|48020000|HK000001|898110000000001"

// A log of the time when the issuer knew sales only is read as sales.
func TestVersion1(t *testing.T) {
	var got issuer.Record
	if err := got.UnmarshalBinary(version1(t, "01", "00000000000022B0", "00", oldKey)); err != nil {
		t.Fatal(err)
	}
	want := issuer.Record{
		Kind: issuer.Decision, Transaction: issuer.Sale, Key: oldKey, Account: issuer.AccountRef{1, 2, 3, 4, 5, 6, 7, 8}, Amount: 8880, Code: "00",
		Fingerprint: [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F},
		HasATC:      true, ATC: 7, PIN: issuer.PINRight, Auth: "\xA1\xA2\xA3\xA4\xA5\xA6\xA7\xA800",
		RRN: "000000000012", AtMS: 0x1A1E0D5FC00,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for kind, want := range map[string]issuer.Kind{"02": issuer.Reversal, "03": issuer.Tombstone} {
		if err := got.UnmarshalBinary(version1(t, kind, "0000000000000000", "\x00\x00", oldKey)); err != nil || got.Kind != want || got.Transaction != 0 || got.Key != oldKey {
			t.Errorf("kind %s: %+v, %v", kind, got, err)
		}
	}
	for name, bad := range map[string][]byte{
		"version 0":    append([]byte{0}, version1(t, "01", "0000000000000001", "00", oldKey)[1:]...),
		"version 4":    append([]byte{4}, version1(t, "01", "0000000000000001", "00", oldKey)[1:]...),
		"kind 4":       version1(t, "04", "0000000000000001", "00", oldKey),
		"no key":       version1(t, "01", "0000000000000001", "00", ""),
		"key too long": version1(t, "01", "0000000000000001", "00", oldKey+oldKey),
	} {
		if err := got.UnmarshalBinary(bad); !errors.Is(err, issuer.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// asVersion1 drops from a sale's record what version 1 did not have.
func asVersion1(t *testing.T, r issuer.Record) []byte {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tail := 1 + 8 + 3 + len(r.Original) + len(r.Auth) + len(r.Script) + len(r.Key)
	b = append(b[:len(b)-tail:len(b)-tail], r.Key...)
	b[0] = 1
	if r.Auth != "" { // the eight bytes behind account, amount, code, fingerprint and ATC
		b[2] |= 2
		copy(b[40:48], r.Auth)
	}
	return b
}

// An issuer goes on over a log of version 1: its sales can be voided, refunded and reversed.
func TestOldLogGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		full := b.balance(debitCard)
		one, two, three := b.request(issuertest.Sale, debitCard, 100), b.request(issuertest.Sale, debitCard, 200), b.request(issuertest.Sale, debitCard, 400)
		codes := []string{b.done(one), b.done(two), b.done(three)}
		old := memlog.New[issuer.Record]()
		if err := b.log.Load(func(r issuer.Record) error {
			var back issuer.Record
			if err := back.UnmarshalBinary(asVersion1(t, r)); err != nil {
				return err
			}
			return old.Append(back)
		}); err != nil {
			t.Fatal(err)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		b.log, b.config.Store = old, old
		b.start()
		if b.balance(debitCard) != full-700 {
			t.Errorf("balance %d of %d", b.balance(debitCard), full)
		}
		b.done(b.after(issuertest.Void, one, codes[0], 100))
		b.done(b.after(issuertest.Refund, two, codes[1], 50))
		b.want(b.reversal(three), "00")
		answer, err := b.peer.Ask(t.Context(), one) // the stored one
		if v, ok := tlv.Find(answer.Bytes(55), tag.IssuerAuthData); err != nil || answer.Get(39) != "00" || !ok || len(v) != 10 {
			t.Errorf("stored answer: %s, 91 %X, %v", answer.Get(39), v, err)
		}
		if b.balance(debitCard) != full-150 {
			t.Errorf("balance %d of %d", b.balance(debitCard), full)
		}
		if err := b.ledgerFits(); err != nil {
			t.Error(err)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Two terminals of a merchant with one F7 and F11: a third one's follow-up
// means neither, their own mean their own.
func TestSharedTrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBank(t, nil)
		full := b.balance(debitCard)
		one, two := b.request(issuertest.Sale, debitCard, 100), b.request(issuertest.Sale, debitCard, 200)
		two.Set(11, one.Get(11))
		two.Set(41, "HK000002")
		code, other := b.done(one), b.done(two)
		for _, c := range []struct{ code string }{{code}, {other}} {
			third := b.after(issuertest.Refund, one, c.code, 1)
			third.Set(41, "HK000003")
			b.want(third, "25")
		}
		b.done(b.after(issuertest.Void, two, other, 200))
		b.done(b.after(issuertest.Void, one, code, 100))
		if b.balance(debitCard) != full {
			t.Errorf("balance %d of %d", b.balance(debitCard), full)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Records that contradict each other are no history.
func TestHistoryContradicted(t *testing.T) {
	b := newBank(t, nil)
	sale := b.request(issuertest.Sale, debitCard, 100)
	void := b.after(issuertest.Void, sale, b.done(sale), 100)
	b.done(void)
	var records []issuer.Record
	if err := b.log.Load(func(r issuer.Record) error { records = append(records, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*issuer.Record)) issuer.Record {
		r := records[1]
		f(&r)
		return r
	}
	for name, history := range map[string][]issuer.Record{
		"void without its sale":   {records[1]},
		"void before its sale":    {records[1], records[0]},
		"void of more":            {records[0], edit(func(r *issuer.Record) { r.Amount++ })},
		"two voids":               {records[0], records[1], edit(func(r *issuer.Record) { r.Key += "x" })},
		"completion of a sale":    {records[0], edit(func(r *issuer.Record) { r.Transaction = issuer.Completion })},
		"void of a reversed sale": {records[0], {Kind: issuer.Reversal, Key: records[0].Key}, records[1]},
		"another account":         {records[0], edit(func(r *issuer.Record) { r.Account = issuer.AccountRef{} })},
	} {
		log := memlog.New[issuer.Record]()
		if err := log.Append(history...); err != nil {
			t.Fatal(err)
		}
		config := b.config
		config.Store = log
		if _, err := issuer.New(b.env, config); !errors.Is(err, issuer.ErrHistory) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever stands in a log, a record is read whole or refused, and what was
// read is written as it was (a record of an old version as one of today).
func FuzzRecord(f *testing.F) {
	f.Add(version1(f, "01", "00000000000022B0", "00", oldKey))
	f.Add(version1(f, "02", "0000000000000000", "\x00\x00", oldKey))
	for _, r := range []issuer.Record{
		{Kind: issuer.Decision, Transaction: issuer.Refund, Key: oldKey, Original: "1122|000001|1|T|M", Amount: 5, Code: "00", RRN: "000000000012"},
		{Kind: issuer.Decision, Transaction: issuer.Sale, Key: oldKey, Amount: 5, Code: "00", Auth: "12345678", Script: "r\x00"},
		{Kind: issuer.Decision, Transaction: issuer.Balance, Key: oldKey, Available: -7, Code: "00"},
		{Kind: issuer.Tombstone, Key: oldKey, AtMS: 9},
	} {
		b, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r issuer.Record
		if err := r.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, issuer.ErrRecord) || !reflect.DeepEqual(r, issuer.Record{}) {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		again, err := r.MarshalBinary()
		if err != nil {
			t.Fatalf("%+v was read, and can't be written: %v", r, err)
		}
		var same issuer.Record
		if err := same.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(r, same) {
			t.Fatalf("%+v, %v, want %+v", same, err, r)
		}
		if b[0] >= 2 && r.Kind == issuer.Decision && !bytes.HasSuffix(b, []byte(r.Key)) {
			t.Fatalf("key %q is not the end of %X", r.Key, b)
		}
	})
}

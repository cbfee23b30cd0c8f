package pos_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"huika/iso8583"
	"huika/iso8583/pos"
	"huika/keys"
	"huika/pay"
)

func cmac(t testing.TB, key string) iso8583.MAC {
	t.Helper()
	mac, err := keys.CMAC(pay.NewSecret([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

func signIn() *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(pos.MTISignIn)
	m.Set(11, "000001")
	m.Set(41, "12345678")
	m.Set(42, "898310000000001")
	m.Set(60, pos.F60{Type: "00", Batch: "000001", Network: pos.NetworkSignIn}.String())
	return m
}

func TestEncodeGolden(t *testing.T) {
	b, err := pos.Encode(nil, pos.Request(3), signIn(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "6000030000" + "603100000001" + "0800" + "0020000000c00010" + "000001" + "3132333435363738" + "383938333130303030303030303031" + "0011000000010040"
	if hex.EncodeToString(b) != want {
		t.Fatalf("%x\nwant %s", b, want)
	}
	m := iso8583.NewMessage()
	h, err := pos.Decode(b, m)
	if err != nil || h != pos.Request(3) || m.Get(60) != "00000001004" {
		t.Fatalf("%v %q %v", h, m.Get(60), err)
	}
	if err := pos.CheckMAC(b, cmac(t, "0123456789abcdef")); !errors.Is(err, pos.ErrNoMAC) {
		t.Fatalf("without MAC: %v", err)
	}
}

// Every flipped bit behind the header, and another key, is seen; the header is not covered.
func TestMAC(t *testing.T) {
	classic, err := keys.Classic(pay.NewSecret([]byte("0123456789abcdef")))
	if err != nil {
		t.Fatal(err)
	}
	for name, mac := range map[string]iso8583.MAC{"cmac": cmac(t, "0123456789abcdef"), "classic": classic} {
		t.Run(name, func(t *testing.T) {
			m := signIn()
			b, err := pos.Encode([]byte("before"), pos.Request(3), m, mac)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, []byte("before")) {
				t.Fatal("dst was not appended to")
			}
			b = b[len("before"):]
			if !bytes.Equal(m.Bytes(pos.FieldMAC), b[len(b)-8:]) {
				t.Error("F64 of the message is not what was sent")
			}
			if want := mac.Sum(b[pos.HeaderSize : len(b)-8]); !bytes.Equal(want[:], b[len(b)-8:]) {
				t.Error("MAC is not over message type to F63")
			}
			if err := pos.CheckMAC(b, mac); err != nil {
				t.Fatal(err)
			}
			if err := pos.CheckMAC(b, cmac(t, "another key, 16B")); !errors.Is(err, pos.ErrMAC) {
				t.Errorf("another key: %v", err)
			}
			for bit := range 8 * len(b) {
				b[bit/8] ^= 1 << (bit % 8)
				err := pos.CheckMAC(b, mac)
				if bit/8 >= pos.HeaderSize && err == nil {
					t.Errorf("bit %d of byte %d flipped and not seen", bit%8, bit/8)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func TestEncodeTakesStaleMACOut(t *testing.T) {
	m := signIn()
	m.SetBytes(64, make([]byte, 8))
	b, err := pos.Encode(nil, pos.Request(3), m, nil)
	if err != nil || m.Has(64) || !errors.Is(pos.CheckMAC(b, cmac(t, "0123456789abcdef")), pos.ErrNoMAC) {
		t.Fatalf("F64 stayed: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := pos.Encode(nil, pos.Request(3), signIn(), nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "half a header": good[:10], "header only": good[:11],
		"TPDU": change(0, 0x61), "application": change(5, 0x61), "message": change(11, 0xFF),
	} {
		m := signIn()
		if _, err := pos.Decode(b, m); !errors.Is(err, iso8583.ErrFormat) || m.MTI() != "" {
			t.Errorf("%s: %v, message %q", name, err, m.MTI())
		}
		if name != "message" {
			if err := pos.CheckMAC(b, cmac(t, "0123456789abcdef")); !errors.Is(err, iso8583.ErrFormat) {
				t.Errorf("%s: check %v", name, err)
			}
		}
	}
	cut := append(bytes.Clone(good[:pos.HeaderSize]), 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF)
	if err := pos.CheckMAC(cut, cmac(t, "0123456789abcdef")); !errors.Is(err, iso8583.ErrFormat) {
		t.Errorf("MAC cut off: %v", err)
	}
	if out, err := pos.Encode([]byte("kept"), pos.Request(3), iso8583.NewMessage(), nil); !errors.Is(err, iso8583.ErrFormat) || string(out) != "kept" {
		t.Errorf("empty message: %q %v", out, err)
	}
}

func TestHeaderReply(t *testing.T) {
	h := pos.Request(0x0103)
	h.TPDU[3], h.TPDU[4] = 7, 8
	h = h.WithRequirement(pos.RequireSignIn)
	if h.Requirement() != pos.RequireSignIn || h.App[2] != 0x03 {
		t.Errorf("requirement %d in %x", h.Requirement(), h.App)
	}
	r := h.Reply()
	if r.TPDU != [5]byte{0x60, 7, 8, 1, 3} || r.Requirement() != pos.RequireNothing || r.Reply().TPDU != h.TPDU {
		t.Errorf("reply %x %x", r.TPDU, r.App)
	}
}

func TestKeyMatchesAnswer(t *testing.T) {
	sale := signIn()
	sale.SetMTI(pos.MTIFinancial)
	reversal := sale.Clone()
	reversal.SetMTI(pos.MTIReversal)
	answer := iso8583.NewMessage()
	answer.ResponseTo(sale, 11, 41, 42)
	if pos.Key(sale) != pos.Key(answer) {
		t.Errorf("sale %q, answer %q", pos.Key(sale), pos.Key(answer))
	}
	if pos.Key(sale) == pos.Key(reversal) {
		t.Error("a reversal repeats the STAN, but not the key")
	}
	b, err := pos.Encode(nil, pos.Request(3), answer, cmac(t, "0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if key, response, err := pos.Classify(b); key != pos.Key(sale) || !response || err != nil {
		t.Errorf("classified as %q %v %v", key, response, err)
	}
	if _, _, err := pos.Classify(b[:20]); !errors.Is(err, iso8583.ErrFormat) {
		t.Error(err)
	}
	if pos.Key(iso8583.NewMessage()) != "" {
		t.Error("an empty message has a key")
	}
}

func TestKinds(t *testing.T) {
	for _, k := range pos.Kinds {
		m := iso8583.NewMessage()
		m.SetMTI(k.MTI)
		if k.Processing != "" {
			m.Set(3, k.Processing)
		}
		m.Set(60, pos.F60{Type: or(k.Type, "22"), Batch: "000001", Network: k.Network}.String())
		if got, ok := pos.KindOf(m); !ok || got != k {
			t.Errorf("%s is taken for %s", k.Name, got.Name)
		}
	}
	m := signIn()
	m.Set(60, "0000000199")
	if k, ok := pos.KindOf(m); ok {
		t.Errorf("a broken F60 is taken for %s", k.Name)
	}
	m.Set(60, "99000001999")
	if k, ok := pos.KindOf(m); ok {
		t.Errorf("an unknown network code is taken for %s", k.Name)
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestF60(t *testing.T) {
	for s, want := range map[string]pos.F60{
		"22000001":      {Type: "22", Batch: "000001"},
		"22000001000":   {Type: "22", Batch: "000001", Network: "000"},
		"220000010006":  {Type: "22", Batch: "000001", Network: "000", Capability: "6"},
		"2200000100062": {Type: "22", Batch: "000001", Network: "000", Capability: "6", ICCondition: "2"},
	} {
		if got, err := pos.ParseF60(s); err != nil || got != want || got.String() != s {
			t.Errorf("%s: %+v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "2", "2200000", "220000011", "2200000100062 ", "22000001000621", "2200000100A"} {
		if got, err := pos.ParseF60(s); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%q: %+v %v", s, got, err)
		}
	}
}

func TestOriginal(t *testing.T) {
	o := pos.Original{Batch: "000001", STAN: "000017", Date: "0730"}
	if got, err := pos.ParseOriginal(o.String()); err != nil || got != o {
		t.Errorf("%+v %v", got, err)
	}
	for _, s := range []string{"", "000001000017073", "00000100001707300", "00000100001707A0"} {
		if _, err := pos.ParseOriginal(s); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestWorkingKeys(t *testing.T) {
	tmk := pay.NewSecret([]byte("terminal master!"))
	k := pos.WorkingKeys{
		PIN: pay.NewSecret([]byte("pin key, 16 byte")), MAC: pay.NewSecret([]byte("mac key, 16 byte")), Track: pay.NewSecret([]byte("track key 16 byt")),
	}
	f62, err := pos.SealKeys(tmk, k)
	if err != nil || len(f62) != 84 {
		t.Fatalf("%d bytes, %v", len(f62), err)
	}
	got, err := pos.OpenKeys(tmk, f62)
	if err != nil || !keys.Equal(got.PIN, k.PIN) || !keys.Equal(got.MAC, k.MAC) || !keys.Equal(got.Track, k.Track) {
		t.Fatal(err)
	}
	for i := range f62 { // wraps and check values alike
		f62[i] ^= 1
		if _, err := pos.OpenKeys(tmk, f62); !errors.Is(err, pos.ErrKeys) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		f62[i] ^= 1
	}
	swapped := append(append(bytes.Clone(f62[28:56]), f62[:28]...), f62[56:]...)
	if _, err := pos.OpenKeys(tmk, swapped); !errors.Is(err, pos.ErrKeys) {
		t.Errorf("PIN and MAC key exchanged: %v", err)
	}
	if _, err := pos.OpenKeys(pay.NewSecret([]byte("another master!!")), f62); !errors.Is(err, pos.ErrKeys) {
		t.Errorf("another master key: %v", err)
	}
	for _, n := range []int{0, 83, 85} {
		if _, err := pos.OpenKeys(tmk, make([]byte, n)); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for name, bad := range map[string]pos.WorkingKeys{
		"missing": {PIN: k.PIN, MAC: k.MAC}, "single DES": {PIN: pay.NewSecret([]byte("1234567812345678")), MAC: k.MAC, Track: k.Track},
	} {
		if _, err := pos.SealKeys(tmk, bad); !errors.Is(err, pos.ErrKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pos.SealKeys(pay.NewSecret(nil), k); !errors.Is(err, pos.ErrKeys) {
		t.Error(err)
	}
	got.Wipe()
	if !bytes.Equal(got.PIN.Reveal(), make([]byte, 16)) {
		t.Error("Wipe leaves a key")
	}
}

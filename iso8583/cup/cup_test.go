package cup_test

import (
	"bytes"
	"errors"
	"testing"

	"huika/iso8583"
	"huika/iso8583/cup"
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

func sale() *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(cup.MTIFinancial)
	for f, v := range map[int]string{2: "6228480000000001117", 3: "000000", 4: "000000008880", 7: "0730142501", 11: "123456", 32: "48021000", 41: "12345678", 42: "898310000000001"} {
		m.Set(f, v)
	}
	return m
}

// Every flipped bit is seen, and so is another key.
func TestMAC(t *testing.T) {
	mac := cmac(t, "0123456789abcdef")
	m := sale()
	b, err := cup.Encode([]byte("before"), m, mac)
	if err != nil || !bytes.HasPrefix(b, []byte("before")) {
		t.Fatal(err)
	}
	b = b[len("before"):]
	if want := mac.Sum(b[:len(b)-8]); !bytes.Equal(want[:], b[len(b)-8:]) || !bytes.Equal(m.Bytes(cup.FieldMAC), want[:]) {
		t.Error("MAC is not over everything before F128")
	}
	if err := cup.CheckMAC(b, mac); err != nil {
		t.Fatal(err)
	}
	if err := cup.CheckMAC(b, cmac(t, "another key, 16B")); !errors.Is(err, cup.ErrMAC) {
		t.Errorf("another key: %v", err)
	}
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if cup.CheckMAC(b, mac) == nil {
			t.Errorf("bit %d of byte %d flipped and not seen", bit%8, bit/8)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	back := iso8583.NewMessage()
	if err := cup.Decode(b, back); err != nil || back.Get(4) != "000000008880" {
		t.Fatal(err)
	}
}

func TestNoMAC(t *testing.T) {
	mac := cmac(t, "0123456789abcdef")
	m := sale()
	m.SetBytes(cup.FieldMAC, make([]byte, 8))
	b, err := cup.Encode(nil, m, nil) // one bitmap
	if err != nil || !errors.Is(cup.CheckMAC(b, mac), cup.ErrNoMAC) {
		t.Errorf("one bitmap: %v", err)
	}
	m.Set(90, cup.Original{MTI: "0200", STAN: "123456", Transmission: "0730142501", Acquirer: "48021000"}.String())
	b, err = cup.Encode(nil, m, nil) // two
	if err != nil || !errors.Is(cup.CheckMAC(b, mac), cup.ErrNoMAC) {
		t.Errorf("two bitmaps: %v", err)
	}
	whole, err := cup.Encode(nil, m, mac)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 11, 12, 19, 20, 27} {
		if err := cup.CheckMAC(whole[:n], mac); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if out, err := cup.Encode([]byte("kept"), iso8583.NewMessage(), mac); !errors.Is(err, iso8583.ErrFormat) || string(out) != "kept" {
		t.Errorf("empty message: %q %v", out, err)
	}
}

func TestKey(t *testing.T) {
	m := sale()
	answer := iso8583.NewMessage()
	answer.ResponseTo(m, 7, 11, 32, 41, 42)
	if cup.Key(m) != cup.Key(answer) {
		t.Errorf("%q and %q", cup.Key(m), cup.Key(answer))
	}
	for f, v := range map[int]string{7: "0730142502", 11: "123457", 32: "48021001", 41: "12345679", 42: "898310000000002"} {
		other := m.Clone()
		other.Set(f, v)
		if cup.Key(other) == cup.Key(m) {
			t.Errorf("F%d does not count", f)
		}
	}
	// F32 varies in length: what it loses must not be made up by its neighbour.
	a, b := m.Clone(), m.Clone()
	a.Set(32, "480210001")
	a.Set(41, "2345678 ")
	b.Set(32, "48021000")
	b.Set(41, "12345678")
	if cup.Key(a) == cup.Key(b) {
		t.Error("keys run into each other")
	}
	frame, err := cup.Encode(nil, answer, cmac(t, "0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if key, response, err := cup.Classify(frame); key != cup.Key(m) || !response || err != nil {
		t.Errorf("%q %v %v", key, response, err)
	}
	if _, _, err := cup.Classify(frame[:9]); !errors.Is(err, iso8583.ErrFormat) {
		t.Error(err)
	}
}

func TestOriginal(t *testing.T) {
	o := cup.Original{MTI: "0200", STAN: "000017", Transmission: "0730142501", Acquirer: "48021000", Forwarder: ""}
	if o.String() != "0200"+"000017"+"0730142501"+"00048021000"+"00000000000" {
		t.Error(o.String())
	}
	if got, err := cup.ParseOriginal(o.String()); err != nil || got != o {
		t.Errorf("%+v %v", got, err)
	}
	for _, s := range []string{"", o.String()[1:], o.String() + "0", "x" + o.String()[1:]} {
		if _, err := cup.ParseOriginal(s); !errors.Is(err, iso8583.ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
	m := sale()
	o.Acquirer = "123456789012"
	m.Set(90, o.String())
	if _, err := cup.Encode(nil, m, nil); !errors.Is(err, iso8583.ErrFormat) {
		t.Errorf("an institution of 12 digits: %v", err)
	}
}

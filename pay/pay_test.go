package pay_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"huika/pay"
)

func TestParseMoney(t *testing.T) {
	for _, c := range []struct {
		in    string
		cur   pay.Currency
		minor int64
		ok    bool
	}{
		{"88.80", pay.CNY, 8880, true}, {"88.8", pay.CNY, 8880, true}, {"88", pay.CNY, 8800, true}, {"0.01", pay.CNY, 1, true},
		{"9999999999.99", pay.CNY, pay.MaxMinor, true}, {"10000000000.00", pay.CNY, 0, false}, {"500", pay.JPY, 500, true},
		{"500.0", pay.JPY, 0, false}, {"88.801", pay.CNY, 0, false}, {"-1", pay.CNY, 0, false}, {"+1", pay.CNY, 0, false}, {"", pay.CNY, 0, false},
		{".5", pay.CNY, 0, false}, {"5.", pay.CNY, 0, false}, {"1e3", pay.CNY, 0, false}, {"８８", pay.CNY, 0, false}, {"1.2.3", pay.CNY, 0, false},
		{"99999999999999999999999999", pay.CNY, 0, false},
	} {
		m, err := pay.ParseMoney(c.in, c.cur)
		if (err == nil) != c.ok || m.Minor != c.minor || (err != nil && !errors.Is(err, pay.ErrAmount)) {
			t.Errorf("%q: %v %v", c.in, m, err)
		}
	}
}

func TestMoneyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := pay.Money{Minor: rapid.Int64Range(0, pay.MaxMinor).Draw(t, "minor"), Currency: rapid.SampledFrom([]pay.Currency{pay.CNY, pay.JPY, pay.USD}).Draw(t, "currency")}
		if got, err := pay.ParseMoney(m.Decimal(), m.Currency); err != nil || got != m {
			t.Fatalf("%v → %q → %v %v", m, m.Decimal(), got, err)
		}
	})
}

// Nothing that can be done to a value shows more than six and four digits, or a secret's bytes.
func TestNothingPrintsASecret(t *testing.T) {
	const digits, key = "6299990000000000012", "super-secret-key"
	pan, err := pay.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	secret := pay.NewSecret([]byte(key))
	type inner struct {
		pan pay.PAN
		key pay.Secret
		ptr *pay.Secret
	}
	hidden := inner{pan, secret, &secret}
	shown := struct {
		P pay.PAN
		K pay.Secret
	}{pan, secret}
	var out bytes.Buffer
	for _, v := range []any{pan, &pan, secret, &secret, hidden, &hidden, shown, []pay.PAN{pan}, map[string]pay.Secret{"k": secret}, []any{hidden}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil && !strings.Contains(err.Error(), "unsupported") {
			t.Error(err)
		}
		out.Write(b)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	for _, leak := range []string{digits[6:15], key, fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), fmt.Sprint([]byte(key)), fmt.Sprintf("%x", digits)} {
		if i := strings.Index(out.String(), strings.Trim(leak, "[]")); i >= 0 {
			t.Errorf("printed %q: %s", leak, out.String()[max(0, i-80):min(out.Len(), i+80)])
		}
	}
	if !strings.Contains(out.String(), "629999*********0012") {
		t.Error("the masked form is missing")
	}
}

func TestSealer(t *testing.T) {
	s, err := pay.NewGCMSealer(pay.NewSecret(make([]byte, 32)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Seal([]byte("6299990000000000012"), "pan/1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Seal([]byte("6299990000000000012"), "pan/1")
	if err != nil || bytes.Equal(a, b) {
		t.Fatal("the same text sealed twice must differ")
	}
	if got, err := s.Open(a, "pan/1"); err != nil || string(got) != "6299990000000000012" {
		t.Fatalf("%q %v", got, err)
	}
	if _, err := s.Open(a, "pan/2"); !errors.Is(err, pay.ErrSealed) {
		t.Error("opened under another context")
	}
	for i := range a {
		c := bytes.Clone(a)
		c[i] ^= 1
		if _, err := s.Open(c, "pan/1"); !errors.Is(err, pay.ErrSealed) {
			t.Fatalf("byte %d flipped and still opened", i)
		}
	}
	for n := range a {
		if _, err := s.Open(a[:n], "pan/1"); !errors.Is(err, pay.ErrSealed) {
			t.Fatalf("cut to %d and still opened", n)
		}
	}
}

func TestIDs(t *testing.T) {
	if pay.STAN(999_999).Next() != 1 || pay.STAN(1).String() != "000001" {
		t.Error("STAN")
	}
	id, err := pay.NewPaymentID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := pay.ParsePaymentID(string(id)); err != nil || back != id {
		t.Errorf("%q %v", back, err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 26), strings.Repeat("l", 26)} {
		if _, err := pay.ParsePaymentID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if pay.LuhnDigit("7992739871") != '3' {
		t.Error("Luhn")
	}
}

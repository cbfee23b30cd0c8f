package bin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"huika/acquirer/bin"
	"huika/pay"
	"huika/rt"
)

func card(t testing.TB, digits string) pay.PAN {
	t.Helper()
	p, err := pay.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const table = `from,to,brand,routes,product,country
62,62,UnionPay,unionpay,credit,156
622848,622848,ABC debit,unionpay netsunion,debit,156
6228480000,6228480099,ABC gift,unionpay,prepaid,156
4,4,Visa,visa,credit,840
51,55,Mastercard,mastercard,credit,840
222100,272099,Mastercard,mastercard,credit,56
`

func TestLongestRangeWins(t *testing.T) {
	b, err := bin.Read(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]string{
		"6228480000000001117": "ABC gift", "6228480099999999999": "ABC gift", "6228480100000000000": "ABC debit", "6228479999999999999": "UnionPay",
		"6228490000000000000": "UnionPay", "4111111111111111": "Visa", "5100000000000000": "Mastercard", "5599999999999999": "Mastercard",
		"2221000000000009": "Mastercard", "2720999999999999": "Mastercard", "2721000000000000": "", "5600000000000000": "", "3530111333300000": "", "6228480000001": "ABC gift",
	} {
		got, ok := b.Lookup(card(t, number))
		if got.Brand != want || ok != (want != "") {
			t.Errorf("%s…: got %q %v, want %q", number[:8], got.Brand, ok, want)
		}
	}
	if r, _ := b.Lookup(card(t, "6228481111111111111")); fmt.Sprintf("%v %s %d", r.Routes, r.Product, r.Country) != "[unionpay netsunion] debit 156" {
		t.Errorf("%+v", r)
	}
}

func TestBadTables(t *testing.T) {
	for name, c := range map[string][2]string{
		"header":         {"from,to,brand,routes,kind,country\n", "first line"},
		"no number":      {"x,y,a,r,debit,156", "line 2"},
		"two lengths":    {"62,622,a,r,debit,156", "as many in both"},
		"twenty digits":  {"62000000000000000000,62000000000000000001,a,r,debit,156", "at most 19"},
		"upside down":    {"63,62,a,r,debit,156", "above"},
		"no route":       {"62,62,a,,debit,156", "route"},
		"product":        {"62,62,a,r,gold,156", "product"},
		"country":        {"62,62,a,r,debit,CN", "country"},
		"overlap":        {"60,65,a,r,debit,156\n63,67,b,r,debit,156", "overlaps"},
		"twice":          {"62,62,a,r,debit,156\n62,62,b,r,debit,156", "twice"},
		"missing column": {"62,62,a,r,debit", "record"},
	} {
		text := "from,to,brand,routes,product,country\n" + c[0]
		if name == "header" {
			text = c[0]
		}
		if _, err := bin.Read(strings.NewReader(text)); !errors.Is(err, bin.ErrTable) || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want something about %q", name, err, c[1])
		}
	}
}

// The answer is that of looking at every range.
func TestLookupAgainstAllRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ranges []bin.Range
		for i := range rapid.IntRange(0, 12).Draw(t, "ranges") {
			from := rapid.StringMatching(`[0-9]{1,4}`).Draw(t, "from")
			one := bin.Range{From: from, To: from, Brand: fmt.Sprint(i), Routes: []string{"r"}, Product: bin.Debit, Country: 156}
			if _, err := bin.New(append(ranges, one)); err == nil { // prefixes only nest; the same one twice is refused
				ranges = append(ranges, one)
			}
		}
		b, err := bin.New(ranges)
		if err != nil {
			t.Fatal(err)
		}
		number := rapid.StringMatching(`[0-9]{12,19}`).Draw(t, "number")
		pan, err := pay.ParsePAN(number)
		if err != nil {
			t.Skip()
		}
		want, length := "", -1
		for _, r := range ranges {
			if strings.HasPrefix(number, r.From) && len(r.From) > length {
				want, length = r.Brand, len(r.From)
			}
		}
		if got, ok := b.Lookup(pan); got.Brand != want || ok != (length >= 0) {
			t.Fatalf("%s: got %q %v, want %q", number, got.Brand, ok, want)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(table)
	f.Add("from,to,brand,routes,product,country\n\"6\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := bin.Read(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, bin.ErrTable) {
				t.Fatalf("%v does not say that it is about the table", err)
			}
			return
		}
		b.Lookup(card(t, "6228480000000001117"))
	})
}

func TestHotReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, err := bin.Read(strings.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		second, err := bin.New([]bin.Range{{From: "3", To: "3", Brand: "new", Routes: []string{"amex"}, Product: bin.Credit, Country: 840}})
		if err != nil {
			t.Fatal(err)
		}
		live := bin.NewLive(first)
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		source := func(version string) (*bin.Table, string, bool, error) {
			switch steps++; steps {
			case 1:
				return nil, version, false, nil
			case 2:
				return nil, "broken", false, bin.ErrTable
			}
			return second, "v2", version != "v2", nil
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			live.Follow(ctx, rt.Real(), time.Second, "v1", source, slog.New(slog.NewTextHandler(io.Discard, nil)))
		}()
		has := func(number, want string) {
			t.Helper()
			if r, _ := live.Lookup(card(t, number)); r.Brand != want {
				t.Errorf("%q, want %q", r.Brand, want)
			}
		}
		time.Sleep(2500 * time.Millisecond)
		has("4111111111111111", "Visa")
		time.Sleep(time.Second)
		has("4111111111111111", "")
		has("370000000000002", "new")
		cancel()
		<-done
	})
}

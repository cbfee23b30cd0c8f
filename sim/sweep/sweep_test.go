package sweep

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want Range
		ok   bool
	}{
		{"7", Range{7, 7}, true},
		{"1..200", Range{1, 200}, true},
		{"0..0", Range{0, 0}, true},
		{"18446744073709551615", Range{1<<64 - 1, 1<<64 - 1}, true},
		{"0..18446744073709551615", Range{}, false}, // the count would not fit
		{"5..4", Range{}, false},
		{"1..", Range{}, false},
		{"..3", Range{}, false},
		{"-1..3", Range{}, false},
		{"", Range{}, false},
		{"1..2..3", Range{}, false},
	} {
		got, err := Parse(c.text)
		if got != c.want || (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrRange) {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

func TestForTest(t *testing.T) {
	now := time.UnixMilli(1000)
	for _, c := range []struct {
		env  string
		want Range
		ok   bool
	}{
		{"", Range{1000, 1199}, true},
		{"2000", Range{1000, 2999}, true},
		{"81..81", Range{81, 81}, true},
		{"0", Range{}, false},
		{"many", Range{}, false},
	} {
		t.Setenv(SeedsEnv, c.env)
		got, err := ForTest(200, now)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %v, %v", c.env, got, err)
		}
	}
}

func TestRunGivesEverySeedOnce(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[uint64]int)
	var told uint64
	r := Range{1<<64 - 50, 1<<64 - 1} // the last seed has no successor
	got := Run(context.Background(), r, Options{Workers: 4, Progress: func(ran, _ uint64) { told = ran }}, func(seed uint64) error {
		mu.Lock()
		defer mu.Unlock()
		seen[seed]++
		switch seed {
		case r.First + 3:
			return errors.New("broken")
		case r.First + 7:
			panic("fell")
		}
		return nil
	})
	if got.Ran != 50 || told != 50 || len(seen) != 50 {
		t.Errorf("ran %d, told %d, saw %d", got.Ran, told, len(seen))
	}
	for seed, n := range seen {
		if n != 1 {
			t.Errorf("seed %d ran %d times", seed, n)
		}
	}
	if len(got.Failures) != 2 || got.Failures[0].Seed != r.First+3 || got.Failures[1].Seed != r.First+7 ||
		!strings.Contains(got.Failures[1].Error(), "fell") {
		t.Errorf("failures %v", got.Failures)
	}
}

func TestRunStops(t *testing.T) {
	broken := errors.New("broken")
	got := Run(context.Background(), Range{1, 1_000_000}, Options{Workers: 2}, func(uint64) error { return broken })
	if len(got.Failures) != MaxFailures || got.Ran > MaxFailures+2 {
		t.Errorf("%d failures, ran %d", len(got.Failures), got.Ran)
	}
	if !slices.ContainsFunc(got.Failures, func(f Failure) bool { return errors.Is(f, broken) }) {
		t.Error("the error is lost")
	}
	ctx, cancel := context.WithCancel(context.Background())
	got = Run(ctx, Range{1, 1_000_000}, Options{Workers: 2}, func(seed uint64) error {
		if seed == 10 {
			cancel()
		}
		return nil
	})
	if got.Ran < 10 || got.Ran > 20 {
		t.Errorf("ran %d after the context ended at 10", got.Ran)
	}
}

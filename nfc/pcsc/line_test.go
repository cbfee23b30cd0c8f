package pcsc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"huika/rt"
)

func TestAsk(t *testing.T) {
	never := func(int) { panic("leave was called for an answer that was delivered") }
	synctest.Test(t, func(t *testing.T) {
		env, ctx := rt.Real(), context.Background()
		blocked := func() int {
			time.Sleep(time.Minute) // stands for a C call that does not return
			return 7
		}

		if v, lost, err := ask(ctx, env, func() int { return 7 }, never); v != 7 || lost != nil || err != nil {
			t.Fatalf("%d, %v, %v", v, lost, err)
		}

		start, left := env.Now(), 0
		_, lost, err := ask(ctx, env, blocked, func(v int) { left = v })
		if !errors.Is(err, errHung) || lost == nil || env.Now().Sub(start) != callLimit {
			t.Fatalf("a blocked call: %v after %v", err, env.Now().Sub(start))
		}
		if _, back := lost.Peek(); back {
			t.Fatal("a blocked call counts as returned")
		}
		if _, err := lost.Get(ctx); err != nil || left != 7 || env.Now().Sub(start) != time.Minute {
			t.Fatalf("back after %v, leave got %d, %v", env.Now().Sub(start), left, err)
		}

		cancelled, cancel := context.WithCancel(ctx)
		start = env.Now()
		env.Go("clerk", func() {
			time.Sleep(10 * time.Millisecond)
			cancel()
		})
		_, lost, err = ask(cancelled, env, blocked, func(v int) { left += v })
		if !errors.Is(err, context.Canceled) || env.Now().Sub(start) != 10*time.Millisecond {
			t.Fatalf("a cancelled call: %v after %v", err, env.Now().Sub(start))
		}
		if _, err := lost.Get(ctx); err != nil || left != 14 {
			t.Fatalf("leave got %d in all, %v", left, err)
		}
	})
}

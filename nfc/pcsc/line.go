package pcsc

import (
	"context"
	"errors"
	"time"

	"huika/rt"
)

const (
	// callLimit is how long a call into the library may take before the reader is called hung.
	callLimit = 850 * time.Millisecond
	// tick is how long the monitor's status call waits at most; with callLimit it
	// bounds how late a silent pcscd is noticed.
	tick = 300 * time.Millisecond
	// pollTime is a little more than pcscd's own interval of 400 ms between two
	// looks into a slot: a card's coming or going is seen by then.
	pollTime = 450 * time.Millisecond
)

// errHung says that a call did not come back within callLimit.
var errHung = errors.New("no answer in time")

type result[T any] struct {
	value     T
	abandoned bool
}

// ask runs f, which may block inside the library for as long as pcscd likes,
// in a task of its own, and waits for its answer until ctx or callLimit ends.
// Where one of them does, the call goes on without a listener: leave is then
// called with its answer in its own task, to free what it holds, and returned
// is set after that. f and leave own all that they touch.
//
// Tasks that block outside rt are not for the simulator, which uses nfc/memory.
func ask[T any](ctx context.Context, env rt.Env, f func() T, leave func(T)) (T, *rt.Future[struct{}], error) {
	got, returned := rt.NewFuture[result[T]](env), rt.NewFuture[struct{}](env)
	env.Go("pcsc call", func() {
		if v := f(); !got.Set(result[T]{value: v}) {
			leave(v)
		}
		returned.Set(struct{}{})
	})
	limited, cancel := env.WithTimeout(ctx, callLimit)
	defer cancel()
	answer, err := got.Get(limited)
	if err != nil && !got.Set(result[T]{abandoned: true}) {
		answer, _ = got.Peek() // it came back just now
		err = nil
	}
	switch {
	case err == nil:
		return answer.value, nil, nil
	case ctx.Err() != nil:
		return answer.value, returned, ctx.Err()
	}
	return answer.value, returned, errHung
}

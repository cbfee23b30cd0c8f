package host

import (
	"sync"

	"huika/acquirer/payment"
	"huika/rt"
)

// flight knows the payments that are being worked on in this process. A
// duplicate that arrives meanwhile joins the first and gets its answer; the
// resolver leaves them alone.
type flight struct {
	env rt.Env
	mu  sync.Mutex
	m   map[payment.Key]*flown
}

type flown struct {
	print  payment.Fingerprint
	passed bool // the resolver left it alone: it must look again after the landing
	end    *rt.Future[answer]
}

// board returns the entry of a payment and whether the caller is its first.
func (f *flight) board(k payment.Key, print payment.Fingerprint) (*flown, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.m[k]; ok {
		return e, false
	}
	if f.m == nil {
		f.m = map[payment.Key]*flown{}
	}
	e := &flown{print: print, end: rt.NewFuture[answer](f.env)}
	f.m[k] = e
	return e, true
}

// land ends an entry and reports whether the resolver passed over it meanwhile.
func (f *flight) land(k payment.Key, e *flown, a answer) (passed bool) {
	f.mu.Lock()
	delete(f.m, k)
	passed = e.passed
	f.mu.Unlock()
	e.end.Set(a)
	return passed
}

// passOver is has for the resolver.
func (f *flight) passOver(k payment.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.m[k]
	if ok {
		e.passed = true
	}
	return ok
}

func (f *flight) has(k payment.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.m[k]
	return ok
}

// inBatch reports whether a payment of a terminal's batch is in flight.
func (f *flight) inBatch(of payment.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range f.m {
		if k.Kind != payment.Settlement && k.Terminal == of.Terminal && k.Merchant == of.Merchant && k.Batch == of.Batch {
			return true
		}
	}
	return false
}

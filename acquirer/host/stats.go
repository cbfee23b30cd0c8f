package host

import (
	"math/big"
	"sync/atomic"
)

var stanRange = big.NewInt(999_999)

// Stats counts what happened since the host started; any task may read it.
type Stats struct {
	Messages   atomic.Uint64 // received from terminals
	Refused    atomic.Uint64 // wrong MAC, wrong terminal, malformed
	Admitted   atomic.Uint64
	Approved   atomic.Uint64
	Declined   atomic.Uint64
	Reversals  atomic.Uint64 // owed: by the terminal or by a lost answer
	Reversed   atomic.Uint64 // taken by the scheme
	Full       atomic.Uint64 // told to try again because the queue was full
	Late       atomic.Uint64 // answers that came after their time
	Commits    atomic.Uint64
	CommitOps  atomic.Uint64
	Unresolved atomic.Int64 // at the resolver's last look

	latency [len(LatencyBounds) + 1]atomic.Uint64
}

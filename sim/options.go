package sim

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"huika/acquirer/book"
	"huika/site"
	"huika/terminal/journal"
	"huika/world/issuer"
	"huika/world/scheme"
)

// Options say what one run is like. Seed and Steps make a run; the other fields
// take something away from it, or plant a bug in it.
type Options struct {
	Seed  uint64
	Steps int // transactions that the clerks try, all together
	// Stores says what books, journals and logs are kept in.
	Stores Stores
	// Terminals and Hosts bound the town; 0: as many as the seed says.
	Terminals, Hosts int
	// Without are kinds of trouble that do not happen.
	Without Faults
	// Log gets the lines that the parts write, with the world's time; nil: nobody.
	Log io.Writer

	// The rest lets a test plant a bug between a part and what it stands on, each
	// for one life of that part. nil: none.
	Books   func(book.Store) book.Store
	Journal func(journal.Store) journal.Store
	Ledger  func(issuer.Store) issuer.Store // of an issuer
	Owed    func(scheme.Store) scheme.Store
	Wire    func(site.Wire) site.Wire
}

// Faults is a set of kinds of trouble. Each seed has some of them only: a
// town where everything happens at once seldom gets far.
type Faults uint32

// Kinds of trouble.
const (
	Lost      Faults = 1 << iota // a message never arrives
	Doubled                      // a message arrives twice
	Reordered                    // a message arrives late, others before it
	Delayed                      // a connection stalls
	Cut                          // a connection breaks in the middle of a message
	Refused                      // a dial is refused
	Parted                       // two machines don't hear each other for a while
	Crashed                      // a machine dies, at a durable boundary or at any time
	Torn                         // a machine dies while it writes: part of it is on the disk
	Skewed                       // clocks drift apart, and jump
	Slow                         // scheme or issuer answer late
	Dead                         // scheme or issuer don't answer at all
	Full                         // the disk below the books is slow, the committer's queue short
	Unknown                      // the books don't say whether they wrote
	TakenOver                    // a host loses its lanes while it writes

	AllFaults = TakenOver<<1 - 1
)

var faultNames = []string{"lost", "doubled", "reordered", "delayed", "cut", "refused", "parted", "crashed", "torn", "skewed", "slow", "dead", "full", "unknown", "takenover"}

// kinds are the members of the set, one by one.
func (f Faults) kinds() (out []Faults) {
	for i := range faultNames {
		if one := Faults(1) << i; f&one != 0 {
			out = append(out, one)
		}
	}
	return out
}

// String is "lost,cut".
func (f Faults) String() string {
	var names []string
	for i, name := range faultNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ErrFault says that there is no such kind of trouble.
var ErrFault = errors.New("not a kind of fault")

// ParseFaults reads what String writes; "all" is every kind.
func ParseFaults(s string) (f Faults, err error) {
	if s == "all" {
		return AllFaults, nil
	}
	for _, word := range strings.Split(s, ",") {
		found := word == ""
		for i, name := range faultNames {
			if name == word {
				f, found = f|1<<i, true
			}
		}
		if !found {
			return 0, fmt.Errorf("%w: %q; there are %s", ErrFault, word, strings.Join(faultNames, ", "))
		}
	}
	return f, nil
}

// Report is what a run did.
type Report struct {
	Seed     uint64
	Town     string // what the seed made: tills, hosts, banks, kinds of trouble
	Approved int    // payments that the shops hold for good
	Tried    int
	Crashes  int
	// Met counts what happened, by name: kinds of trouble, of transactions, of answers.
	Met      map[string]int
	Hash     uint64
	Problems []string
	History  string // the newest events, where there are problems
}

// Err is nil for a clean run.
func (r Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return fmt.Errorf("seed %d: %s", r.Seed, strings.Join(r.Problems, "; "))
}

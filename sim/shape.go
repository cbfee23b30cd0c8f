package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"huika/pay"
	"huika/sim/sched"
	"huika/site"
)

// shape is what the seed makes of a town, within the limits of the options.
type shape struct {
	start  time.Time
	lanes  int
	each   bool // each lane is written alone, as on PostgreSQL
	tills  []till
	hosts  []string // nodes
	banks  []bank
	faults Faults
	rate   float64 // of the network's faults, per message
	queue  int     // of the committer, where it is to fill up
}

// till is a terminal and where it stands.
type till struct {
	node     string
	id       pay.TerminalID
	merchant pay.MerchantID
}

// bank is an issuer below the scheme.
type bank struct {
	node string
	site.Bank
}

// dice are the choices of one part of a run. Each has its own, so that a run
// with something taken away stays as alike as it can.
func dice(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // hash.Hash never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Chances of a town.
const (
	quietChance = 0.05 // that nothing at all goes wrong
	faultChance = 0.5  // that a kind of trouble is one of this seed's
	nightChance = 0.3  // that the business day ends in the run
	bankChance  = 0.5  // that the scheme has two issuers
	hostsChance = 0.4  // that several hosts share the books
)

var (
	tillCounts = []int{1, 1, 1, 2, 2, 3, 4, 6}
	hostCounts = []int{2, 2, 2, 3}
	laneCounts = []int{1, 4, 16}
	rates      = []float64{0.005, 0.02, 0.05}
	// evenings are minutes before a day ends, in China: an ordinary one, the last
	// of a February, and the last of a year.
	evenings = []time.Time{
		time.Date(2026, 1, 5, 15, 57, 0, 0, time.UTC), time.Date(2026, 2, 28, 15, 57, 0, 0, time.UTC), time.Date(2026, 12, 31, 15, 57, 0, 0, time.UTC),
	}
)

func draw(opt Options) shape {
	d := dice(opt.Seed, "town")
	s := shape{start: sched.DefaultStart, lanes: laneCounts[d.IntN(len(laneCounts))], rate: rates[d.IntN(len(rates))], queue: 1 + d.IntN(3)}
	if d.Float64() < nightChance {
		s.start = evenings[d.IntN(len(evenings))]
	}
	merchants, tills := 1+d.IntN(3), tillCounts[d.IntN(len(tillCounts))]
	if opt.Terminals > 0 {
		tills = min(tills, opt.Terminals)
	}
	for i := range tills {
		s.tills = append(s.tills, till{
			node: fmt.Sprintf("terminal-%d", i+1), id: pay.TerminalID(fmt.Sprintf("HK%06d", i+1)),
			merchant: pay.MerchantID(fmt.Sprintf("89831004816%04d", i%merchants+1)),
		})
	}
	s.banks = []bank{{"issuer-1", site.Bank{Name: "bank 1", Prefixes: []string{"62"}}}}
	if d.Float64() < bankChance { // the second one has the phones and watches
		s.banks[0].Prefixes = []string{"6299990"}
		s.banks = append(s.banks, bank{"issuer-2", site.Bank{Name: "bank 2", Prefixes: []string{"6299995"}}})
	}
	for i := range s.banks {
		addr := s.banks[i].node + ":1"
		s.banks[i].Addr = func() string { return addr }
	}
	hosts, several := hostCounts[d.IntN(len(hostCounts))], d.Float64() < hostsChance
	if !several || opt.Stores.sqlite(opt.Seed) { // SQLite has one owner
		hosts = 1
	}
	if opt.Hosts > 0 {
		hosts = min(hosts, opt.Hosts)
	}
	for i := range hosts {
		s.hosts = append(s.hosts, fmt.Sprintf("host-%d", i+1))
	}
	s.each = d.IntN(2) == 0
	quiet := d.Float64() < quietChance
	for _, kind := range AllFaults.kinds() {
		if d.Float64() < faultChance && !quiet {
			s.faults |= kind
		}
	}
	s.faults &^= opt.Without
	return s
}

func (s shape) String() string {
	return fmt.Sprintf("%d terminals, %d hosts, %d lanes, %d banks, from %s; trouble: %s",
		len(s.tills), len(s.hosts), s.lanes, len(s.banks), s.start.Format("2 Jan 15:04"), s.faults)
}

// network is what may happen to the traffic of an address.
func (s shape) network() sched.Faults {
	f := sched.Faults{Latency: sched.Span{Min: 100 * time.Microsecond, Max: 20 * time.Millisecond}, Split: 0.1, Framed: true}
	rate := func(kind Faults, at *float64, r float64) {
		if s.faults&kind != 0 {
			*at = r
		}
	}
	rate(Lost, &f.Lose, s.rate)
	rate(Doubled, &f.Double, 2*s.rate)
	rate(Reordered, &f.Delay, 2*s.rate)
	rate(Delayed, &f.Stall, s.rate)
	rate(Cut, &f.Cut, s.rate)
	rate(Refused, &f.Refuse, 5*s.rate)
	f.StallFor = sched.Span{Min: 10 * time.Millisecond, Max: 5 * time.Second}
	f.DelayFor = sched.Span{Min: time.Millisecond, Max: 30 * time.Second}
	return f
}

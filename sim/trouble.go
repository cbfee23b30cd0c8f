package sim

import (
	"math/rand/v2"
	"time"

	"huika/acquirer/book"
	"huika/sim/sched"
	"huika/site"
)

// Chances of a life to end by a crash, and how.
const (
	crashAtBoundary = 0.35
	crashAnyTime    = 0.15
	maxBoundary     = 24 // durable writes, counted before and after each
	crashWithin     = 3 * time.Minute
	restartWithin   = 20 * time.Second
	restartSoon     = time.Second
	tornChance      = 0.02 // per write to a file
	maxTorn         = 3
)

// plan decides whether and where this life of a node crashes.
func (t *town) plan(node string) site.Boundary {
	d := t.crashDice
	r, after, n := d.Float64(), time.Duration(d.Int64N(int64(crashWithin))), 1+d.IntN(maxBoundary)
	if !t.has(Crashed) || r >= crashAnyTime+crashAtBoundary {
		return nil
	}
	if r < crashAnyTime {
		life := t.lives[node]
		t.w.At(after, func() {
			if !t.over && t.lives[node] == life {
				t.crash(node)
			}
		})
		return nil
	}
	return func(string) {
		if n--; n == 0 && !t.over {
			t.crash(node)
		}
	}
}

// crash ends a node as kill -9 does, and has it started again a little later.
func (t *town) crash(node string) {
	t.rep.Crashes++
	t.lives[node]++
	within := restartWithin
	if t.crashDice.IntN(2) == 0 {
		within = restartSoon
	}
	t.w.At(time.Duration(t.crashDice.Int64N(int64(within))), func() {
		t.w.Go("restart "+node, func() { t.start(node) })
	})
	t.w.Crash(node)
}

// tears decides whether the write at hand is torn.
func (t *town) tears(string) bool {
	if !t.has(Torn) || t.torn >= maxTorn || t.tornDice.Float64() >= tornChance {
		return false
	}
	t.torn++
	t.met("torn")
	return true
}

// trouble is one kind that comes and goes: begin returns what ends it.
type trouble struct {
	kind  Faults
	every time.Duration // on average
	lasts time.Duration // at most
	begin func(d *rand.Rand) (end func())
}

func (t *town) troubles() []trouble {
	return []trouble{
		{Skewed, 30 * time.Second, 0, t.setClock},
		{Slow, 20 * time.Second, 40 * time.Second, t.slowDown},
		{Dead, 60 * time.Second, 60 * time.Second, t.silence},
		{Full, 40 * time.Second, 60 * time.Second, t.slowDisk},
		{Cut, 10 * time.Second, 0, t.breakLink},
		{Parted, 60 * time.Second, 40 * time.Second, t.part},
		{TakenOver, 25 * time.Second, 40 * time.Second, t.takeOver},
	}
}

// disturb starts the troubles of this seed.
func (t *town) disturb() {
	for _, x := range t.troubles() {
		if t.has(x.kind) {
			t.next(x, dice(t.opt.Seed, x.kind.String()))
		}
	}
}

// next plans one more trouble of a kind. The tasks belong to no machine.
func (t *town) next(x trouble, d *rand.Rand) {
	t.w.At(time.Duration(d.Int64N(int64(2*x.every))), func() {
		if t.over {
			return
		}
		t.w.Go(x.kind.String(), func() {
			end := x.begin(d)
			t.met(x.kind.String())
			if end == nil {
				t.next(x, d)
				return
			}
			stop := len(t.ends)
			t.ends = append(t.ends, end)
			t.w.At(time.Duration(d.Int64N(int64(x.lasts))), func() {
				t.w.Go("end of "+x.kind.String(), func() {
					t.ends[stop] = func() {}
					end()
					t.next(x, d)
				})
			})
		})
	})
}

// quiet ends every trouble: from here on a sound system must come to rest. It
// runs outside the tasks.
func (t *town) quiet() {
	t.over = true
	t.w.Calm()
	for _, end := range t.ends {
		end()
	}
}

// setClock lets a machine's clock jump: by seconds mostly, by minutes at times.
func (t *town) setClock(d *rand.Rand) func() {
	span := 3 * time.Second
	if d.IntN(3) == 0 {
		span = 2 * time.Minute
	}
	node := t.nodes[d.IntN(len(t.nodes))]
	t.w.SetClock(node, time.Duration(d.Int64N(int64(2*span)))-span)
	return nil
}

// standIn is what scheme and issuers can be told.
type standIn interface {
	SetDelay(time.Duration)
	SetDown(bool)
}

func (t *town) victim(d *rand.Rand) standIn {
	names := []string{"scheme"}
	for _, b := range t.shape.banks {
		names = append(names, b.node)
	}
	return t.standIns[names[d.IntN(len(names))]]
}

func (t *town) slowDown(d *rand.Rand) func() {
	v, delay := t.victim(d), time.Duration(d.Int64N(int64(6*time.Second)))
	if v == nil {
		return nil
	}
	v.SetDelay(delay)
	return func() { v.SetDelay(0) }
}

func (t *town) silence(d *rand.Rand) func() {
	v := t.victim(d)
	if v == nil {
		return nil
	}
	v.SetDown(true)
	return func() { v.SetDown(false) }
}

func (t *town) slowDisk(d *rand.Rand) func() {
	t.slowBooks = time.Duration(1 + d.Int64N(int64(2*time.Second)))
	return func() { t.slowBooks = 0 }
}

// neighbours are two machines that talk to each other, a terminal and a host mostly.
func (t *town) neighbours(d *rand.Rand) (dials, listens string) {
	host := t.shape.hosts[d.IntN(len(t.shape.hosts))]
	switch d.IntN(4) {
	case 0:
		return host, "scheme"
	case 1:
		return "scheme", t.shape.banks[d.IntN(len(t.shape.banks))].node
	}
	return t.shape.tills[d.IntN(len(t.shape.tills))].node, host
}

func (t *town) breakLink(d *rand.Rand) func() {
	t.w.Break(t.neighbours(d))
	return nil
}

func (t *town) part(d *rand.Rand) func() {
	a, b := t.neighbours(d)
	t.w.Partition(a, b)
	return func() { t.w.Heal(a, b) }
}

// takeOver takes the lanes from a host behind its back: either its lease can't
// be renewed, or another host is told that its time is over.
func (t *town) takeOver(d *rand.Rand) func() {
	if len(t.shape.hosts) < 2 {
		return nil
	}
	host := t.shape.hosts[d.IntN(len(t.shape.hosts))]
	if d.IntN(2) == 0 {
		t.noLease = host
		return func() { t.noLease = "" }
	}
	var lanes []book.Lane
	for lane := range book.Lane(t.shape.lanes) {
		if d.IntN(3) > 0 {
			lanes = append(lanes, lane)
		}
	}
	if sched.Alive(t.w.Node(host)) {
		t.take(host, lanes)
	}
	return nil
}

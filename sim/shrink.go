package sim

import (
	"context"
	"fmt"
	"strings"
)

// maxShrinkRuns bounds how many runs a search for a smaller one takes.
const maxShrinkRuns = 300

// Shrink looks for a smaller run that still fails: fewer steps, fewer terminals,
// fewer kinds of trouble, memory instead of files. It returns the smallest that
// it found, and its report. What fails need not be the same thing: any failure
// is worth the look. A run that does not fail comes back as it is.
func Shrink(ctx context.Context, opt Options) (Options, Report, error) {
	best, runs := opt, 0
	rep, err := Run(opt)
	fails := func(o Options) bool {
		if runs++; runs > maxShrinkRuns || ctx.Err() != nil {
			return false
		}
		r, rerr := Run(o)
		if rerr == nil && r.Err() == nil {
			return false
		}
		best, rep, err = o, r, rerr
		return true
	}
	if err == nil && rep.Err() == nil {
		return best, rep, nil
	}
	for before := ""; before != best.Command(); {
		before = best.Command()
		shrinkSteps(&best, fails)
		shrinkTown(&best, fails)
		for _, kind := range draw(best).faults.kinds() {
			o := best
			o.Without |= kind
			fails(o)
		}
	}
	return best, rep, err
}

// shrinkSteps halves the way to fewer steps. A shorter run is a longer one's
// beginning, until the clerks go home.
func shrinkSteps(best *Options, fails func(Options) bool) {
	for low := 1; low < best.Steps; {
		o := *best
		o.Steps = (low + best.Steps) / 2
		if !fails(o) {
			low = o.Steps + 1
		}
	}
}

func shrinkTown(best *Options, fails func(Options) bool) {
	for n := len(draw(*best).tills) - 1; n >= 1; n-- {
		o := *best
		o.Terminals = n
		fails(o)
	}
	for n := len(draw(*best).hosts) - 1; n >= 1; n-- {
		o := *best
		o.Hosts = n
		fails(o)
	}
	if best.Stores.sqlite(best.Seed) {
		o := *best
		o.Stores = InMemory
		fails(o)
	}
}

// Command is how the program runs these options again.
func (o Options) Command() string {
	b := []string{fmt.Sprintf("huika sim --seeds %d --steps %d", o.Seed, o.Steps)}
	if o.Terminals > 0 {
		b = append(b, fmt.Sprintf("--terminals %d", o.Terminals))
	}
	if o.Hosts > 0 {
		b = append(b, fmt.Sprintf("--hosts %d", o.Hosts))
	}
	if without := o.Without.String(); without != "" {
		b = append(b, "--without "+without)
	}
	if o.Stores != BySeed {
		b = append(b, "--store "+o.Stores.String())
	}
	return strings.Join(b, " ")
}

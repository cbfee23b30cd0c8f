package host

import (
	"context"
	"errors"
	"fmt"

	"huika/acquirer/book"
	"huika/rt"
)

// committer turns operations that arrive one by one into few durable writes:
// it takes whatever is queued, never waits for more, and answers each when
// the write is durable.
type committer struct {
	h      *Host
	queues []*rt.Queue[commitJob] // one for each group of lanes that may share a transaction
}

type commitJob struct {
	lane book.Lane
	op   book.Op
	done *rt.Future[commitEnd]
}

type commitEnd struct {
	res book.Result
	err error
}

func newCommitter(h *Host) *committer {
	n := 1
	if h.cfg.Store.Grouping() == book.EachLane {
		n = h.cfg.Lanes
	}
	c := &committer{h: h}
	for range n {
		c.queues = append(c.queues, rt.NewQueue[commitJob](h.env, h.cfg.Limits.CommitQueue))
	}
	return c
}

func (c *committer) start(ctx context.Context) {
	for i, q := range c.queues {
		c.h.env.Go(fmt.Sprintf("host committer %d", i), func() { c.run(ctx, q) })
	}
}

// apply queues one operation and waits for its end. rt.ErrFull: nothing was
// taken. The wait does not end with a message's own time-out: an operation
// that was queued is answered when its fate is known.
func (c *committer) apply(ctx context.Context, op book.Op) (book.Result, error) {
	lane := book.LaneOf(op.Key.Merchant, c.h.cfg.Lanes)
	if _, ours := c.h.lanes.epoch(lane); !ours {
		return book.Result{}, book.ErrFenced
	}
	job := commitJob{lane, op, rt.NewFuture[commitEnd](c.h.env)}
	if err := c.queues[int(lane)%len(c.queues)].Put(job); err != nil {
		return book.Result{}, err
	}
	end, err := job.done.Get(ctx)
	if err != nil {
		return book.Result{}, err
	}
	return end.res, end.err
}

// must applies an operation that may not be lost: it goes on with capped
// pauses until the store takes it or the host ends.
func (c *committer) must(ctx context.Context, op book.Op) (book.Result, error) {
	pause := c.h.cfg.Timeouts.CommitPause
	for {
		res, err := c.apply(ctx, op)
		if err == nil || ctx.Err() != nil || errors.Is(err, book.ErrBroken) || errors.Is(err, book.ErrFenced) {
			return res, err
		}
		c.h.cfg.Log.Warn("settlement not written yet", "key", op.Key.String(), "err", err)
		if err := c.h.env.Sleep(ctx, pause); err != nil {
			return book.Result{}, err
		}
		pause = min(2*pause, c.h.cfg.Timeouts.RetryCeil)
	}
}

func (c *committer) run(ctx context.Context, q *rt.Queue[commitJob]) {
	var jobs []commitJob
	for {
		var err error
		jobs, err = q.GetUpTo(ctx, c.h.cfg.Limits.BatchOps, jobs[:0])
		if err != nil {
			return
		}
		c.write(ctx, jobs)
		clear(jobs)
	}
}

func (c *committer) write(ctx context.Context, jobs []commitJob) {
	batches, place := c.group(jobs)
	results, err := c.h.cfg.Store.Apply(ctx, batches)
	if errors.Is(err, book.ErrUnknown) {
		// Every operation may be applied twice: the second time tells what became of
		// the first. Where it does not, whatever it says is about itself alone.
		if results, err = c.h.cfg.Store.Apply(ctx, batches); err != nil && !errors.Is(err, book.ErrBroken) {
			err = fmt.Errorf("%w: %v", book.ErrUnknown, err)
		}
	}
	c.keepHeads(results)
	c.h.Stats.Commits.Add(1)
	c.h.Stats.CommitOps.Add(uint64(len(jobs)))
	if errors.Is(err, book.ErrBroken) {
		c.h.cfg.Fatal(fmt.Errorf("books can't be written durably: %w", err))
	}
	for i, job := range jobs {
		end := commitEnd{err: err}
		if err == nil {
			r := results[place[i].batch]
			if end.err = r.Err; r.Err == nil {
				end.res = r.Results[place[i].op]
			} else if errors.Is(r.Err, book.ErrFenced) {
				c.h.lanes.lose(r.Lane)
			}
		}
		job.done.Set(end)
	}
}

// keepHeads tells the keeper where the chains end now. Its failure does not
// undo what is durable; it is said, and the next verification lags.
func (c *committer) keepHeads(results []book.LaneResult) {
	if c.h.cfg.Heads == nil {
		return
	}
	var heads []book.MerchantHead
	for _, r := range results {
		heads = append(heads, r.Heads...)
	}
	if len(heads) == 0 {
		return
	}
	if err := c.h.cfg.Heads.Keep(heads); err != nil {
		c.h.cfg.Log.Error("chain heads not kept outside the books", "err", err)
	}
}

type opPlace struct{ batch, op int }

// group sorts jobs into one batch a lane, keeping the order within each lane.
func (c *committer) group(jobs []commitJob) ([]book.LaneBatch, []opPlace) {
	at := map[book.Lane]int{}
	var batches []book.LaneBatch
	place := make([]opPlace, len(jobs))
	for i, j := range jobs {
		b, ok := at[j.lane]
		if !ok {
			b = len(batches)
			at[j.lane] = b
			epoch, _ := c.h.lanes.epoch(j.lane) // 0 where it was lost meanwhile: the store refuses it
			batches = append(batches, book.LaneBatch{Lane: j.lane, Epoch: epoch})
		}
		place[i] = opPlace{b, len(batches[b].Ops)}
		batches[b].Ops = append(batches[b].Ops, j.op)
	}
	return batches, place
}

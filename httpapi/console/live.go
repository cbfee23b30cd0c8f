package console

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"huika/acquirer/host"
	"huika/httpapi/guard"
	"huika/pay"
	"huika/rt"
)

// Sample is one second of the host.
type Sample struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at" doc:"its end"`
	Admitted  int       `json:"admitted" doc:"payments written down in this second"`
	Approved  int       `json:"approved"`
	Declined  int       `json:"declined"`
	Reversals int       `json:"reversals" doc:"that came to be owed"`
	Full      int       `json:"full" doc:"terminals told to try again"`
	Open      int       `json:"open" doc:"payments that somebody still has to finish, now"`
	Answered  int       `json:"answered" doc:"payments whose terminal was answered"`
	P50       int       `json:"p50_ms" doc:"half were answered within it, milliseconds; the upper end of a step of the histogram; 0: none"`
	P95       int       `json:"p95_ms"`
	P99       int       `json:"p99_ms"`
}

type liveOutput struct {
	Body struct {
		Samples []Sample `json:"samples" nullable:"false" doc:"oldest first, up to 300"`
	}
}

// TallyRow is what one span of time came to, in one currency.
type TallyRow struct {
	At       time.Time `json:"at" doc:"its beginning"`
	Approved int       `json:"approved"`
	Declined int       `json:"declined"`
	Undone   int       `json:"undone" doc:"reversed, void"`
	Sum      Money     `json:"sum" doc:"of approved sales and completions, without what was given back"`
}

type tallyInput struct {
	Merchant string    `query:"merchant" maxLength:"15"`
	From     time.Time `query:"from" required:"true" doc:"RFC 3339"`
	To       time.Time `query:"to" required:"true"`
	Step     string    `query:"step" enum:"minute,quarter,hour,day" default:"hour"`
}

type tallyOutput struct {
	Body struct {
		Rows []TallyRow `json:"rows" nullable:"false" doc:"oldest first; empty spans are left out"`
	}
}

// Live watches a host's counters, a sample a second.
type Live struct {
	env    rt.Env
	counts func() host.Counts
	topic  *rt.Topic[Sample]

	mu      sync.Mutex
	samples []Sample // the last maxSamples
}

// maxSamples is five minutes.
const maxSamples = 300

// NewLive makes a watcher; Run watches.
func NewLive(env rt.Env, counts func() host.Counts) *Live {
	return &Live{env: env, counts: counts, topic: rt.NewTopic(env, Sample{At: env.Now().UTC().Truncate(time.Millisecond)})}
}

// Run takes a sample each second until ctx ends.
func (l *Live) Run(ctx context.Context) error {
	before := l.counts()
	for l.env.Sleep(ctx, time.Second) == nil {
		now := l.counts()
		s := sample(before, now)
		s.At = l.env.Now().UTC().Truncate(time.Millisecond)
		before = now
		l.mu.Lock()
		if len(l.samples) == maxSamples {
			l.samples = append(l.samples[:0], l.samples[1:]...)
		}
		_, n := l.topic.Load()
		s.Seq = int64(n) + 1 // of the topic, which nobody else sets
		l.samples = append(l.samples, s)
		l.mu.Unlock()
		l.topic.Set(s)
	}
	return nil
}

// sample is what happened between two looks.
func sample(a, b host.Counts) Sample {
	s := Sample{
		Admitted: int(b.Admitted - a.Admitted), Approved: int(b.Approved - a.Approved), Declined: int(b.Declined - a.Declined),
		Reversals: int(b.Reversals - a.Reversals), Full: int(b.Full - a.Full), Open: int(b.Unresolved),
	}
	var steps [len(b.Latency)]int
	for i := range steps {
		steps[i] = int(b.Latency[i] - a.Latency[i])
		s.Answered += steps[i]
	}
	for _, q := range []struct {
		percent int
		to      *int
	}{{50, &s.P50}, {95, &s.P95}, {99, &s.P99}} {
		seen := 0
		for i, n := range steps {
			if seen += n; n > 0 && seen*100 >= s.Answered*q.percent {
				*q.to = int(host.LatencyBounds[min(i, len(host.LatencyBounds)-1)])
				break
			}
		}
	}
	return s
}

func (s *server) live(context.Context, *struct{}) (*liveOutput, error) {
	out := &liveOutput{}
	l := s.cfg.Live
	l.mu.Lock()
	defer l.mu.Unlock()
	out.Body.Samples = append([]Sample{}, l.samples...)
	return out, nil
}

func (s *server) liveEvents(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		s.streams.Serve(w, r, func(ctx context.Context, seq uint64, now bool) ([]byte, uint64, error) {
			v, n := s.cfg.Live.topic.Load()
			if !now {
				var err error
				if v, n, err = s.cfg.Live.topic.After(ctx, seq); err != nil {
					return nil, 0, err
				}
			}
			b, err := json.Marshal(v)
			return b, n, err
		})
	}}, nil
}

var spanOf = map[string]time.Duration{"minute": time.Minute, "quarter": 15 * time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

func (s *server) tally(ctx context.Context, in *tallyInput) (*tallyOutput, error) {
	step := spanOf[in.Step]
	from, to := in.From.Truncate(time.Millisecond), in.To.Truncate(time.Millisecond)
	if !from.Before(to) || to.Sub(from) > maxTally*step {
		return nil, guard.NewProblem(http.StatusUnprocessableEntity, "span", "the span is empty or has too many steps", "ask for up to 1500 steps: a shorter time, or a longer step")
	}
	ctx, cancel := s.cfg.Env.WithTimeout(ctx, queryTime)
	defer cancel()
	rows, err := s.cfg.Books.Tally(ctx, pay.MerchantID(in.Merchant), from, to, step)
	if err != nil {
		return nil, s.problem("tally", err)
	}
	out := &tallyOutput{}
	out.Body.Rows = make([]TallyRow, len(rows))
	for i, r := range rows {
		out.Body.Rows[i] = TallyRow{r.At, r.Approved, r.Declined, r.Undone, money(r.Minor, r.Currency)}
	}
	return out, nil
}

// maxTally is the most steps of one question: a day of minutes.
const maxTally = 1500

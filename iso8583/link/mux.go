package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"huika/rt"
)

// The errors of Call and Send. After ErrWindow, ErrDuplicate and ErrNotSent the
// frame has not left; after ErrDown it may have, unless it is ErrNotSent as well.
var (
	// ErrDown says that the connection is closed or was cut before an answer.
	ErrDown = errors.New("link is down")
	// ErrNotSent comes with ErrDown where no byte of the frame was handed to a connection.
	ErrNotSent = errors.New("not sent")
	// ErrWindow says that as many calls, or bytes, wait as may.
	ErrWindow = errors.New("link window is full")
	// ErrDuplicate says that a call with this key is under way.
	ErrDuplicate = errors.New("a call with this key is under way")
)

// MaybeSent reports whether, after this error of Call, the peer may have the
// frame: then a payment must be reversed, else it never left.
func MaybeSent(err error) bool {
	for _, unsent := range [...]error{ErrNotSent, ErrWindow, ErrDuplicate, ErrFrame} {
		if errors.Is(err, unsent) {
			return false
		}
	}
	return true
}

// Defaults of MuxOptions.
const (
	DefaultWindow       = 256
	DefaultWriteTimeout = 10 * time.Second
)

// MuxOptions say how a connection is used. The functions are called from the
// reading task: they must not wait, and own the frame they are given.
type MuxOptions struct {
	Window       int           // calls under way at most; 0: DefaultWindow
	WriteTimeout time.Duration // a peer that takes longer to read is down; 0: DefaultWriteTimeout

	// Classify names the call that a frame belongs to and says whether it is an
	// answer. A frame that it refuses ends the connection.
	Classify func(frame []byte) (key string, response bool, err error)
	// Late is given answers that nobody waits for any more; nil: counted, else ignored.
	Late func(frame []byte)
	// Request is given what is not an answer; nil: counted, else ignored.
	Request func(frame []byte)
}

// Mux carries many calls at once over one connection.
type Mux struct {
	env  rt.Env
	conn net.Conn
	opt  MuxOptions
	out  *writer

	onDown func() // a Client's: called under mu, before the calls fail

	mu     sync.Mutex
	calls  map[string]*call
	seq    uint64
	down   error // what calls get; nil while the connection is up
	reason error // why it ended

	late, ignored atomic.Uint64
}

type call struct {
	seq    uint64
	answer *rt.Future[answer]
}

type answer struct {
	frame []byte
	err   error
}

// NewMux takes over conn. Nothing is read or written until Run.
func NewMux(env rt.Env, conn net.Conn, opt MuxOptions) *Mux {
	if opt.Classify == nil {
		panic("link: Mux without Classify")
	}
	if opt.Window == 0 {
		opt.Window = DefaultWindow
	}
	if opt.WriteTimeout == 0 {
		opt.WriteTimeout = DefaultWriteTimeout
	}
	return &Mux{
		env: env, conn: conn, opt: opt,
		out:   newWriter(env, conn, opt.WriteTimeout),
		calls: make(map[string]*call),
	}
}

// Run reads and writes until the connection ends, Close is called or ctx ends.
// Then every call under way fails with ErrDown at once, and Run returns why.
// Call it once.
func (m *Mux) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wrote := rt.NewFuture[error](m.env)
	m.env.Go("link writer", func() {
		err := m.out.run(ctx)
		if err != nil {
			m.shut(err)
		}
		wrote.Set(err)
	})
	stop, stopped := m.env.NewWaiter(), rt.NewFuture[struct{}](m.env)
	m.env.Go("link stop", func() { // a blocked Read ends only when the connection closes
		if err := stop.Wait(ctx); err != nil {
			m.shut(err)
		}
		stopped.Set(struct{}{})
	})

	m.shut(m.read(ctx))
	stop.Wake()
	// Both tasks end by themselves now that the connection is closed, whatever ctx says.
	rest := context.WithoutCancel(ctx)
	_, err := wrote.Get(rest)
	if _, err2 := stopped.Get(rest); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrDown, m.reason)
}

func (m *Mux) read(ctx context.Context) error {
	r := newReader(m.conn)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		frame, err := ReadFrame(r, nil)
		if err != nil {
			return err
		}
		key, response, err := m.opt.Classify(frame)
		if err != nil {
			return fmt.Errorf("frame from the peer: %w", err)
		}
		m.dispatch(key, response, frame)
	}
}

func (m *Mux) dispatch(key string, response bool, frame []byte) {
	if !response {
		if m.opt.Request == nil {
			m.ignored.Add(1)
			return
		}
		m.opt.Request(frame)
		return
	}
	if m.answer(key, frame) {
		return
	}
	m.late.Add(1)
	if m.opt.Late != nil {
		m.opt.Late(frame)
	}
}

// answer gives frame to the call that waits for it; false where none does. The
// answer is set under the lock: a call that is no longer in the table has one.
func (m *Mux) answer(key string, frame []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.calls[key]
	if c == nil {
		return false
	}
	delete(m.calls, key)
	c.answer.Set(answer{frame: frame})
	return true
}

// shut closes the connection and fails every call under way, the oldest first;
// only the first reason counts.
func (m *Mux) shut(reason error) {
	m.mu.Lock()
	if m.down != nil {
		m.mu.Unlock()
		return
	}
	m.reason = reason
	m.down = fmt.Errorf("%w: %v", ErrDown, reason) // not wrapped: MaybeSent must not see an ErrFrame of the peer's
	if m.onDown != nil {
		m.onDown()
	}
	waiting := make([]*call, 0, len(m.calls))
	for _, c := range m.calls {
		waiting = append(waiting, c)
	}
	clear(m.calls)
	slices.SortFunc(waiting, func(a, b *call) int { return cmp.Compare(a.seq, b.seq) })
	for _, c := range waiting {
		c.answer.Set(answer{err: m.down})
	}
	m.mu.Unlock()
	m.out.close()
	_ = m.conn.Close() // it is given up either way, and the reason is already known
}

// errClosed is the reason that Close gives.
var errClosed = errors.New("closed")

// Close ends the connection; Run returns. It may be called at any time, also before Run.
func (m *Mux) Close() { m.shut(errClosed) }

// Call sends a frame and waits for the answer with its key. Errors: ErrWindow,
// ErrDuplicate, ErrFrame (not sent), ErrDown, or the context's: then an answer
// that still comes goes to Late. The frame is copied before Call returns.
func (m *Mux) Call(ctx context.Context, key string, frame []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	c := &call{answer: rt.NewFuture[answer](m.env)}
	m.mu.Lock()
	switch {
	case m.down != nil:
		err := m.down
		m.mu.Unlock()
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	case m.calls[key] != nil:
		m.mu.Unlock()
		return nil, ErrDuplicate
	case len(m.calls) >= m.opt.Window:
		m.mu.Unlock()
		return nil, ErrWindow
	}
	m.seq++
	c.seq = m.seq
	m.calls[key] = c
	m.mu.Unlock()

	if err := m.Send(frame); err != nil {
		m.forget(key, c)
		return nil, err
	}
	got, err := c.answer.Get(ctx)
	if err != nil {
		if m.forget(key, c) {
			return nil, err
		}
		got, _ = c.answer.Peek() // the answer, or the end of the link, came in the same moment
	}
	return got.frame, got.err
}

// forget takes a call out; false where it was no longer there.
func (m *Mux) forget(key string, c *call) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls[key] != c {
		return false
	}
	delete(m.calls, key)
	return true
}

// Send queues a frame that expects no answer, or that is one. It never waits:
// nil, ErrFrame, ErrWindow or ErrDown with ErrNotSent.
func (m *Mux) Send(frame []byte) error {
	err := m.out.put(frame)
	if errors.Is(err, ErrDown) {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return err
}

// InFlight is the number of calls under way.
func (m *Mux) InFlight() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.calls)
}

// Late is how many answers came that nobody waited for.
func (m *Mux) Late() uint64 { return m.late.Load() }

// Ignored is how many requests came with no Request function to take them.
func (m *Mux) Ignored() uint64 { return m.ignored.Load() }

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/postgres"
	"huika/acquirer/payment"
	"huika/pay"
	"huika/rt"
)

const merchant = "M1"

var lane = book.LaneOf(merchant, book.DefaultLanes)

func apply(t testing.TB, s book.Store, ops ...book.Op) ([]book.Result, error) {
	t.Helper()
	res, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: lane, Epoch: 1, Ops: ops}})
	if err != nil {
		return nil, err
	}
	if res[0].Err != nil {
		return nil, res[0].Err
	}
	return res[0].Results, nil
}

// cutter stands between the store and the server, and cuts one connection when
// a commit passes: before the server hears of it, or before its answer comes back.
type cutter struct {
	t       *testing.T
	server  string
	ln      net.Listener
	armed   atomic.Bool
	deliver bool // the server hears of the commit
	cut     atomic.Int32
}

func newCutter(t *testing.T, dir string) *cutter {
	t.Helper()
	own, err := os.MkdirTemp("", "huika-cut-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(own) })
	c := &cutter{t: t, server: filepath.Join(dir, ".s.PGSQL.5432")}
	if c.ln, err = net.Listen("unix", filepath.Join(own, ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.ln.Close() })
	go func() {
		for {
			in, err := c.ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", c.server)
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
			go c.pass(in, out)
		}
	}()
	return c
}

func (c *cutter) dir() string { return filepath.Dir(c.ln.Addr().String()) }

func (c *cutter) pass(in, out net.Conn) {
	defer out.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) && c.armed.CompareAndSwap(true, false) {
			c.cut.Add(1)
			_ = in.Close() // the answer finds nobody
			if c.deliver {
				_, _ = out.Write(buf[:n])
				time.Sleep(200 * time.Millisecond) // the server ends its work before it sees that the client is gone
			}
			return
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A commit whose answer is lost is unknown, and the same batch again tells what became of it.
func TestLostCommit(t *testing.T) {
	c := shared(t)
	for name, deliver := range map[string]bool{"the server heard of it": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			db := c.Database(t, "books")
			cut := newCutter(t, socketDir(c.DSN(db)))
			cut.deliver = deliver
			s := c.open(t, strings.Replace(c.DSN(db), socketDir(c.DSN(db)), cut.dir(), 1))
			k := booktest.Key(merchant, 1)
			if _, err := apply(t, s, booktest.Admit(k, 100)); err != nil {
				t.Fatal(err)
			}
			ops := []book.Op{{Event: payment.Approve, Key: k, Response: "00"}, booktest.Admit(booktest.Key(merchant, 2), 200)}
			cut.armed.Store(true)
			if _, err := apply(t, s, ops...); !errors.Is(err, book.ErrUnknown) || cut.cut.Load() != 1 {
				t.Fatalf("%v after %d cuts, want %v", err, cut.cut.Load(), book.ErrUnknown)
			}
			want := book.Applied
			if deliver {
				want = book.Duplicate
			}
			res, err := apply(t, s, ops...)
			if err != nil || res[0].Status != want || res[1].Status != want || res[0].Payment.State != payment.Approved {
				t.Fatalf("again: %v %+v, want %v", err, res, want)
			}
			rep, err := book.Verify(t.Context(), s, book.DefaultLanes, nil)
			if err != nil || !rep.Sound() || rep.Transfers != 1 || rep.Payments != 2 {
				t.Fatalf("%v %+v", err, rep)
			}
		})
	}
}

func socketDir(dsn string) string {
	dir, _, _ := strings.Cut(strings.TrimPrefix(dsn, "host="), " ")
	return dir
}

// A server that may forget what it acknowledged is refused by name.
func TestRefusesForgetfulServer(t *testing.T) {
	c := newCluster(t)
	db := c.Database(t, "books")
	s := c.open(t, c.DSN(db))
	c.Exec(t, "postgres", "ALTER DATABASE "+db+" SET synchronous_commit = off")
	_, err := postgres.Open(t.Context(), rt.Real(), postgres.Options{DSN: pay.NewSecret([]byte(c.DSN(db)))})
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Fatalf("opened: %v", err)
	}
	if _, err := apply(t, s, booktest.Admit(booktest.Key(merchant, 1), 1)); err != nil && !errors.Is(err, book.ErrBroken) {
		t.Fatal(err)
	}
	if err := errors.Join(c.Kill(), c.Restart()); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, s, booktest.Admit(booktest.Key(merchant, 2), 1)); !errors.Is(err, book.ErrBroken) {
		t.Fatalf("%v, want %v", err, book.ErrBroken)
	}
}

// The connection string never shows in an error.
func TestErrorsHideTheConnectionString(t *testing.T) {
	for _, dsn := range []string{"postgres://huika:s3cret@[bad", "host=/nowhere password=s3cret dbname=x connect_timeout=1", "postgres://huika:s3cret@127.0.0.1:1/x?connect_timeout=1"} {
		_, err := postgres.Open(t.Context(), rt.Real(), postgres.Options{DSN: pay.NewSecret([]byte(dsn))})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}

// Text that the database can't hold refuses its operation, not the batch.
func TestTextThatIsNotUTF8(t *testing.T) {
	s := shared(t).empty(t)
	bad, nul := booktest.Admit(booktest.Key(merchant, 2), 100), booktest.Admit(booktest.Key(merchant, 3), 100)
	bad.New.Entry, nul.Key.Batch = "\xff", "00\x00001"
	res, err := apply(t, s, booktest.Admit(booktest.Key(merchant, 1), 100), bad, nul)
	if err != nil || res[0].Status != book.Applied || res[1].Status != book.Refused || res[2].Status != book.Refused {
		t.Fatalf("%v %+v", err, res)
	}
	if _, ok, err := s.Find(t.Context(), lane, nul.Key); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// Another writer under the same epoch breaks what the store remembers; it
// notices, looks, and decides again.
func TestMemoryThatDoesNotHold(t *testing.T) {
	c := shared(t)
	db := c.Database(t, "books")
	a, b := c.open(t, c.DSN(db)), c.open(t, c.DSN(db))
	k, k2 := booktest.Key(merchant, 1), booktest.Key(merchant, 2)
	step := func(s book.Store, want book.Status, state payment.State, op book.Op) {
		t.Helper()
		res, err := apply(t, s, op)
		if err != nil || res[0].Status != want || res[0].Payment.State != state {
			t.Fatalf("%v %+v, want %v %v", err, res, want, state)
		}
	}
	step(a, book.Applied, payment.Admitted, booktest.Admit(k, 100))
	step(b, book.Applied, payment.Approved, book.Op{Event: payment.Approve, Key: k})
	step(b, book.Applied, payment.Admitted, booktest.Admit(k2, 50))
	step(a, book.Stale, payment.Approved, book.Op{Event: payment.Decline, Key: k})
	step(a, book.Duplicate, payment.Admitted, booktest.Admit(k2, 50))
	step(a, book.Applied, payment.Approved, book.Op{Event: payment.Approve, Key: k2})
	step(b, book.Duplicate, payment.Approved, book.Op{Event: payment.Approve, Key: k2})
	k3 := booktest.Key(merchant, 3)
	step(b, book.Applied, payment.Admitted, booktest.Admit(k3, 50))
	step(b, book.Applied, payment.Approved, book.Op{Event: payment.Approve, Key: k3})
	rep, err := book.Verify(t.Context(), a, book.DefaultLanes, nil)
	if err != nil || !rep.Sound() || rep.Transfers != 3 {
		t.Fatalf("%v %+v", err, rep)
	}
}

// kills of the database under load; HUIKA_SOAK makes them many.
func kills(t *testing.T) int {
	switch {
	case os.Getenv("HUIKA_SOAK") != "":
		return 200
	case testing.Short():
		return 3
	}
	return 20
}

// The database is killed and comes back under load: what was acknowledged is
// there, once. Workers do as the host's committer does: an unknown commit is
// applied again, what was not applied is tried again.
func TestDatabaseKilledUnderLoad(t *testing.T) {
	c := newCluster(t)
	s := c.empty(t)
	const workers = 8
	var stop atomic.Bool
	var unknown, refused atomic.Int64
	heads := map[pay.MerchantID]book.Head{}
	acked := make([]map[payment.Key]bool, workers)
	var mu sync.Mutex
	var running sync.WaitGroup
	for w := range workers {
		acked[w] = map[payment.Key]bool{}
		running.Add(1)
		go func() {
			defer running.Done()
			m := fmt.Sprintf("M%d", w)
			l := book.LaneOf(pay.MerchantID(m), book.DefaultLanes)
			must := func(ops ...book.Op) []book.Result {
				for {
					res, err := s.Apply(context.Background(), []book.LaneBatch{{Lane: l, Epoch: 1, Ops: ops}})
					switch {
					case err == nil && res[0].Err == nil:
						mu.Lock()
						for _, h := range res[0].Heads {
							heads[h.Merchant] = h.Head
						}
						mu.Unlock()
						return res[0].Results
					case errors.Is(err, book.ErrUnknown):
						unknown.Add(1)
					case errors.Is(err, book.ErrNotApplied):
						refused.Add(1)
					default:
						t.Errorf("%v %+v", err, res)
						return nil
					}
				}
			}
			const batch = 5
			for stan := 1; !stop.Load(); stan += batch {
				var admit, approve []book.Op
				for i := range batch {
					k := booktest.Key(m, stan+i)
					admit = append(admit, booktest.Admit(k, int64(1+i)))
					approve = append(approve, book.Op{Event: payment.Approve, Key: k, Response: "00"})
				}
				must(admit...)
				for _, r := range must(approve...) {
					if r.Payment.State != payment.Approved {
						t.Errorf("%v is %v", r.Payment.Key, r.Payment.State)
					}
					acked[w][r.Payment.Key] = true
				}
			}
		}()
	}
	n := kills(t)
	for range n {
		time.Sleep(300 * time.Millisecond)
		if err := errors.Join(c.Kill(), c.Restart()); err != nil {
			t.Error(err)
			break
		}
	}
	time.Sleep(300 * time.Millisecond)
	stop.Store(true)
	running.Wait()
	rep, err := book.Verify(t.Context(), s, book.DefaultLanes, heads)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		t.Error(f)
	}
	lost, doubled, total := 0, 0, 0
	moved := map[payment.Key]int{}
	state := map[payment.Key]payment.State{}
	for w := range workers {
		m := pay.MerchantID(fmt.Sprintf("M%d", w))
		l := book.LaneOf(m, book.DefaultLanes)
		err := errors.Join(
			s.Transfers(t.Context(), l, m, func(tr book.Transfer) error { moved[tr.Payment]++; return nil }),
			s.Payments(t.Context(), l, m, func(p payment.Payment) error { state[p.Key] = p.State; return nil }))
		if err != nil {
			t.Fatal(err)
		}
		for k := range acked[w] {
			total++
			if state[k] != payment.Approved || moved[k] == 0 {
				lost++
			}
		}
	}
	for _, times := range moved {
		if times > 1 {
			doubled++
		}
	}
	t.Logf("database killed %d times: %d payments acknowledged, %d lost, %d doubled; %d commits unknown, %d batches not applied", n, total, lost, doubled, unknown.Load(), refused.Load())
	if lost+doubled > 0 || total == 0 {
		t.Fail()
	}
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// where collects conditions and their arguments.
type where struct {
	text []string
	args []any
}

func (w *where) add(text string, args ...any) {
	w.text = append(w.text, text)
	w.args = append(w.args, args...)
}

// in narrows a column to some numbers; none do not narrow.
func in[T ~byte](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = int64(v)
	}
	w.add(column+" IN ("+marks(len(values))+")", args...)
}

// millis is the first millisecond that is not before t: rows hold whole ones.
func millis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// filter is book.Filter.Shows in SQL.
func filter(f book.Filter) *where {
	w := &where{}
	text := func(column, v string) {
		if v != "" {
			w.add(column+"=?", v)
		}
	}
	text("merchant", string(f.Merchant))
	text("terminal", string(f.Terminal))
	text("batch", f.Batch)
	in(w, "state", f.States)
	in(w, "kind", f.Kinds)
	if !f.From.IsZero() {
		w.add("admitted_ms>=?", millis(f.From))
	}
	if !f.To.IsZero() {
		w.add("admitted_ms<?", millis(f.To))
	}
	w.add("amount>=?", f.Min)
	if f.Max != 0 {
		w.add("amount<=?", f.Max)
	}
	if f.Currency != 0 {
		w.add("currency=?", int64(f.Currency))
	}
	text("rrn", string(f.RRN))
	text("id", string(f.ID))
	if f.Last4 != "" {
		w.add("substr(masked_pan, ?)=?", -len(f.Last4), f.Last4)
	}
	text("scheme", f.Scheme)
	text("response", f.Response)
	if o := f.Original; o != (payment.Key{}) {
		w.add("merchant=? AND original_terminal=? AND original_batch=? AND original_stan=? AND original_kind=?", o.Merchant, o.Terminal, o.Batch, int64(o.STAN), int64(o.Kind))
	}
	return w
}

// Search implements book.Searcher. Rows stand in the order in which they came,
// so the cursor is a row's number, and no index is needed but the table itself.
func (s *Store) Search(ctx context.Context, f book.Filter, after string, limit int) (book.Page, error) {
	last, err := s.lastRow(ctx)
	if err != nil {
		return book.Page{}, err
	}
	below := last + 1
	if after != "" {
		if below, err = strconv.ParseInt(after, 10, 64); err != nil || below < 1 || below > last {
			return book.Page{}, book.ErrCursor
		}
	}
	first, end, err := s.span(ctx, f.From, f.To, last)
	if err != nil {
		return book.Page{}, err
	}
	below = min(below, end)
	from, row := max(first, below-s.looks), "row"
	if f.RRN != "" {
		from, row = first, "+row" // there is an index of reference numbers
	}
	limit = min(max(limit, 1), book.MaxPage)
	w := filter(f)
	w.add(row+"<? AND "+row+">=?", below, from)
	rows, err := s.search.QueryContext(ctx, `SELECT row, lane, `+paymentColumns+` FROM payments WHERE `+strings.Join(w.text, " AND ")+` ORDER BY `+row+` DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return book.Page{}, before(ctx, err)
	}
	var page book.Page
	at, more := int64(0), false
	err = each(ctx, rows, func() error {
		if more = len(page.Found) == limit; more {
			return nil
		}
		var found book.Found
		var err error
		found.Payment, err = scan(prefixed{rows, []any{&at, &found.Lane}})
		page.Found = append(page.Found, found)
		return err
	})
	switch {
	case err != nil:
		return book.Page{}, before(ctx, err)
	case more:
		page.Next = strconv.FormatInt(at, 10)
	case from > first:
		page.Next = strconv.FormatInt(from, 10)
	}
	return page, nil
}

// prefixed scans a row that has other columns before the payment's.
type prefixed struct {
	row   scanner
	extra []any
}

func (p prefixed) Scan(to ...any) error { return p.row.Scan(append(p.extra, to...)...) }

func (s *Store) lastRow(ctx context.Context) (last int64, err error) {
	if err := s.search.QueryRowContext(ctx, `SELECT coalesce(max(row), 0) FROM payments`).Scan(&last); err != nil {
		return 0, before(ctx, err)
	}
	return last, nil
}

// span is the rows [first, end) outside of which no payment was admitted in
// [from, to), if the clock went forward but for book.ClockSlack.
func (s *Store) span(ctx context.Context, from, to time.Time, last int64) (first, end int64, err error) {
	first, end = 1, last+1
	if !from.IsZero() {
		if first, err = s.rowAt(ctx, millis(from.Add(-book.ClockSlack)), last); err != nil {
			return 0, 0, err
		}
	}
	if !to.IsZero() {
		end, err = s.rowAt(ctx, millis(to.Add(book.ClockSlack)), last)
	}
	return first, end, err
}

// rowAt looks by halves for the first row that was admitted at ms or later.
func (s *Store) rowAt(ctx context.Context, ms, last int64) (int64, error) {
	return halves(1, last+1, func(row int64) (bool, error) {
		var at int64
		err := s.search.QueryRowContext(ctx, `SELECT admitted_ms FROM payments WHERE row>=? ORDER BY row LIMIT 1`, row).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return true, nil
		}
		if err != nil {
			return false, before(ctx, err)
		}
		return at >= ms, nil
	})
}

// halves is the first n in [low, high) for which is holds, else high.
func halves(low, high int64, is func(int64) (bool, error)) (int64, error) {
	for low < high {
		mid := low + (high-low)/2
		ok, err := is(mid)
		switch {
		case err != nil:
			return 0, err
		case ok:
			high = mid
		default:
			low = mid + 1
		}
	}
	return low, nil
}

// numbers writes those states or kinds that pass as a list for IN.
func numbers[T ~byte](from, to T, pass func(T) bool) string {
	list := []string{"-1"}
	for v := from; v <= to; v++ {
		if pass(v) {
			list = append(list, strconv.Itoa(int(v)))
		}
	}
	return "(" + strings.Join(list, ",") + ")"
}

// tally is book.Bucket.Add in SQL, made of it: each state and kind is asked once.
var tally = func() string {
	counts := func(pass func(book.Bucket) bool) string {
		return numbers(payment.Admitted, payment.Abandoned, func(s payment.State) bool {
			var b book.Bucket
			b.Add(payment.Payment{Key: payment.Key{Kind: payment.Sale}, State: s, Amount: pay.Money{Minor: 1}})
			return pass(b)
		})
	}
	kinds := func(pass func(payment.Rule) bool) string {
		return numbers(payment.Sale, payment.Settlement, func(k payment.Kind) bool { return pass(k.Rule()) })
	}
	sold := kinds(func(r payment.Rule) bool { return r.Moves == payment.MovesSale || r.Moves == payment.MovesComplete })
	return fmt.Sprintf(`SELECT (admitted_ms-?1)/?3 AS span, currency, sum(state IN %s) AS yes, sum(state IN %s) AS no, sum(state IN %s) AS undone,
 sum(CASE WHEN state IN %s AND kind IN %s THEN amount-taken ELSE 0 END) AS minor
 FROM payments WHERE row>=?4 AND row<?5 AND admitted_ms>=?1 AND admitted_ms<?2 AND (?6='' OR merchant=?6) AND kind NOT IN %s
 GROUP BY span, currency HAVING yes+no+undone>0 OR minor<>0 ORDER BY span, currency`,
		counts(func(b book.Bucket) bool { return b.Approved > 0 }), counts(func(b book.Bucket) bool { return b.Declined > 0 }),
		counts(func(b book.Bucket) bool { return b.Undone > 0 }), counts(func(b book.Bucket) bool { return b.Minor > 0 }), sold,
		kinds(func(r payment.Rule) bool { return r.Local }))
}()

// Tally implements book.Searcher.
func (s *Store) Tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) ([]book.Bucket, error) {
	if err := book.CheckSpans(from, to, step); err != nil {
		return nil, err
	}
	last, err := s.lastRow(ctx)
	if err != nil {
		return nil, err
	}
	first, end, err := s.span(ctx, from, to, last)
	if err != nil {
		return nil, err
	}
	rows, err := s.search.QueryContext(ctx, tally, from.UnixMilli(), to.UnixMilli(), step.Milliseconds(), first, end, m)
	if err != nil {
		return nil, before(ctx, err)
	}
	var out []book.Bucket
	err = each(ctx, rows, func() error {
		var b book.Bucket
		var span int64
		err := rows.Scan(&span, &b.Currency, &b.Approved, &b.Declined, &b.Undone, &b.Minor)
		b.At = from.Add(time.Duration(span) * step).UTC()
		out = append(out, b)
		return err
	})
	if err != nil {
		return nil, before(ctx, err)
	}
	return out, nil
}

// TransfersAfter implements book.Chains.
func (s *Store) TransfersAfter(ctx context.Context, lane book.Lane, m pay.MerchantID, seq uint64, limit int) ([]book.Transfer, error) {
	return s.chain(ctx, lane, m, seq, math.MaxInt64, `LIMIT ?`, max(limit, 0))
}

// TransfersOf implements book.Chains. The payment's own times say which part of
// the chain to look at.
func (s *Store) TransfersOf(ctx context.Context, lane book.Lane, k payment.Key) ([]book.Transfer, error) {
	p, ok, err := s.Find(ctx, lane, k)
	if err != nil || !ok {
		return nil, err
	}
	from, err := s.SeqAt(ctx, lane, k.Merchant, p.Admitted.Add(-book.ClockSlack))
	if err != nil {
		return nil, err
	}
	to, err := s.SeqAt(ctx, lane, k.Merchant, p.Updated.Add(book.ClockSlack))
	if err != nil {
		return nil, err
	}
	rows, err := s.chain(ctx, lane, k.Merchant, from, to, `AND terminal=? AND batch=? AND stan=? AND kind=? ORDER BY seq`, k.Terminal, k.Batch, int64(k.STAN), int64(k.Kind))
	for i := range rows {
		rows[i].Prev = book.Hash{}
	}
	return rows, err
}

// chain is rows (from, to] of a merchant's chain; more ends the statement.
func (s *Store) chain(ctx context.Context, lane book.Lane, m pay.MerchantID, from, to uint64, more string, args ...any) (out []book.Transfer, err error) {
	if !strings.Contains(more, "ORDER BY") {
		more = "ORDER BY seq " + more
	}
	rows, err := s.search.QueryContext(ctx, `SELECT `+chainColumns+` FROM transfers WHERE lane=? AND merchant=? AND seq>? AND seq<=? `+more, append([]any{lane, m, from, to}, args...)...)
	if err != nil {
		return nil, before(ctx, err)
	}
	err = eachTransfer(ctx, rows, lane, m, func(t book.Transfer) error { out = append(out, t); return nil })
	return out, err
}

// SeqAt implements book.Chains: it looks by halves.
func (s *Store) SeqAt(ctx context.Context, lane book.Lane, m pay.MerchantID, at time.Time) (uint64, error) {
	var last int64
	if err := s.search.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM transfers WHERE lane=? AND merchant=?`, lane, m).Scan(&last); err != nil {
		return 0, before(ctx, err)
	}
	ms := millis(at)
	n, err := halves(1, last+1, func(seq int64) (bool, error) {
		var have int64
		if err := s.search.QueryRowContext(ctx, `SELECT at_ms FROM transfers WHERE lane=? AND merchant=? AND seq=?`, lane, m, seq).Scan(&have); err != nil {
			return false, before(ctx, err)
		}
		return have >= ms, nil
	})
	return uint64(max(n-1, 0)), err
}

package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// A payment's place orders it among all: the milliseconds of its admission with
// placeBits of a count behind them. A store gives rising places, whatever the
// clock does; those of two hosts mix by their clocks.
const placeBits = 20

func placeOf(t time.Time) int64 { return t.UnixMilli() << placeBits }

// millis is the first whole millisecond that is not before t, as rows hold them.
func millis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func (s *Store) nextPlace(admitted time.Time) int64 {
	for {
		last := s.place.Load()
		next := max(last+1, placeOf(admitted))
		if s.place.CompareAndSwap(last, next) {
			return next
		}
	}
}

// startPlace goes on behind the newest payment.
func (s *Store) startPlace(ctx context.Context) error {
	var settled, open int64
	if err := s.read.QueryRow(ctx, `SELECT (SELECT coalesce(max(place), 0) FROM payments WHERE state <> 1), (SELECT coalesce(max(place), 0) FROM payments WHERE state = 1)`).
		Scan(&settled, &open); err != nil {
		return err
	}
	s.place.Store(max(settled, open))
	return nil
}

// cursor is what Page.Next holds: the place and key of the last row that was looked at.
type cursor struct {
	Place int64 `json:"p"`
	Lane  int32 `json:"l"`
	Key   string
}

// where gathers conditions and their arguments.
type where struct {
	text strings.Builder
	args []any
}

// and adds a condition; each ? in it is the next argument.
func (w *where) and(condition string, args ...any) {
	w.text.WriteString(" AND ")
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.text.WriteString(condition)
}

// merchant narrows to a merchant, and so to its lane.
func (s *Store) merchant(w *where, m pay.MerchantID) {
	w.and(fmt.Sprintf("lane = %d AND merchant = ?", book.LaneOf(m, s.lanes)), string(m))
}

// conditions are those that an index serves; rest says that others are looked at row by row.
func (s *Store) conditions(w *where, f book.Filter) (rest bool) {
	if f.Merchant != "" {
		s.merchant(w, f.Merchant)
	}
	if f.RRN != "" {
		if f.Merchant == "" {
			w.and("lane = ANY (?::int[])", s.everyLane())
		}
		w.and("rrn = ?", string(f.RRN))
	}
	if !f.From.IsZero() {
		w.and("place >= ? AND admitted_ms >= ?", placeOf(f.From.Add(-book.ClockSlack)), millis(f.From))
	}
	if !f.To.IsZero() {
		w.and("place < ? AND admitted_ms < ?", placeOf(f.To.Add(book.ClockSlack)), millis(f.To))
	}
	return f.Terminal != "" || f.Batch != "" || len(f.States) > 0 || len(f.Kinds) > 0 || f.Min != 0 || f.Max != 0 || f.Currency != 0 ||
		f.ID != "" || f.Last4 != "" || f.Scheme != "" || f.Response != "" || f.Original != (payment.Key{})
}

// narrow adds the conditions that no index serves.
func narrow(w *where, f book.Filter) {
	for _, c := range []struct{ column, value string }{
		{"terminal", string(f.Terminal)}, {"batch", f.Batch}, {"id", string(f.ID)}, {"scheme", f.Scheme}, {"response", f.Response}, {"right(masked_pan, 4)", f.Last4},
	} {
		if c.value != "" {
			w.and(c.column+" = ?", c.value)
		}
	}
	if len(f.States) > 0 {
		w.and("state = ANY (?::smallint[])", smallints(f.States))
	}
	if len(f.Kinds) > 0 {
		w.and("kind = ANY (?::smallint[])", smallints(f.Kinds))
	}
	if f.Min != 0 {
		w.and("amount >= ?", f.Min)
	}
	if f.Max != 0 {
		w.and("amount <= ?", f.Max)
	}
	if f.Currency != 0 {
		w.and("currency = ?", int16(f.Currency))
	}
	if o := f.Original; o != (payment.Key{}) {
		w.and("merchant = ? AND original_terminal = ? AND original_batch = ? AND original_stan = ? AND original_kind = ?",
			string(o.Merchant), string(o.Terminal), o.Batch, int32(o.STAN), int16(o.Kind))
	}
}

func smallints[T ~byte](list []T) []int16 {
	out := make([]int16, len(list))
	for i, v := range list {
		out[i] = int16(v)
	}
	return out
}

func (s *Store) everyLane() []int32 {
	out := make([]int32, s.lanes)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

func unsearchable(f book.Filter) bool {
	return !keepable(string(f.Merchant) + string(f.Terminal) + f.Batch + string(f.RRN) + string(f.ID) + f.Last4 + f.Scheme + f.Response +
		string(f.Original.Merchant) + string(f.Original.Terminal) + f.Original.Batch)
}

// keyText is a row's key in one text: it only tells rows of one place apart.
const keyText = `merchant || '/' || terminal || '/' || batch || '/' || stan || '/' || kind`

// within bounds a question's time.
func (s *Store) within(ctx context.Context, ask func(context.Context) error) error {
	short, cancel := s.env.WithTimeout(ctx, searchLimit)
	defer cancel()
	err := ask(short)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: the search took longer than %v: narrow it", book.ErrNotApplied, searchLimit)
	}
	return err
}

// Search implements book.Searcher.
func (s *Store) Search(ctx context.Context, f book.Filter, after string, limit int) (page book.Page, err error) {
	err = s.within(ctx, func(ctx context.Context) error {
		page, err = s.search(ctx, f, after, limit)
		return err
	})
	return page, err
}

func (s *Store) search(ctx context.Context, f book.Filter, after string, limit int) (book.Page, error) {
	if limit <= 0 || limit > book.MaxPage {
		limit = book.MaxPage
	}
	var w where
	if after != "" {
		c, err := readCursor(after)
		if err != nil {
			return book.Page{}, err
		}
		w.and("place <= ? AND (place < ? OR (lane, "+keyText+") < (?, ?))", c.Place, c.Place, c.Lane, c.Key)
	}
	if unsearchable(f) {
		return book.Page{}, nil
	}
	var end *cursor // the last row that this call looks at, where there are more
	if s.conditions(&w, f) {
		var err error
		if end, err = s.bound(ctx, w); err != nil {
			return book.Page{}, err
		}
		narrow(&w, f)
	}
	if end != nil {
		w.and("place >= ? AND (place > ? OR (lane, "+keyText+") >= (?, ?))", end.Place, end.Place, end.Lane, end.Key)
	}
	one := func(state string) string {
		return `(SELECT place, lane, ` + keyText + `, ` + paymentColumns + ` FROM payments WHERE state ` + state + w.text.String() + byPlace + fmt.Sprintf(` LIMIT %d)`, limit+1)
	}
	var page book.Page
	var last cursor
	more := false
	r := newPaymentRow()
	rows, err := s.console.Query(ctx, one("<> 1")+" UNION ALL "+one("= 1")+` ORDER BY 1 DESC, 2 DESC, 3 DESC`+fmt.Sprintf(` LIMIT %d`, limit+1), w.args...)
	var at cursor
	err = each(ctx, rows, err, append([]any{&at.Place, &at.Lane, &at.Key}, r.to[:]...), func() error {
		if more = len(page.Found) == limit; !more {
			page.Found = append(page.Found, book.Found{Lane: book.Lane(at.Lane), Payment: r.take()})
			last = at
		}
		return nil
	})
	switch {
	case err != nil:
		return book.Page{}, err
	case more:
		page.Next, err = last.text()
	case end != nil:
		page.Next, err = end.text()
	}
	return page, err
}

const byPlace = ` ORDER BY place DESC, lane DESC, ` + keyText + ` DESC`

// bound is the row behind which a call stops looking, or nil.
func (s *Store) bound(ctx context.Context, w where) (*cursor, error) {
	var end *cursor
	var c cursor
	rows, err := s.console.Query(ctx, `SELECT place, lane, `+keyText+` FROM payments WHERE state <> 1`+w.text.String()+byPlace+
		fmt.Sprintf(` OFFSET %d LIMIT 1`, book.SearchRows-1), w.args...)
	err = each(ctx, rows, err, []any{&c.Place, &c.Lane, &c.Key}, func() error { end = &c; return nil })
	return end, err
}

func (c cursor) text() (string, error) {
	b, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func readCursor(text string) (c cursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Place <= 0 || c.Key == "" || !keepable(c.Key) {
		return c, book.ErrCursor
	}
	return c, nil
}

// Tally implements book.Searcher.
func (s *Store) Tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) (out []book.Bucket, err error) {
	err = s.within(ctx, func(ctx context.Context) error {
		out, err = s.tally(ctx, m, from, to, step)
		return err
	})
	return out, err
}

func (s *Store) tally(ctx context.Context, m pay.MerchantID, from, to time.Time, step time.Duration) (out []book.Bucket, err error) {
	if err := book.CheckSpans(from, to, step); err != nil {
		return nil, err
	}
	ms := step.Milliseconds()
	if !from.Before(to) || !keepable(string(m)) {
		return nil, nil
	}
	var w where
	w.and("place >= ? AND place < ?", placeOf(from.Add(-book.ClockSlack)), placeOf(to.Add(book.ClockSlack)))
	w.and("admitted_ms >= ? AND admitted_ms < ?", from.UnixMilli(), to.UnixMilli())
	if m != "" {
		s.merchant(&w, m)
	}
	var n int64
	var currency int16
	var b book.Bucket
	rows, err := s.console.Query(ctx, tallyText(from.UnixMilli(), ms, w.text.String()), w.args...)
	err = each(ctx, rows, err, []any{&n, &currency, &b.Approved, &b.Declined, &b.Undone, &b.Minor}, func() error {
		b.At, b.Currency = from.Add(time.Duration(n)*step), pay.Currency(currency)
		if b.Approved+b.Declined+b.Undone != 0 || b.Minor != 0 {
			out = append(out, b)
		}
		return nil
	})
	return out, err
}

// tallyText counts what holds as approved, what was refused as declined, and what
// was approved or asked for once and taken back as undone; what sales and
// completions have left is their amount without what follow-ups took of it.
func tallyText(from, step int64, cond string) string {
	var local, sells []payment.Kind
	for _, r := range payment.Rules {
		if r.Local {
			local = append(local, r.Kind)
		}
		if r.Moves == payment.MovesSale || r.Moves == payment.MovesComplete {
			sells = append(sells, r.Kind)
		}
	}
	in := func(column, list string) string { return column + " IN (" + list + ")" }
	states := func(list ...payment.State) string { return in("state", numbers(list)) }
	return fmt.Sprintf(`SELECT (admitted_ms - %d) / %d, currency, count(*) FILTER (WHERE %s), count(*) FILTER (WHERE %s), count(*) FILTER (WHERE %s),
 (coalesce(sum(amount - taken) FILTER (WHERE %s AND %s), 0))::bigint FROM payments WHERE state <> 1 AND NOT %s%s GROUP BY 1, 2 ORDER BY 1, 2`,
		from, step, states(payment.Approved, payment.Used, payment.Forwarding), states(payment.Declined),
		states(payment.Undone, payment.Reversing, payment.Reversed, payment.Abandoned),
		states(payment.Approved, payment.Undone, payment.Forwarding), in("kind", numbers(sells)), in("kind", numbers(local)), cond)
}

func numbers[T ~byte](list []T) string {
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprint(byte(v)))
	}
	return strings.Join(out, ", ")
}

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// Unresolved implements book.Store.
func (s *Store) Unresolved(ctx context.Context, lane book.Lane, after book.Cursor) (out []payment.Payment, err error) {
	a := after.After
	rows, err := s.read.Query(ctx, fmt.Sprintf(`SELECT %s FROM payments WHERE lane = %d AND state IN (1, 4, 9)
 AND (merchant, terminal, batch, stan, kind) > ($1, $2, $3, $4, $5) ORDER BY merchant, terminal, batch, stan, kind LIMIT %d`, paymentColumns, lane, book.UnresolvedPage),
		string(a.Merchant), string(a.Terminal), a.Batch, int32(a.STAN), int16(a.Kind))
	err = eachPayment(ctx, rows, err, nil, func(p payment.Payment) error { out = append(out, p); return nil })
	return out, err
}

// Find implements book.Store.
func (s *Store) Find(ctx context.Context, lane book.Lane, k payment.Key) (payment.Payment, bool, error) {
	if !keepable(string(k.Merchant) + string(k.Terminal) + k.Batch) {
		return payment.Payment{}, false, nil
	}
	p, err := newPaymentRow().scan(s.read.QueryRow(ctx, fmt.Sprintf(`SELECT %s FROM payments WHERE lane = %d AND `+byKey, paymentColumns, lane),
		string(k.Merchant), string(k.Terminal), k.Batch, int32(k.STAN), int16(k.Kind)))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return payment.Payment{}, false, nil
	case err != nil:
		return payment.Payment{}, false, before(ctx, err)
	}
	return p, true, nil
}

// FindRRN implements book.Store.
func (s *Store) FindRRN(ctx context.Context, lane book.Lane, m pay.MerchantID, rrn pay.RRN, kinds ...payment.Kind) (best payment.Payment, found bool, err error) {
	if !keepable(string(m) + string(rrn)) {
		return best, false, nil
	}
	of := make([]int16, len(kinds))
	for i, k := range kinds {
		of[i] = int16(k)
	}
	const where = `merchant = $1 AND rrn = $2 AND kind = ANY ($3::smallint[])`
	rows, err := s.read.Query(ctx, fmt.Sprintf(`SELECT %[1]s FROM payments WHERE lane = %[2]d AND state <> 1 AND `+where+`
 UNION ALL SELECT %[1]s FROM payments WHERE lane = %[2]d AND state = 1 AND `+where, paymentColumns, lane), string(m), string(rrn), of)
	err = eachPayment(ctx, rows, err, nil, func(p payment.Payment) error {
		if !found || p.Admitted.After(best.Admitted) {
			best, found = p, true
		}
		return nil
	})
	return best, found, err
}

// Batch implements book.Store.
func (s *Store) Batch(ctx context.Context, lane book.Lane, m pay.MerchantID, t pay.TerminalID, batch string) (out book.BatchTotals, err error) {
	if !keepable(string(m) + string(t) + batch) {
		return out, nil
	}
	rows, err := s.read.Query(ctx, fmt.Sprintf(`SELECT %s FROM payments WHERE lane = %d AND merchant = $1 AND terminal = $2 AND batch = $3`, paymentColumns, lane),
		string(m), string(t), batch)
	err = eachPayment(ctx, rows, err, nil, func(p payment.Payment) error { out.Add(p); return nil })
	return out, err
}

package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"huika/acquirer/book"
)

// MaxRows is the most rows that one INSERT carries. A batch is cut into
// statements of 64, 32, 16 … rows, so that a lane has few different ones and
// each stays prepared.
const MaxRows = 64

// statements are the texts of one lane. Each names its lane as a constant, in
// forms that Citus sends to one shard and commits in one phase.
type statements struct {
	lock, setEpoch, addLane string
	find, head, update      string
	payments, transfers     map[int]string // by their number of rows
}

func newStatements(lane book.Lane) statements {
	at := func(format string, more ...any) string {
		return fmt.Sprintf(format, append([]any{lane}, more...)...)
	}
	st := statements{
		lock:     at(`SELECT epoch FROM lanes WHERE lane = %d FOR NO KEY UPDATE`),
		setEpoch: at(`UPDATE lanes SET epoch = $1 WHERE lane = %d`),
		addLane:  at(`INSERT INTO lanes (lane, epoch, until_ms, owner) VALUES (%d, $1, 0, '') ON CONFLICT DO NOTHING`),
		find:     at(`SELECT %[2]s FROM payments WHERE lane = %[1]d AND `+byKey, paymentColumns),
		head:     at(`SELECT seq, hash FROM transfers WHERE lane = %d AND merchant = $1 ORDER BY seq DESC LIMIT 1`),
		update:   at(update),
		payments: map[int]string{}, transfers: map[int]string{},
	}
	for n := 1; n <= MaxRows; n *= 2 {
		st.payments[n] = insert("payments", lane, "place, "+paymentColumns, columns+1, n, ` ON CONFLICT DO NOTHING`)
		st.transfers[n] = insert("transfers", lane, transferColumns, transferWidth, n, ` ON CONFLICT DO NOTHING`)
	}
	return st
}

const byKey = `merchant = $1 AND terminal = $2 AND batch = $3 AND stan = $4 AND kind = $5`

// update writes what can change of payments, each only where the row still is
// what the decision was made about.
const update = `UPDATE payments AS p SET state = v.state, updated_ms = v.updated_ms, response = v.response, auth_code = v.auth_code,
 reversal_reason = v.reversal_reason, held = v.held, taken = v.taken, fee = v.fee, fee_back = v.fee_back, hold = v.hold
 FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::smallint[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[],
 $10::smallint[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
 AS v(merchant, terminal, batch, stan, kind, was_state, was_held, was_taken, was_ms,
 state, updated_ms, response, auth_code, reversal_reason, held, taken, fee, fee_back, hold)
 WHERE p.lane = %d AND p.merchant = v.merchant AND p.terminal = v.terminal AND p.batch = v.batch AND p.stan = v.stan AND p.kind = v.kind
 AND p.state = v.was_state AND p.held = v.was_held AND p.taken = v.was_taken AND p.updated_ms = v.was_ms`

// insert is a multi-row INSERT … VALUES with the lane as a constant in each row.
func insert(table string, lane book.Lane, names string, width, rows int, tail string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (lane, %s) VALUES ", table, names)
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%d", lane)
		for c := range width {
			b.WriteString(", $")
			b.WriteString(strconv.Itoa(r*width + c + 1))
		}
		b.WriteByte(')')
	}
	return b.String() + tail
}

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
	find, head, row, update string
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
		row:      at(`SELECT %[2]s FROM transfers WHERE lane = %[1]d AND merchant = $1 AND seq = $2`, transferColumns),
		update:   at(update),
		payments: map[int]string{}, transfers: map[int]string{},
	}
	for n := 1; n <= MaxRows; n *= 2 {
		st.payments[n] = insert("payments", lane, "place, "+paymentColumns, columns+1, n)
		st.transfers[n] = insert("transfers", lane, transferColumns, transferWidth, n)
	}
	return st
}

const byKey = `merchant = $1 AND terminal = $2 AND batch = $3 AND stan = $4 AND kind = $5`

// update writes what can change of a payment, where the row still is what the
// decision was made about. It is sent once a payment, many in one round trip:
// joined with a list of them, the planner's choice would hang on statistics
// that a young table has not got.
const update = `UPDATE payments SET state = $10, updated_ms = $11, response = $12, auth_code = $13, reversal_reason = $14,
 held = $15, taken = $16, fee = $17, fee_back = $18, hold = $19
 WHERE lane = %d AND ` + byKey + ` AND state = $6 AND held = $7 AND taken = $8 AND updated_ms = $9`

// insert is a multi-row INSERT … VALUES with the lane as a constant in each row.
func insert(table string, lane book.Lane, names string, width, rows int) string {
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
	return b.String()
}

package postgres

import (
	"huika/acquirer/book"
	"huika/acquirer/payment"
	"huika/pay"
)

// What a store remembers of a lane between transactions, so that the second
// half of a payment need not look for the first: rows that are unresolved, and
// the ends of chains. It holds as long as this store has the lane under the
// same epoch; each write checks besides that the rows are still what was
// remembered, and the whole is forgotten where they are not.
const (
	maxOpen  = 1 << 13 // rows of a lane
	maxHeads = 1 << 13 // chains of a lane
)

type memory struct {
	sql   statements
	epoch uint64
	open  map[payment.Key]payment.Payment
	heads map[pay.MerchantID]book.Head
}

func newMemory(lane book.Lane) *memory {
	return &memory{sql: newStatements(lane), open: map[payment.Key]payment.Payment{}, heads: map[pay.MerchantID]book.Head{}}
}

func (m *memory) forget() {
	clear(m.open)
	clear(m.heads)
	m.epoch = 0
}

// learn takes over what a transaction that is durable has written.
func (m *memory) learn(b *batch) {
	for k, r := range b.rows {
		if r.now.State.Unresolved() && len(m.open) < maxOpen {
			m.open[k] = r.now
		} else {
			delete(m.open, k)
		}
	}
	if len(m.heads)+len(b.heads) > maxHeads {
		clear(m.heads)
	}
	for k, h := range b.heads {
		m.heads[k] = h
	}
}

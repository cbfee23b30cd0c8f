package sqlite

import "database/sql/driver"

// What the store remembers between transactions, so that the second half of a
// payment need not look for the first: rows that are unresolved, and the ends
// of chains. Both hold only while nobody else writes to the file; SQLite's
// data_version tells.
const (
	maxOpen  = 1 << 16
	maxHeads = 1 << 16
)

// refresh forgets everything if another connection has written since.
func (s *Store) refresh() error {
	var dest [1]driver.Value
	return s.raw.with().query(stVersion, dest[:], func() error {
		if v := dest[0].(int64); v != s.version {
			s.version = v
			s.forget()
		}
		return nil
	})
}

func (s *Store) forget() {
	clear(s.open)
	clear(s.heads)
}

// learn takes over what a transaction that is durable has written.
func (s *Store) learn(b *batch) {
	for k, r := range b.rows {
		if r.at != 0 && r.row.State.Unresolved() && len(s.open) < maxOpen {
			s.open[k] = r
		} else {
			delete(s.open, k)
		}
	}
	if len(s.heads)+len(b.heads) > maxHeads {
		clear(s.heads)
	}
	for m, h := range b.heads {
		s.heads[m] = h
	}
}

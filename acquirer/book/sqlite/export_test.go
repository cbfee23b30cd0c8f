package sqlite

// LookAt sets how many rows one search looks at, so that a test need not write
// book.SearchRows of them.
func (s *Store) LookAt(rows int64) { s.looks = rows }

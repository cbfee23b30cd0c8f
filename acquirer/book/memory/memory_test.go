package memory_test

import (
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/book/memory"
)

func TestContract(t *testing.T) {
	booktest.Run(t,
		func(*testing.T) book.Store { return memory.New() },
		func(_ *testing.T, s book.Store) book.Store { return s })
}

func TestSearchContract(t *testing.T) {
	booktest.RunSearch(t, func(*testing.T) booktest.Searchable { return memory.New() })
}

func TestReferenceContract(t *testing.T) {
	booktest.RunReference(t,
		func(*testing.T) book.Reference { return memory.New() },
		func(_ *testing.T, r book.Reference) book.Reference { return r })
}

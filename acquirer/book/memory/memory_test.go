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

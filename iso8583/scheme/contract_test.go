package scheme_test

import (
	"fmt"
	"testing"

	"huika/iso8583/scheme"
	"huika/iso8583/scheme/schemetest"
)

// Every dialect keeps the contract that host and switch rely on; so does the
// recipe's example.
func TestContract(t *testing.T) {
	mac, other := cmac(t, "0123456789abcdef"), cmac(t, "another key, 16B")
	for i, d := range dialects(t) {
		t.Run(fmt.Sprint(i, d.Name()), func(t *testing.T) { schemetest.Run(t, d, mac, other) })
	}
	t.Run("lesson", func(t *testing.T) {
		if err := schemetest.Lesson.(*scheme.Dialect87).Check(); err != nil {
			t.Fatal(err)
		}
		schemetest.Run(t, schemetest.Lesson, mac, other)
	})
}

package memory_test

import (
	"errors"
	"testing"

	"huika/terminal/journal"
	"huika/terminal/journal/journaltest"
	"huika/terminal/journal/memory"
)

type disk struct{ memory.Disk }

func (d *disk) Open(t testing.TB, _ bool) journal.Store {
	s, err := memory.Open(&d.Disk)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	journaltest.Run(t, func(testing.TB) journaltest.Disk { return &disk{} })
}

// A disk that is cut off keeps exactly the writes before the cut.
func TestCutAfter(t *testing.T) {
	var d memory.Disk
	s, err := memory.Open(&d)
	if err != nil {
		t.Fatal(err)
	}
	d.CutAfter(1)
	if err := s.Append(t.Context(), journal.BatchOpened{Batch: "000001"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), journal.BatchOpened{Batch: "000002"}); !errors.Is(err, journal.ErrLost) {
		t.Fatalf("after the cut: %v, want ErrLost", err)
	}
	d.CutAfter(0)
	s, err = memory.Open(&d)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.State(t.Context()); err != nil || st.Batch != "000001" {
		t.Errorf("State: %+v, %v", st, err)
	}
}

package memlog_test

import (
	"errors"
	"testing"

	"huika/world/issuer"
	"huika/world/issuer/memlog"
	"huika/world/issuer/storetest"
)

type harness struct {
	*memlog.Log[issuer.Record, *issuer.Record]
}

func (h harness) Reopen(t *testing.T) storetest.Harness {
	next := harness{h.Crash()}
	if err := h.Append(storetest.Record(99)); !errors.Is(err, memlog.ErrCrashed) {
		t.Errorf("append by a crashed process: %v", err)
	}
	if err := h.Load(func(issuer.Record) error { return nil }); !errors.Is(err, memlog.ErrCrashed) {
		t.Errorf("load by a crashed process: %v", err)
	}
	return next
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness { return harness{memlog.New[issuer.Record]()} })
}

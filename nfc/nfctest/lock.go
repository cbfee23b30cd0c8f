package nfctest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// LockPCSC keeps the machine's one pcscd, and the fixed ports of its virtual
// slots, to this test until it ends: go test runs packages side by side.
func LockPCSC(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "huika-pcsc.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil { // which unlocks
			t.Error(err)
		}
	})
}

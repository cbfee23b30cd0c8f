package entry

import (
	"errors"
	"fmt"

	"huika/emv"
)

// Combination is one AID and kernel that the reader supports, with the
// configuration of its pre-processing (Book A 5.2 table 5-2, Book B 3.1.1).
// Limits are in minor units of the transaction's currency; nil: not configured.
type Combination struct {
	AID    []byte       // 5 to 16 bytes; matches every ADF name that begins with it
	Kernel emv.KernelID // kernel identifier
	// Version picks among kernels registered under the same id; 0: the one registered first.
	Version uint16
	// Types are the transaction types (9C) that the combination is for; empty: all.
	Types []byte

	TTQ                *[4]byte // terminal transaction qualifiers (9F66); nil: none
	TransactionLimit   *int64   // reader contactless transaction limit: an amount at or above is not allowed
	FloorLimit         *int64   // reader contactless floor limit: an amount above goes online
	TerminalFloorLimit *int64   // 9F1B; stands in where FloorLimit is nil
	CVMLimit           *int64   // reader CVM required limit: an amount at or above needs the cardholder
	StatusCheck        bool     // status check support flag
	ZeroAmount         ZeroAmount
	ExtendedSelection  bool // extended selection support flag (9F29)
}

// ZeroAmount is the zero amount allowed flag.
type ZeroAmount byte

// Zero amount allowed flag values; absent means allowed.
const (
	ZeroAmountAbsent ZeroAmount = iota
	ZeroAmountAllowed
	ZeroAmountNotAllowed
)

// Limit is a configured limit, for composite literals.
func Limit(minor int64) *int64 { return &minor }

// ErrConfig is wrapped by every error that a Point's fields cause.
var ErrConfig = errors.New("entry point configuration")

// Kernels are the kernels that a reader has, by kernel id and application
// version (9F09). The zero value is empty and ready.
type Kernels struct{ list []registered }

type registered struct {
	id      emv.KernelID
	version uint16
	kernel  emv.Kernel
}

// Register adds a kernel. The same id and version twice is an error (ErrConfig).
func (k *Kernels) Register(id emv.KernelID, version uint16, kernel emv.Kernel) error {
	for _, r := range k.list {
		if r.id == id && r.version == version {
			return fmt.Errorf("%w: kernel %X version %d is registered twice", ErrConfig, uint32(id), version)
		}
	}
	if kernel == nil {
		return fmt.Errorf("%w: kernel %X is nil", ErrConfig, uint32(id))
	}
	k.list = append(k.list, registered{id, version, kernel})
	return nil
}

// Lookup finds a kernel; version 0 finds the first that was registered under id.
func (k *Kernels) Lookup(id emv.KernelID, version uint16) (emv.Kernel, bool) {
	kernel, _, ok := k.find(id, version)
	return kernel, ok
}

// find is Lookup with the version under which the kernel is registered.
func (k *Kernels) find(id emv.KernelID, version uint16) (emv.Kernel, uint16, bool) {
	if k == nil {
		return nil, 0, false
	}
	for _, r := range k.list {
		if r.id == id && (version == 0 || r.version == version) {
			return r.kernel, r.version, true
		}
	}
	return nil, 0, false
}

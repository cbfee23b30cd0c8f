package scheme

import (
	"encoding/hex"

	"huika/iso8583"
)

// PutKey sets a text field to a working key as our reading has it: P or M, the
// wrapped key and the check value in hexadecimal. An absent key leaves it out.
func PutKey(to *iso8583.Message, f int, prefix string, k *WorkingKey) error {
	if k.Use == 0 && len(k.Wrapped) == 0 {
		return nil
	}
	if err := k.check(f); err != nil {
		return err
	}
	var room [64]byte
	v := append(append(room[:0], prefix...), "PM"[k.Use-PINKey])
	v = hex.AppendEncode(v, k.Wrapped)
	to.SetBytes(f, hex.AppendEncode(v, k.Check[:]))
	return nil
}

// check is what every dialect asks of a key that field f is to carry.
func (k *WorkingKey) check(f int) error {
	if k.Use != PINKey && k.Use != MACKey || len(k.Wrapped) != 16 && len(k.Wrapped) != MaxKey {
		return wrong("pack", f, "want a PIN or MAC key of 16 or 24 bytes")
	}
	return nil
}

// GetKey reads what PutKey writes; an absent field is no key.
func GetKey(from *In, f int, prefix string, k *WorkingKey) error {
	v := from.Bytes(f)
	if v == nil {
		return nil
	}
	if len(v) <= len(prefix) || string(v[:len(prefix)]) != prefix {
		return wrong("unpack", f, "no key")
	}
	use := v[len(prefix)]
	raw, err := hex.DecodeString(string(v[len(prefix)+1:]))
	if err != nil || len(raw) < 4 || use != 'P' && use != 'M' {
		return wrong("unpack", f, "no key")
	}
	k.Use = PINKey
	if use == 'M' {
		k.Use = MACKey
	}
	k.Wrapped = raw[:len(raw)-4]
	copy(k.Check[:], raw[len(raw)-4:])
	if err := k.check(f); err != nil {
		*k = WorkingKey{}
		return wrong("unpack", f, "no key")
	}
	return nil
}

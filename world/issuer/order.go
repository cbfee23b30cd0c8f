package issuer

import (
	"encoding/hex"
	"errors"
	"fmt"

	"huika/card/perso"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Order is what the issuer wants a card to do: one issuer script, sent with the
// answer to the card's next request (ISO 7816-4 commands with a MAC under the
// key of script integrity).
type Order struct {
	Block        bool  // APPLICATION BLOCK
	Unblock      bool  // APPLICATION UNBLOCK
	OfflineLimit int64 // fen, PUT DATA; 0: none
}

// ErrOrder says that a card takes no such script.
var ErrOrder = errors.New("issuer: no script for this card")

// Order puts a script before a card. It is given to one answer, the card's next
// one that has a good cryptogram; a new order takes its place. It is kept in
// memory only: a person's command, not a rule of the bank. Errors: ErrOrder.
func (i *Issuer) Order(pan pay.PAN, o Order) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	a := i.state.byPAN[pan.Reveal()]
	switch {
	case a == nil:
		return fmt.Errorf("%w: there is no such card", ErrOrder)
	case a.Scheme != perso.Visa:
		return fmt.Errorf("%w: cards of %s take none at a contactless terminal", ErrOrder, a.Scheme)
	case o.OfflineLimit < 0 || o.OfflineLimit > pay.MaxMinor:
		return fmt.Errorf("%w: an offline limit of %d fen", ErrOrder, o.OfflineLimit)
	case o == Order{}:
		delete(i.orders, a.ref)
		return nil
	}
	i.orders[a.ref] = o
	return nil
}

// Script commands: class with secure messaging, and instructions (EMV Book 3, 6.5.2, 6.5.4; ISO/IEC 7816-4).
const (
	scriptClass   = 0x84
	insBlock      = 0x1E
	insUnblock    = 0x18
	insPutData    = 0xDA
	scriptMAC     = 8
	tagCardLimit  = 0x9F54 // stand-in: the demo card's one offline limit
	limitDigits   = 12
	scriptIDBytes = 4
)

// scripts is template 72 with the commands of an order, nil where the scheme has none.
func (i *Issuer) scripts(o Order, v verdict) ([]byte, error) {
	body := tlv.Append(nil, tag.ScriptID, make([]byte, scriptIDBytes))
	add := func(ins, p1, p2 byte, data []byte) error {
		header := []byte{scriptClass, ins, p1, p2, byte(len(data) + scriptMAC)}
		mac, err := v.icc.says.by.script(i.state.keys[v.account.Scheme], &v.account.Account, &v.icc, header, data)
		if err != nil || mac == nil {
			return err
		}
		body = tlv.Append(body, tag.ScriptCommand, append(append(header, data...), mac...))
		return nil
	}
	var errs []error
	if o.OfflineLimit > 0 {
		limit, err := hex.DecodeString(fmt.Sprintf("%0*d", limitDigits, o.OfflineLimit))
		errs = append(errs, err, add(insPutData, tagCardLimit>>8, tagCardLimit&0xFF, limit))
	}
	if o.Block {
		errs = append(errs, add(insBlock, 0, 0, nil))
	}
	if o.Unblock {
		errs = append(errs, add(insUnblock, 0, 0, nil))
	}
	return tlv.Append(nil, tag.Script2, body), errors.Join(errs...)
}

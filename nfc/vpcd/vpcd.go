// Package vpcd puts a software card into the real PC/SC stack: it dials one of
// the slots of vsmartcard's virtual reader ("Virtual PCD", a pcscd driver) and
// answers as the card. In a tap it is the customer's hand and card in one;
// closing the socket is the card leaving the field.
//
// It is not a reader: the terminal's end of the same stack is package pcsc.
//
// Frames (vsmartcard, public source): two bytes length, big-endian, then the
// body. A body of one byte is a control: 00 power off, 01 power on, 02 reset
// (none has a reply), 04 asks for the ATR. Anything longer is a command APDU.
package vpcd

import (
	"context"
	"errors"
	"fmt"
	"net"

	"huika/nfc"
	"huika/nfc/fault"
	"huika/rt"
)

// The two slots on which the virtual reader listens.
const (
	Slot0 = "127.0.0.1:35963"
	Slot1 = "127.0.0.1:35964"
)

// Controls (one-byte bodies).
const (
	controlOff   = 0x00
	controlOn    = 0x01
	controlReset = 0x02
	controlATR   = 0x04
)

// Serve holds the card steadily to the slot at addr until ctx ends (nil) or the
// connection does. See Present.
func Serve(ctx context.Context, env rt.Env, addr string, card nfc.Card) error {
	return Present(ctx, env, addr, card, fault.Steady())
}

// Present holds the card to the slot at addr in the way that p says. It returns
// nil where ctx ended, fault.ErrLeft where p says that the card leaves,
// ErrRefused where nothing listens there, ErrFrame where the reader broke the
// protocol, and another error where the connection ended from the other side.
//
// An exchange that the air loses (a weak field, a card that does not answer)
// cuts the connection, which is how this reader learns of it, and the card is
// held to it again at once.
func Present(ctx context.Context, env rt.Env, addr string, card nfc.Card, p fault.Presentation) error {
	link := fault.NewLink(card, p, env.Rand())
	for {
		conn, err := env.Dial(ctx, addr)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				return conn.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		link.Reset() // entering the field is power-on; the reader may have overlooked that it was out of it
		err = serve(ctx, env, conn, link)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, fault.ErrLost):
			continue
		default:
			return err
		}
	}
}

// ErrRefused says that no virtual reader listens at the address.
var ErrRefused = errors.New("no vpcd slot: is pcscd running, with vsmartcard-vpcd installed?")

// serve answers on one connection until it ends; it closes it.
func serve(ctx context.Context, env rt.Env, conn net.Conn, link *fault.Link) (err error) {
	over, end := context.WithCancel(ctx)
	defer func() {
		end()
		_ = conn.Close() // the card is leaving: nobody is left to tell of an error, nor of a second close
	}()
	// The reads below know nothing of ctx: this task closes the socket under them.
	env.Go("vpcd close", func() {
		if env.NewWaiter().Wait(over) != nil {
			_ = conn.Close() // as above
		}
	})
	quick := quickAck(conn)
	var frame, reply []byte
	for {
		if frame, err = readFrame(conn, quick, frame); err != nil {
			return err
		}
		answer, err := react(ctx, env, link, frame)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if reply, err = appendFrame(reply[:0], answer); err != nil {
			return err
		}
		if _, err := conn.Write(reply); err != nil {
			return fmt.Errorf("vpcd: %w", err)
		}
		if link.Left() {
			return fault.ErrLeft
		}
	}
}

// react is the card's answer to one body; nil where none is due.
func react(ctx context.Context, env rt.Env, link *fault.Link, body []byte) ([]byte, error) {
	if len(body) > 1 {
		if d := link.Latency(); d > 0 {
			if err := env.Sleep(ctx, d); err != nil {
				return nil, err
			}
		}
		return link.Exchange(body)
	}
	switch body[0] {
	case controlATR:
		if atr := link.ATR(); len(atr) > 0 {
			return atr, nil
		}
		return fallbackATR, nil
	case controlOn, controlReset:
		link.Reset()
	case controlOff: // Reset comes with the power
	default:
		return nil, fmt.Errorf("%w: control %02X", ErrFrame, body[0])
	}
	return nil, nil
}

// fallbackATR is given for a card that has none: the reader asks for it about
// twice a second and takes silence for an empty field. It is the contactless
// form of PC/SC part 3 with no historical bytes.
var fallbackATR = []byte{0x3B, 0x80, 0x80, 0x01, 0x01}

// Package issuertest drives the stand-ins of package world as their neighbours
// would: real taps of real cards turned into interchange messages, keys of a
// zone, and a peer at the other end of a wire in memory. Tests import it;
// nothing else does.
package issuertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"huika/card"
	"huika/card/perso"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/iso8583"
	"huika/iso8583/cup"
	"huika/iso8583/link"
	"huika/keys"
	"huika/pay"
	"huika/rt"
)

// Key draws a key of n bytes.
func Key(t testing.TB, n int) pay.Secret {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		t.Fatal(err)
	}
	return pay.NewSecret(b)
}

// PIN draws a PIN of six digits.
func PIN(t testing.TB) string {
	t.Helper()
	b := Key(t, 6).Reveal()
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b)
}

// Card is one card or device with its own counter.
type Card struct {
	Account perso.Account
	chip    perso.Contactless
}

// NewCard makes the card of that name; pin is its account's.
func NewCard(t testing.TB, name, pin string) *Card {
	t.Helper()
	i := perso.TestIssuer()
	chip, err := i.Card(name, card.NewMemoryState(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := perso.ProfileByName(name)
	if !ok {
		t.Fatalf("no card %s", name)
	}
	for _, a := range i.Accounts(func(string) string { return pin }) {
		if a.Profile == p.Account {
			return &Card{a, chip}
		}
	}
	t.Fatalf("no account for %s", name)
	return nil
}

// Tap is what a terminal learns from one contactless exchange.
type Tap map[tlv.Tag][]byte

// Terminal says what the terminal puts into the exchange. The zero value of a
// field is the usual one.
type Terminal struct {
	Fen        int64
	TTQ        string // hex; usual: qPBOC and online PIN, CVM required above 1000.00, CDCVM
	TVR        string // hex
	Country    string
	Currency   string
	Type       string // 9C, hex
	CVMResults string // 9F34, hex; usual: from the card's CTQ
	Date       time.Time
}

func (x Terminal) value(g tlv.Tag) string {
	or := func(s, usual string) string {
		if s == "" {
			return usual
		}
		return s
	}
	switch g {
	case tag.TTQ:
		if x.Fen > 100_000 {
			return or(x.TTQ, "26C04000")
		}
		return or(x.TTQ, "26804000")
	case tag.Interchange: // kernel 5: online PIN, and CVM required above 1000.00
		if x.Fen > 100_000 {
			return "A00000"
		}
		return "200000"
	case tag.AmountAuthorised:
		return fmt.Sprintf("%012d", x.Fen)
	case tag.AmountOther:
		return "000000000000"
	case tag.TerminalCountry:
		return or(x.Country, "0156")
	case tag.TVR:
		return or(x.TVR, "0000000000")
	case tag.TransactionCurrency:
		return or(x.Currency, "0156")
	case tag.TransactionDate:
		return x.Date.Format("060102")
	case tag.TransactionType:
		return or(x.Type, "00")
	}
	return ""
}

// Tap runs a whole exchange by raw commands.
func (c *Card) Tap(t testing.TB, x Terminal) Tap {
	t.Helper()
	if x.Date.IsZero() {
		x.Date = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	}
	c.chip.Reset()
	got := Tap{tag.UN: Key(t, 4).Reveal()}
	send := func(header []byte, data []byte) []byte {
		t.Helper()
		command := append(header, byte(len(data)))
		command = append(append(command, data...), 0)
		if len(data) == 0 {
			command = append(header, 0)
		}
		r := c.chip.Transmit(command)
		if len(r) < 2 || r[len(r)-2] != 0x90 || r[len(r)-1] != 0 {
			t.Fatalf("command %X: the card answers %d bytes, not 9000", header, len(r))
		}
		body := r[:len(r)-2]
		if err := tlv.Walk(body, func(_ int, o tlv.TLV) error {
			if _, twice := got[o.Tag]; !twice || !o.Tag.Constructed() {
				got[o.Tag] = o.Value
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return body
	}
	send([]byte{0x00, 0xA4, 0x04, 0x00}, []byte(card.PPSE))
	send([]byte{0x00, 0xA4, 0x04, 0x00}, got[tag.AID])
	data, err := dol.Build(nil, got[tag.PDOL], func(g tlv.Tag) ([]byte, bool) {
		if g == tag.UN {
			return got[tag.UN], true
		}
		b, err := hex.DecodeString(x.value(g))
		if err != nil {
			t.Fatal(err)
		}
		got[g] = b
		return b, len(b) > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	send([]byte{0x80, 0xA8, 0x00, 0x00}, tlv.Append(nil, tag.CommandTemplate, data))
	for afl := got[tag.AFL]; len(afl) >= 4; afl = afl[4:] {
		for n := afl[1]; n <= afl[2]; n++ {
			send([]byte{0x00, 0xB2, n, afl[0]>>3<<3 | 4}, nil)
		}
	}
	if list, ok := got[tag.CDOL1]; ok { // kernel 2: the cryptogram comes from GENERATE AC, here without a signature
		data, err := dol.Build(nil, list, func(g tlv.Tag) ([]byte, bool) {
			if g == tag.UN {
				return got[tag.UN], true
			}
			b, err := hex.DecodeString(x.value(g))
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > 0 {
				got[g] = b
			}
			return b, len(b) > 0
		})
		if err != nil {
			t.Fatal(err)
		}
		send([]byte{0x80, 0xAE, 0x80, 0x00}, data)
	}
	got[tag.CID] = []byte{0x80}
	ctq, device := got[tag.CTQ], false
	switch cpr := got[tag.CPR]; {
	case got[tag.CDOL1] != nil: // cards of GENERATE AC have no CTQ (9F6C is another object there)
		ctq, device = []byte{0, 0}, c.Account.CDCVMDevice
		if v := got[tag.CVMStatus]; len(v) == 1 && v[0] == 0x20 { // kernel 5: the card's own choice, here the online PIN
			ctq[0] = 0x80
		}
	case ctq == nil && len(cpr) == 2: // kernel 6: other bits for the same
		ctq = []byte{cpr[0] & 0x80, cpr[0] & 0x10 << 3}
	}
	switch {
	case x.CVMResults != "":
		if got[tag.CVMResults], err = hex.DecodeString(x.CVMResults); err != nil {
			t.Fatal(err)
		}
	case device && x.Fen > 100_000:
		got[tag.CVMResults] = []byte{0x01, 0, 2}
	case got[tag.CVMList] != nil && x.Fen > 100_000:
		got[tag.CVMResults] = []byte{0x42, 0x03, 0}
	case ctq[0]&0x80 != 0:
		got[tag.CVMResults] = []byte{0x02, 0, 0}
	case ctq[1]&0x80 != 0:
		got[tag.CVMResults] = []byte{0x01, 0, 2}
	default:
		got[tag.CVMResults] = []byte{0x1F, 0, 2}
	}
	return got
}

// field55 are the tags of F55 that the stand-ins read, and a few that they must skip.
var field55 = []tlv.Tag{
	tag.ApplicationCryptogram, tag.CID, tag.IAD, tag.UN, tag.ATC, tag.TVR, tag.TransactionDate, tag.TransactionType, tag.AmountAuthorised,
	tag.TransactionCurrency, tag.AIP, tag.TerminalCountry, tag.AmountOther, tag.CVMResults, tag.DFName,
}

// Field55 is the tap as F55.
func (p Tap) Field55() (b []byte) {
	for _, g := range field55 {
		if v, ok := p[g]; ok {
			b = tlv.Append(b, g, v)
		}
	}
	return b
}

// AcquirerID is F32 of every message made here.
const AcquirerID = "48020000"

// Sale makes the 0200 of a tap. pin is sent under zpk, "" for none.
func (c *Card) Sale(t testing.TB, x Terminal, stan int, pin string, zpk pay.Secret) *iso8583.Message {
	t.Helper()
	return c.Request(t, Sale, x, stan, pin, zpk)
}

// Request makes a request with the card: Sale, PreAuth or Balance.
func (c *Card) Request(t testing.TB, s Shape, x Terminal, stan int, pin string, zpk pay.Secret) *iso8583.Message {
	t.Helper()
	if s == Balance && x.Type == "" {
		x.Type = "31"
	}
	m := c.message(t, c.Tap(t, x), x, stan, pin, zpk)
	s.set(m)
	return m
}

func (c *Card) message(t testing.TB, p Tap, x Terminal, stan int, pin string, zpk pay.Secret) *iso8583.Message {
	t.Helper()
	track := strings.TrimRight(strings.Replace(hex.EncodeToString(p[tag.Track2]), "d", "=", 1), "f")
	m := iso8583.NewMessage()
	m.Set(2, track[:strings.Index(track, "=")])
	m.Set(4, fmt.Sprintf("%012d", x.Fen))
	common(m, stan)
	m.Set(14, track[strings.Index(track, "=")+1:][:4])
	m.Set(22, "072")
	m.Set(23, "0"+hex.EncodeToString(p[tag.PSN]))
	m.Set(35, track)
	m.SetBytes(55, p.Field55())
	if pin != "" {
		block, err := keys.EncryptPIN([]byte(pin), c.Account.PAN, zpk)
		if err != nil {
			t.Fatal(err)
		}
		m.Set(22, "071")
		m.SetBytes(52, block[:])
	}
	return m
}

func common(m *iso8583.Message, stan int) {
	m.Set(7, "1123080000")
	m.Set(11, fmt.Sprintf("%06d", stan))
	m.Set(12, "160000")
	m.Set(13, "1123")
	m.Set(32, AcquirerID)
	m.Set(37, fmt.Sprintf("%012d", stan))
	m.Set(41, "HK000001")
	m.Set(42, "898110000000001")
	m.Set(49, "156")
}

// Shape is how the requests of one transaction look.
type Shape struct{ MTI, Processing, Condition string }

// Shapes of the interchange, as the acquirer sends them.
var (
	Sale             = Shape{cup.MTIFinancial, "000000", "00"}
	Void             = Shape{cup.MTIFinancial, "200000", "00"}
	Refund           = Shape{cup.MTIAdvice, "200000", "00"}
	PreAuth          = Shape{cup.MTIAuthorisation, "030000", "06"}
	PreAuthCancel    = Shape{cup.MTIAuthorisation, "200000", "06"}
	Completion       = Shape{cup.MTIFinancial, "000000", "06"}
	CompletionVoid   = Shape{cup.MTIFinancial, "200000", "06"}
	CompletionAdvice = Shape{cup.MTIAdvice, "000000", "06"}
	Balance          = Shape{cup.MTIFinancial, "310000", "00"}
)

func (s Shape) set(m *iso8583.Message) {
	m.SetMTI(s.MTI)
	m.Set(3, s.Processing)
	m.Set(25, s.Condition)
}

// Follow makes a request without the card after an original; authCode is the
// original's F38, "" for none.
func Follow(s Shape, original *iso8583.Message, authCode string, fen int64, stan int) *iso8583.Message {
	m := iso8583.NewMessage()
	common(m, stan)
	s.set(m)
	m.Copy(original, 2, 14, 41, 42)
	m.Set(4, fmt.Sprintf("%012d", fen))
	m.Set(22, "012")
	if authCode != "" {
		m.Set(38, authCode)
	}
	m.Set(90, Original(original))
	return m
}

// Original is the F90 that names a request.
func Original(m *iso8583.Message) string {
	return cup.Original{MTI: m.MTI(), STAN: m.Get(11), Transmission: m.Get(7), Acquirer: m.Get(32)}.String()
}

// Reversal makes the 0420 of a request; each try has its own STAN.
func Reversal(request *iso8583.Message, stan int) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(cup.MTIReversal)
	common(m, stan)
	m.Copy(request, 2, 3, 4, 37, 41, 42)
	m.Set(39, "98")
	m.Set(90, Original(request))
	return m
}

// Network makes an 0800.
func Network(code string, stan int) *iso8583.Message {
	m := iso8583.NewMessage()
	m.SetMTI(cup.MTINetwork)
	m.Set(7, "1123080000")
	m.Set(11, fmt.Sprintf("%06d", stan))
	m.Set(32, AcquirerID)
	m.Set(70, code)
	return m
}

// Wire is a listener in memory and the way to dial it.
type Wire struct {
	queue  *rt.Queue[net.Conn]
	ctx    context.Context
	cancel context.CancelFunc
}

const maxUnaccepted = 16

// NewWire makes a wire; it may be listened on once.
func NewWire(env rt.Env) *Wire {
	ctx, cancel := context.WithCancel(context.Background())
	return &Wire{rt.NewQueue[net.Conn](env, maxUnaccepted), ctx, cancel}
}

// Dial connects.
func (w *Wire) Dial(context.Context) (net.Conn, error) {
	if w.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	a, b := net.Pipe()
	return a, w.queue.Put(b)
}

// Accept waits for a Dial.
func (w *Wire) Accept() (net.Conn, error) {
	c, err := w.queue.Get(w.ctx)
	if err != nil {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close ends Accept.
func (w *Wire) Close() error {
	w.cancel()
	return nil
}

// Addr names nothing.
func (*Wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire", Net: "pipe"} }

// Peer is a neighbour at the other end of one connection.
type Peer struct {
	*link.Mux
	mac   iso8583.MAC
	ended *rt.Future[error]
}

// NewPeer connects with the keys of a zone.
func NewPeer(t testing.TB, env rt.Env, dial func(context.Context) (net.Conn, error), macKey pay.Secret) *Peer {
	t.Helper()
	conn, err := dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	mac, err := keys.CMAC(macKey)
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{link.NewMux(env, conn, link.MuxOptions{Classify: cup.Classify}), mac, rt.NewFuture[error](env)}
	env.Go("peer", func() { p.ended.Set(p.Run(context.Background())) })
	return p
}

// Ask sends m and returns the answer with its MAC checked.
func (p *Peer) Ask(ctx context.Context, m *iso8583.Message) (*iso8583.Message, error) {
	frame, err := cup.Encode(nil, m, p.mac)
	if err != nil {
		return nil, err
	}
	got, err := p.Call(ctx, cup.Key(m), frame)
	if err != nil {
		return nil, err
	}
	if err := cup.CheckMAC(got, p.mac); err != nil {
		return nil, err
	}
	answer := iso8583.NewMessage()
	return answer, cup.Decode(got, answer)
}

// Code is Ask for F39 alone; anything but an answer fails the test.
func (p *Peer) Code(t testing.TB, m *iso8583.Message) string {
	t.Helper()
	answer, err := p.Ask(context.Background(), m)
	if err != nil {
		t.Fatalf("%s %s: %v", m.MTI(), m.Get(11), err)
	}
	return answer.Get(39)
}

// Wait waits until the connection has ended.
func (p *Peer) Wait(t testing.TB) {
	t.Helper()
	if _, err := p.ended.Get(context.Background()); err != nil {
		t.Fatal(err)
	}
}

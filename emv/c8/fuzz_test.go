package c8

import (
	"bytes"
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/bdh"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// randomCard answers whatever the fuzzer gives: the input is cut into
// responses by a length byte each; after its end the card is lost.
type randomCard struct {
	data     []byte
	commands int
}

func (c *randomCard) Transmit(context.Context, []byte) ([]byte, error) {
	c.commands++
	if len(c.data) == 0 {
		return nil, emv.ErrCardLost
	}
	n := min(int(c.data[0]), len(c.data)-1)
	r := c.data[1 : 1+n]
	c.data = c.data[1+n:]
	return bytes.Clone(r), nil
}

// recorder writes down what a card answers, in the form that randomCard reads.
type recorder struct {
	card *scripted
	out  *[]byte
}

func (r *recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	b, err := r.card.Transmit(ctx, command)
	if err == nil && len(b) < 256 {
		*r.out = append(append(*r.out, byte(len(b))), b...)
	}
	return b, err
}

// fuzzConfig approves whatever may be approved: no action code stands in the way.
func fuzzConfig(t testing.TB, c *scripted) Config {
	cfg := usualConfig(t, c)
	withRelay(&cfg)
	askNobody(&cfg)
	cfg.FloorLimit, cfg.CVMLimit = 1<<40, 1<<40
	cfg.Read, cfg.Write = []tlv.Tag{tag.DataEnvelope1}, unhex("9F81110102")
	return cfg
}

// FuzzKernelResponses: whatever a card answers, the kernel does not panic, sends a
// bounded number of commands, and approves nothing without a TC, its codes, and local
// authentication, even where every action code is zero.
func FuzzKernelResponses(f *testing.F) {
	for _, change := range []func(*scripted){
		func(*scripted) {}, relay(100, 200, 24, way+150), plain, func(c *scripted) { aip("000A")(c) }, restart("2020"), cid(0), clone,
	} {
		c := newCard(f)
		change(c)
		c.data[tag.DataEnvelope1] = "9F81110101"
		c.personalise()
		var all []byte
		in := usualInput(c, 8880)
		in.Rand = constRand{}
		if _, err := (&Kernel{Config: fuzzConfig(f, c)}).Process(context.Background(), in, &recorder{c, &all}); err != nil {
			f.Fatal(err)
		}
		f.Add(all, c.fciBytes(), int64(8880))
	}
	f.Add([]byte{}, []byte{}, int64(0))
	base := newCard(f)
	cfg := fuzzConfig(f, base)
	f.Fuzz(func(t *testing.T, responses, fci []byte, amount int64) {
		if amount < 0 {
			amount = -(amount + 1)
		}
		in := usualInput(base, amount%1_000_000_000_000)
		in.FCI, in.Rand = fci, constRand{}
		card := &randomCard{data: responses}
		o, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card)
		if err != nil {
			t.Fatalf("error %v", err)
		}
		if card.commands > MaxCommands {
			t.Fatalf("%d commands", card.commands)
		}
		if o.Kind == emv.Approved {
			cid, _ := tlv.Find(o.DataRecord, tag.CID)
			if o.ODA != emv.ODALocal || len(cid) != 1 || cid[0]&0xC0 != byte(tc) {
				t.Fatalf("approved: %+v", o)
			}
		}
		if o.Kind == emv.NoOutcome || o.Kind == 0 || len(o.Discretionary) == 0 {
			t.Fatalf("no outcome")
		}
	})
}

// A bit flipped in any response of a genuine card that approves leads to no approval,
// unless it is in what the AFL says and the replay did not notice.
func TestEveryFlip(t *testing.T) {
	card := newCard(t)
	relay(100, 200, 24, way+150)(card)
	card.personalise()
	var responses [][]byte
	card.raw = func(_ byte, r []byte) []byte { responses = append(responses, bytes.Clone(r)); return r }
	cfg := usualConfig(t, card)
	withRelay(&cfg)
	askNobody(&cfg)
	kernel := &Kernel{Config: cfg}
	in := usualInput(card, 8880)
	in.Rand = constRand{}
	if o, err := kernel.Process(context.Background(), in, card); err != nil || o.Kind != emv.Approved {
		t.Fatal(o.Kind, o.Reason, err)
	}
	now := card.clock
	kernel.Clock = func() time.Duration { now += (way + 150) * relayUnit; return now }
	step := 1
	if testing.Short() {
		step = 7
	}
	for n, r := range responses {
		for i := 0; i < 8*(len(r)-2); i += step {
			flipped := bytes.Clone(r)
			flipped[i/8] ^= 1 << (i % 8)
			replay := &replayed{responses: append(append([][]byte{}, responses[:n]...), append([][]byte{flipped}, responses[n+1:]...)...)}
			o, err := kernel.Process(context.Background(), in, replay)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind == emv.Approved && (n != 0 || !aflOnly(r, flipped)) {
				t.Errorf("response %d bit %d: still approved", n, i)
			}
		}
	}
}

// aflOnly reports a change in an AFL entry's first record or file that the replay did not notice.
func aflOnly(before, now []byte) bool {
	i := bytes.Index(before, []byte{0x94})
	for at := range before {
		if before[at] != now[at] {
			return at > i
		}
	}
	return false
}

// middle is a man in the middle who has his own key pair on either side: he
// ends the channel of the terminal, opens one to the genuine card, and passes
// on what he likes. He has everything but the card's key.
type middle struct {
	card   *scripted
	toCard bdh.KernelKey
	inner  *bdh.Channel // to the genuine card
	outer  *bdh.Channel // to the terminal

	terminalKey []byte
}

func (m *middle) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	cmd, err := apdu.ParseCommand(command)
	if err != nil {
		return nil, err
	}
	switch cmd.INS {
	case apdu.InsGPO:
		if m.toCard, err = bdh.NewKernelKey(m.card.rand); err != nil {
			return nil, err
		}
		m.terminalKey = bytes.Clone(cmd.Data[10:74])
		public := m.toCard.Public()
		copy(command[15:], public[:])
		r, err := m.card.Transmit(ctx, command)
		if err != nil {
			return nil, err
		}
		genuine, _ := tlv.Find(r, tag.ResponseFormat2, tag.CardKeyData)
		if m.inner, _, err = m.toCard.Open(genuine); err != nil {
			return nil, err
		}
		data, outer, err := bdh.Respond(m.card.rand, keys().other, m.terminalKey)
		m.outer = outer
		return bytes.Replace(r, genuine, data[:], 1), err
	case apdu.InsReadRecord:
		r, err := m.card.Transmit(ctx, command)
		if err != nil || r[0] != 0xDA {
			return r, err
		}
		body, _ := tlv.Find(r[:len(r)-2], tag.EncryptedRecord)
		if err := m.inner.FromCard(body, body); err != nil {
			return nil, err
		}
		return r, m.outer.FromCard(body, body)
	}
	r, err := m.card.Transmit(ctx, command)
	if err != nil {
		return nil, err
	}
	// The terminal's IAD-MAC and EDA-MAC he can make: he knows the outer channel's keys.
	body, _ := tlv.Find(r[:len(r)-2], tag.ResponseFormat2)
	list, err := tlv.Parse(body)
	if err != nil {
		return nil, err
	}
	ac, _ := list.Find(tag.ApplicationCryptogram)
	eda, _ := list.Find(tag.EDAMAC)
	drop(&list, tag.EDAMAC)
	covered := append(tlv.List{}, list...)
	drop(&covered, tag.ApplicationCryptogram)
	pdol := bytes.Clone(m.card.pdol)
	hash := m.card.hash()
	copy(pdol[8:], m.terminalKey)
	mac := m.outer.EDAMAC(ac, m.outer.IADMAC(pdol, cmd.Data, encode(covered), hash[:]))
	return bytes.Replace(r, eda, mac[:], 1), nil
}

// A man in the middle reads and re-enciphers everything, and makes codes that the terminal
// takes; that the channel's key is not the card's gives him away.
func TestEndsOfTheChannel(t *testing.T) {
	for _, actionCodes := range []bool{true, false} {
		card := newCard(t)
		card.personalise()
		cfg := usualConfig(t, card)
		if !actionCodes {
			askNobody(&cfg)
		}
		o, err := (&Kernel{Config: cfg}).Process(context.Background(), usualInput(card, 8880), &middle{card: card})
		if err != nil {
			t.Fatal(err)
		}
		want := emv.OnlineRequest // with the card's TC: the issuer finds another IAD-MAC under its cryptogram
		if actionCodes {
			want = emv.Declined
		}
		if o.Kind != want || o.ODA != emv.ODAFailed {
			t.Errorf("action codes %v: %v, ODA %v: %s %+v", actionCodes, o.Kind, o.ODA, o.Reason, o.Error)
		}
	}
}

// Relay arithmetic: times only ever count against the card. A longer exchange never
// looks shorter, a longer claim about the way never helps beyond the reader's own.
func TestRelayMonotonic(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Relay{
			ExpectedCommand: uint16(rapid.IntRange(0, 500).Draw(r, "command")), ExpectedReply: uint16(rapid.IntRange(0, 500).Draw(r, "reply")),
		}
		a := relayAnswer{reply: rapid.Uint16().Draw(r, "claim")}
		took := rapid.Int64Range(0, 1<<32).Draw(r, "took")
		m := a.measure(&c, took)
		if later := a.measure(&c, took+rapid.Int64Range(0, 1<<20).Draw(r, "more")); later < m {
			r.Fatalf("longer is %d, shorter %d", later, m)
		}
		if floor := took - int64(c.ExpectedCommand) - int64(c.ExpectedReply); m < min(floor, 0xFFFF) {
			r.Fatalf("measured %d below what the reader itself takes off, %d", m, floor)
		}
		if m < 0 || m > 0xFFFF {
			r.Fatalf("measured %d", m)
		}
	})
}

// A card that does the channel's work right, but says whatever it likes under it: AIP, cryptogram
// type, decision about its holder, TVR, restart indicator, certificates or none.
func TestAnyCard(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		card := newCard(t)
		one := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(r, name) }
		card.aip = one("aip", "010A", "0108", "010C", "0102", "000A", "FFFF", "0000", "010B")
		if rapid.Bool().Draw(r, "clone") {
			clone(card)
		}
		card.cid = int(rapid.Byte().Draw(r, "cid"))
		decides(upper([]byte{rapid.SampledFrom([]byte{0, 1, 2, 3, 0x0F, 0xFF, 9}).Draw(r, "decision")}))(card)
		for g, n := range map[tlv.Tag]int{tag.CardTVR: 5, tag.RestartIndicator: 2, tag.IADMACOffset: 1} {
			if rapid.Bool().Draw(r, g.String()) {
				inAC(g, upper(rapid.SliceOfN(rapid.Byte(), n, n).Draw(r, "value")))(card)
			}
		}
		relays := []int64{way + 150, way + 900, way + 150}
		for i := range relays {
			relays[i] = rapid.Int64Range(0, 1000).Draw(r, "took")
		}
		aip := card.aip
		relay(100, 200, 24, relays...)(card)
		card.aip = aip
		card.personalise()
		cfg := usualConfig(t, card)
		withRelay(&cfg)
		if rapid.Bool().Draw(r, "no action codes") {
			askNobody(&cfg)
		}
		cfg.StrictCDCVM = rapid.Bool().Draw(r, "strict")
		in := usualInput(card, rapid.SampledFrom([]int64{0, 1, floorLimit, floorLimit + 1, cvmLimit, cvmLimit + 1, 1 << 40}).Draw(r, "amount"))
		in.Terminal.Type = rapid.SampledFrom([]byte{0x22, 0x21, 0x23, 0x26}).Draw(r, "terminal type")
		o, err := (&Kernel{Config: cfg}).Process(context.Background(), in, card)
		if err != nil {
			r.Fatal(err)
		}
		tvr, _ := tlv.Find(o.DataRecord, tag.TVR)
		needed := in.Transaction.Amount.Minor > cvmLimit
		switch {
		case o.Kind == emv.Approved && (card.cid&0xC0 != int(tc) || card.rcp != int(tc) || o.ODA != emv.ODALocal || unhex(card.aip)[1]&aip2Offline == 0):
			r.Fatalf("approved: %+v", o)
		case o.Kind == emv.OnlineRequest && (card.cid&0xC0 == 0 || card.cid&0xC0 == 0xC0 || in.Terminal.Type&0x0F == 3 || in.Terminal.Type&0x0F == 6):
			r.Fatalf("online: %+v", o)
		case o.CVM == emv.CVMConfirmed && cfg.StrictCDCVM && o.ODA != emv.ODALocal:
			r.Fatalf("CDCVM was believed without authentication: %+v", o)
		case needed && o.CVM == emv.CVMNone && o.DataRecord != nil:
			r.Fatalf("no CVM above the limit: %+v", o)
		case needed && o.CVM == emv.CVMNotGiven && tvr != nil && tvr[2]&tvr3CVMFailed == 0:
			r.Fatalf("no CVM above the limit, and the TVR does not say so: %X", tvr)
		}
		for i, b := range tvr {
			if (o.Kind == emv.Approved || o.Kind == emv.OnlineRequest) && b&cfg.TACDenial[i] != 0 {
				r.Fatalf("denied by action code, and still %v: TVR %X", o.Kind, tvr)
			}
		}
	})
}

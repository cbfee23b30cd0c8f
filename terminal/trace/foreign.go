package trace

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// Foreign is what is known of the kernel's configuration at a terminal that is
// not ours. Limits are minor units; nil: nothing was shown, no limit applies.
type Foreign struct {
	FloorLimit   *int64 `json:"floor_limit,omitempty"` // the largest amount that may be approved offline
	CVMLimit     *int64 `json:"cvm_limit,omitempty"`   // the smallest amount that needs the cardholder
	Limit        *int64 `json:"transaction_limit,omitempty"`
	TACDenial    Hex    `json:"tac_denial,omitempty"` // kernel 2; empty: what leads to the cryptogram that was asked for
	TACOnline    Hex    `json:"tac_online,omitempty"`
	TACDefault   Hex    `json:"tac_default,omitempty"`
	FDDA00       bool   `json:"fdda_v00,omitempty"`              // kernel 3 takes fDDA of version 00
	MagStripe    bool   `json:"mag_stripe,omitempty"`            // kernel 2: the exchange is of mag-stripe mode
	Relay        bool   `json:"relay,omitempty"`                 // kernel 2: it has the relay resistance protocol
	Data         Hex    `json:"data,omitempty"`                  // further terminal objects as they were sent, TLV
	Capabilities Hex    `json:"terminal_capabilities,omitempty"` // 9F33 as it was sent
	// ReadsAll says that the record of mag-stripe mode was read although the tap
	// is of EMV mode: that kernel 2 knows no mag-stripe mode.
	ReadsAll bool `json:"reads_all,omitempty"`
	// Made are TVR and CVM results as the recorded kernel made them. They are put
	// into a kernel's mouth where its own differ, so that its signature can be checked nevertheless.
	Made Hex `json:"made,omitempty"`
}

// Settings say about a foreign exchange what it does not show. All are optional,
// and what they say stands above what the exchange shows.
type Settings struct {
	Kernel     emv.KernelID `json:"kernel,omitempty"`
	Date       string       `json:"date,omitempty"` // YYMMDD
	UN         Hex          `json:"unpredictable_number,omitempty"`
	Amount     *int64       `json:"amount,omitempty"`   // minor units
	Currency   uint16       `json:"currency,omitempty"` // ISO 4217 numeric
	Type       *byte        `json:"type,omitempty"`     // 9C
	TTQ        Hex          `json:"ttq,omitempty"`      // 9F66
	Country    uint16       `json:"country,omitempty"`  // 9F1A
	Terminal   Hex          `json:"terminal_type,omitempty"`
	Abilities  Hex          `json:"capabilities,omitempty"`            // 9F33
	Additional Hex          `json:"additional_capabilities,omitempty"` // 9F40
	Foreign
}

// drawn are objects that the kernel makes itself; they are not put into its mouth.
var drawn = map[tlv.Tag]bool{tag.TVR: true, tag.CVMResults: true, tag.UN: true, 0x9F6A: true}

// derive fills a trace from an exchange: what the data of its commands say of transaction and terminal.
func (t *Trace) derive(list []apdu.Exchange, transaction []byte, s Settings) error {
	x := shown{values: map[tlv.Tag][]byte{}}
	for _, e := range list {
		x.look(e)
	}
	_ = tlv.Walk(transaction, func(_ int, o tlv.TLV) error { // what can't be read says nothing
		x.values[o.Tag] = o.Value
		return nil
	})
	if len(x.aids) == 0 {
		return fmt.Errorf("%w: no SELECT of an application is in the exchange, so nothing says which kernel it is for", ErrFormat)
	}
	f := s.Foreign
	t.Foreign = &f
	t.Foreign.MagStripe, t.Foreign.Relay = x.checksum != nil, len(x.entropy) > 0
	if err := t.deriveTransaction(&x, s); err != nil {
		return err
	}
	t.deriveTerminal(&x, s)
	t.deriveLimits(&x)
	t.Foreign.ReadsAll = x.readsFirst && x.checksum == nil
	t.Foreign.Capabilities = Hex(x.values[tag.TerminalCapabilities])
	if len(s.Abilities) == 3 {
		t.Foreign.Capabilities = s.Abilities
	}
	for _, g := range x.order {
		switch {
		case !drawn[g]:
			t.Foreign.Data = tlv.Append(t.Foreign.Data, g, x.values[g])
		case g == tag.TVR || g == tag.CVMResults:
			t.Foreign.Made = tlv.Append(t.Foreign.Made, g, x.values[g])
		}
	}
	ttq := Hex(x.values[tag.TTQ])
	if len(s.TTQ) > 0 {
		ttq = s.TTQ
	}
	for _, a := range x.aids {
		c := Combination{AID: a.aid, Kernel: a.kernel, TTQ: ttq, CVMLimit: t.Foreign.CVMLimit, FloorLimit: t.Foreign.FloorLimit, TransactionLimit: t.Foreign.Limit}
		if s.Kernel != 0 {
			c.Kernel = s.Kernel
		}
		if c.Kernel == 0 {
			return fmt.Errorf("%w: nothing says which kernel is for application %X: say it with --config", ErrFormat, a.aid)
		}
		t.Combinations = append(t.Combinations, c)
	}
	t.Random = x.random(s.UN)
	t.Steps = append(t.Steps, Step{Presence: presenceNames[1]})
	if !x.ppse { // the file begins behind the directory: a directory of what was selected stands in
		t.Steps = append(t.Steps, Step{Command: apdu.Select([]byte(ppse), false), Response: directory(x.aids)})
	}
	for _, e := range list {
		t.Steps = append(t.Steps, Step{Command: e.Command, Response: e.Response})
	}
	return nil
}

const ppse = "2PAY.SYS.DDF01"

// selected is an application that the terminal selected, with its kernel.
type selected struct {
	aid    []byte
	kernel emv.KernelID
}

// shown is what an exchange shows.
type shown struct {
	ppse     bool
	aids     []selected
	kernels  map[string]emv.KernelID // of the directory, by ADF name
	pdol     []byte
	cdol     []byte
	order    []tlv.Tag // of values, as they were sent
	values   map[tlv.Tag][]byte
	asked    int // P1 of GENERATE AC, -1 where none
	askedAC  bool
	entropy  [][]byte
	checksum []byte // 9F6A of COMPUTE CRYPTOGRAPHIC CHECKSUM
	bitmap   []byte // 9F66 and 9F67 of mag-stripe mode
	counter  []byte
	card69   []byte // 9F69

	readsFirst bool // file 1, record 1
}

// look takes one exchange in.
func (x *shown) look(e apdu.Exchange) {
	c, err := apdu.ParseCommand(e.Command)
	if err != nil {
		return
	}
	r, err := apdu.ParseResponse(e.Response)
	if err != nil {
		return
	}
	switch c.INS {
	case apdu.InsSelect:
		x.lookSelect(c.Data, r)
	case apdu.InsGPO:
		if values, ok := tlv.Find(c.Data, tag.CommandTemplate); ok {
			x.split(x.pdol, values)
		}
	case apdu.InsReadRecord:
		x.readsFirst = x.readsFirst || c.P1 == 1 && c.P2 == 1<<3|4
		for _, o := range []struct {
			tag tlv.Tag
			to  *[]byte
		}{{tag.CDOL1, &x.cdol}, {0x9F66, &x.bitmap}, {0x9F67, &x.counter}, {tag.CardAuthData, &x.card69}} {
			if v, ok := tlv.Find(r.Data, tag.RecordTemplate, o.tag); ok {
				*o.to = v
			}
		}
	case apdu.InsGenerateAC:
		if !x.askedAC {
			x.asked, x.askedAC = int(c.P1), true
			x.split(x.cdol, c.Data)
		}
	case apdu.InsExchangeRRD:
		x.entropy = append(x.entropy, c.Data)
	case apdu.InsChecksum:
		x.checksum = c.Data
	}
}

func (x *shown) lookSelect(name []byte, r apdu.Response) {
	if string(name) == ppse {
		x.ppse = true
		x.kernels = map[string]emv.KernelID{}
		list, _ := tlv.Find(r.Data, tag.FCITemplate, tag.FCIProprietary, tag.DirectoryDiscretionary)
		for d := tlv.NewReader(list); d.Next(); {
			adf, _ := tlv.Find(d.TLV().Value, tag.AID)
			id, ok := tlv.Find(d.TLV().Value, tag.KernelID)
			if ok && len(id) == 1 && id[0] > 0 && id[0] <= 8 {
				x.kernels[string(adf)] = emv.KernelID(id[0])
			}
		}
		return
	}
	if !r.OK() || len(name) < 5 || len(name) > 16 {
		return
	}
	for _, a := range x.aids {
		if bytes.Equal(a.aid, name) {
			return
		}
	}
	id := x.kernels[string(name)]
	if id == 0 {
		id = defaultKernel(name)
	}
	x.aids = append(x.aids, selected{name, id})
	x.pdol, _ = tlv.Find(r.Data, tag.FCITemplate, tag.FCIProprietary, tag.PDOL)
}

// split takes the data of a command apart by its list.
func (x *shown) split(list, data []byte) {
	entries, err := dol.Parse(list)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Length > len(data) {
			return
		}
		if _, there := x.values[e.Tag]; !there {
			x.order = append(x.order, e.Tag)
		}
		x.values[e.Tag], data = data[:e.Length], data[e.Length:]
	}
}

func (t *Trace) deriveTransaction(x *shown, s Settings) error {
	get := func(g tlv.Tag) int64 { return number(x.values[g]) }
	t.Transaction.Minor, t.Transaction.Other = get(tag.AmountAuthorised), get(tag.AmountOther)
	t.Transaction.Sequence = uint32(min(get(tag.SequenceCounter), 99_999_999))
	if s.Amount != nil {
		t.Transaction.Minor = *s.Amount
	}
	if c := get(tag.TransactionCurrency); c > 0 && c < 1000 {
		t.Transaction.Currency = uint16(c)
	}
	if s.Currency != 0 {
		t.Transaction.Currency = s.Currency
	}
	if v := x.values[tag.TransactionType]; len(v) == 1 {
		t.Transaction.Type = v[0]
	}
	if s.Type != nil {
		t.Transaction.Type = *s.Type
	}
	date := s.Date
	if v := x.values[tag.TransactionDate]; date == "" && len(v) == 3 {
		date = hex.EncodeToString(v)
	}
	if date == "" {
		return fmt.Errorf("%w: nothing says the day of the transaction, which certificates are held against: add \"date\" (YYMMDD)", ErrFormat)
	}
	clock := "000000"
	if v := x.values[tag.TransactionTime]; len(v) == 3 {
		clock = hex.EncodeToString(v)
	}
	at, err := time.Parse("060102150405", date+clock)
	if err != nil {
		return fmt.Errorf("%w: date %q: want YYMMDD", ErrFormat, date)
	}
	t.Transaction.Time = at
	if t.Transaction.Minor < 0 || t.Transaction.Minor > pay.MaxMinor || t.Transaction.Currency > 999 {
		return fmt.Errorf("%w: amount or currency is out of range", ErrFormat)
	}
	return nil
}

func (t *Trace) deriveTerminal(x *shown, s Settings) {
	term := &t.Terminal
	term.Country = uint16(number(x.values[tag.TerminalCountry]) % 1000)
	if s.Country != 0 {
		term.Country = s.Country
	}
	term.Type = 0x22
	for _, f := range []struct {
		tag tlv.Tag
		set Hex
		to  []byte
	}{
		{tag.TerminalCapabilities, s.Abilities, term.Capabilities[:]}, {tag.AdditionalCapabilities, s.Additional, term.AdditionalTerminal[:]},
	} {
		copy(f.to, x.values[f.tag])
		copy(f.to, f.set)
	}
	if x.askedAC && len(x.values[tag.TerminalCapabilities]) == 0 && len(s.Abilities) == 0 {
		// 9F33 was not sent. What stands in for it has every verification and the authentication that was asked for.
		term.Capabilities = [3]byte{0x20, 0x68, 0xC0}
		if x.asked&rcpCDA != 0 {
			term.Capabilities[2] |= capsCDA
		}
	}
	if v := x.values[tag.TerminalType]; len(v) == 1 {
		term.Type = v[0]
	}
	if len(s.Terminal) == 1 {
		term.Type = s.Terminal[0]
	}
	if v := x.values[tag.POSEntryMode]; len(v) == 1 {
		term.EntryMode = v[0]
	}
	term.IFDSerial, term.MerchantID = string(x.values[tag.IFDSerial]), string(x.values[tag.MerchantID])
	term.TerminalID, term.MerchantName = string(x.values[tag.TerminalID]), string(x.values[tag.MerchantName])
	term.MerchantCategory = uint16(number(x.values[tag.MerchantCategory]) % 10_000)
}

// Bits of what was sent that show a limit.
const (
	ttq2Online    = 0x80 // 9F66 byte 2
	ttq2CVM       = 0x40
	ttq4FDDA01    = 0x80 // 9F66 byte 4
	enhanced3CVM  = 0x40 // 9F6E byte 3 that a terminal sends, kernel 4
	profile1CVM   = 0x80 // 9F53 byte 1, kernel 5
	tvr3OnlinePIN = 0x04 // 95 byte 3: online PIN entered
	tvr4Floor     = 0x80 // 95 byte 4
	rcpType       = 0xC0 // P1 of GENERATE AC
	rcpTC         = 0x40
	rcpCDA        = 0x10
	capsCDA       = 0x08 // 9F33 byte 3
	rcpARQC       = 0x80
	cvmMethod     = 0x3F // 9F34 byte 1
	cvmNonePerf   = 0x1F
	cvmNotDone    = 0x3F
	maxTACLength  = 5
	maxUNDigits   = 8
	randomReserve = 64
)

// deriveLimits finds limits under which a kernel does what the recorded one did.
func (t *Trace) deriveLimits(x *shown) {
	f, amount := t.Foreign, t.Transaction.Minor
	at := func(to **int64, limit int64) {
		if *to == nil {
			*to = &limit
		}
	}
	if v := x.values[tag.TTQ]; len(v) == 4 {
		if v[1]&ttq2CVM != 0 {
			at(&f.CVMLimit, amount)
		}
		if v[1]&ttq2Online != 0 && amount > 0 {
			at(&f.FloorLimit, amount-1)
		}
		// Version 01 brings its own data (9F69); a reader that does not ask for it takes version 00.
		f.FDDA00 = f.FDDA00 || (v[3]&ttq4FDDA01 == 0 && x.card69 == nil)
	}
	if v := x.values[tag.CVMResults]; len(v) == 3 && v[0]&cvmMethod != cvmNonePerf && v[0]&cvmMethod != cvmNotDone {
		at(&f.CVMLimit, amount)
	}
	if v := x.values[tag.EnhancedCapabilities]; len(v) == 4 && v[2]&enhanced3CVM != 0 { // kernel 4
		at(&f.CVMLimit, amount)
	}
	if v := x.values[tag.Interchange]; len(v) == 3 && v[0]&profile1CVM != 0 { // kernel 5
		at(&f.CVMLimit, amount)
	}
	if v := x.values[tag.TVR]; len(v) == 5 && v[2]&tvr3OnlinePIN != 0 {
		at(&f.CVMLimit, amount)
	}
	if v := x.values[tag.TVR]; len(v) == 5 && v[3]&tvr4Floor != 0 && amount > 0 {
		at(&f.FloorLimit, amount-1)
	}
	if !x.askedAC || len(f.TACDenial)+len(f.TACOnline)+len(f.TACDefault) > 0 {
		return
	}
	none, all := make(Hex, maxTACLength), Hex(bytes.Repeat([]byte{0xFF}, maxTACLength))
	switch x.asked & rcpType {
	case rcpTC:
		f.TACDenial, f.TACOnline, f.TACDefault = none, none, none
	case rcpARQC:
		f.TACDenial, f.TACOnline, f.TACDefault = none, all, all
	default:
		f.TACDenial, f.TACOnline, f.TACDefault = all, all, all
	}
}

// random are the bytes that a kernel draws, in its order: the unpredictable
// number, one more for each exchange of relay resistance, and the numeric
// one of mag-stripe mode.
func (x *shown) random(un Hex) Hex {
	first := []byte(un)
	if len(first) == 0 {
		first = x.values[tag.UN]
	}
	out := append(make(Hex, 0, randomReserve), first...)
	for len(out) < 4 {
		out = append(out, 0)
	}
	for _, e := range x.entropy {
		out = append(out, e...)
	}
	if x.checksum != nil {
		digits := 0
		for _, b := range x.bitmap {
			for ; b != 0; b &= b - 1 {
				digits++
			}
		}
		if len(x.counter) == 1 {
			digits -= int(x.counter[0])
		}
		digits = min(max(digits, 0), maxUNDigits)
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
		v := new(big.Int).Mod(big.NewInt(number(x.checksum)), limit)
		width := (new(big.Int).Sub(limit, big.NewInt(1)).BitLen() + 7) / 8
		out = append(out, v.FillBytes(make([]byte, width))...)
	}
	return append(out, make([]byte, randomReserve)...)
}

// directory is a PPSE with the applications that were selected, in their order.
func directory(list []selected) []byte {
	var entries []byte
	for i, a := range list {
		entry := tlv.Append(nil, tag.AID, a.aid)
		entry = tlv.Append(entry, tag.ApplicationPriority, []byte{byte(min(i+1, 15))})
		entries = tlv.Append(entries, tag.ApplicationTemplate, entry)
	}
	fci := tlv.Append(nil, tag.DFName, []byte(ppse))
	fci = tlv.Append(fci, tag.FCIProprietary, tlv.Append(nil, tag.DirectoryDiscretionary, entries))
	return append(tlv.Append(nil, tag.FCITemplate, fci), 0x90, 0x00)
}

// number reads BCD; what is not BCD is 0.
func number(bcd []byte) int64 {
	var n int64
	for _, d := range hex.EncodeToString(bcd) {
		if d > '9' || n > pay.MaxMinor {
			return 0
		}
		n = n*10 + int64(d-'0')
	}
	return n
}

// defaultKernel is the kernel of a RID where the directory names none (Book B, 3.3.2.5).
func defaultKernel(aid []byte) emv.KernelID {
	if len(aid) < 5 {
		return 0
	}
	return map[[5]byte]emv.KernelID{
		{0xA0, 0, 0, 0, 0x04}: 2, {0xA0, 0, 0, 0, 0x03}: 3, {0xA0, 0, 0, 0, 0x25}: 4, {0xA0, 0, 0, 0, 0x65}: 5,
		{0xA0, 0, 0, 0x01, 0x52}: 6, {0xA0, 0, 0, 0x03, 0x24}: 6, {0xA0, 0, 0, 0x03, 0x33}: 7,
	}[[5]byte(aid)]
}

// MissingKey names the CA key that the card asks for and the trace does not hold, "" where none is missing.
func (t Trace) MissingKey() string {
	for _, s := range t.Steps {
		r, err := apdu.ParseResponse(s.Response)
		if err != nil {
			continue
		}
		index, ok := tlv.Find(r.Data, tag.RecordTemplate, tag.CAIndex)
		if !ok {
			index, ok = tlv.Find(r.Data, tag.ResponseFormat2, tag.CAIndex)
		}
		if !ok || len(index) != 1 || len(t.Combinations) == 0 || len(t.Combinations[0].AID) < 5 {
			continue
		}
		rid := t.Combinations[len(t.Combinations)-1].AID[:5]
		for _, k := range t.CAKeys {
			if bytes.Equal(k.RID, rid) && bytes.Equal(k.Index, index) {
				return ""
			}
		}
		return fmt.Sprintf("%X index %02X", rid, index[0])
	}
	return ""
}

// AddCAKeys puts further CA keys beside those of the file; a key that is there already is replaced.
func (t *Trace) AddCAKeys(keys []CAKey) error {
	for _, k := range keys {
		if _, err := k.oda(); err != nil {
			return err
		}
		kept := t.CAKeys[:0:0]
		for _, old := range t.CAKeys {
			if !bytes.Equal(old.RID, k.RID) || !bytes.Equal(old.Index, k.Index) || (len(old.X) > 0) != (len(k.X) > 0) {
				kept = append(kept, old)
			}
		}
		t.CAKeys = append(kept, k)
	}
	return nil
}

// ParseCAKeys reads CA keys as JSON: one object, a list, or an object with
// "ca_keys", "ca_public_keys" or "ca_public_key". Errors: ErrFormat.
func ParseCAKeys(b []byte) ([]CAKey, error) {
	var list []CAKey
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return list, nil
	}
	var o struct {
		CAKey
		Keys   []CAKey `json:"ca_keys"`
		Public []CAKey `json:"ca_public_keys"`
		One    *CAKey  `json:"ca_public_key"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	list = append(o.Keys, o.Public...)
	if o.One != nil {
		list = append(list, *o.One)
	}
	if len(o.Modulus)+len(o.X) > 0 {
		list = append(list, o.CAKey)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no key is in it: want rid, index, modulus and exponent in hex", ErrFormat)
	}
	return list, nil
}

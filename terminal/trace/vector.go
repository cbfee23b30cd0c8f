package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"huika/emv"
	"huika/emv/apdu"
	"huika/emv/dol"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// vector is an exchange in the form of public test vectors: commands and
// responses in hex, with the terminal's data and the CA key beside them.
type vector struct {
	Name        string `json:"name"`
	What        string `json:"what"`
	UN          Hex    `json:"unpredictable_number"`
	Date        string `json:"date"`        // YYMMDD
	Transaction Hex    `json:"transaction"` // TLV: 9F02, 5F2A, 9C
	Exchanges   []struct {
		Command  Hex `json:"command"`
		Response Hex `json:"response"`
	} `json:"exchanges"`
	CAKey *CAKey `json:"ca_public_key"`
}

// parseVector makes a trace of a vector. What a vector does not say about the
// terminal (TTQ, country) is read from the data of its GET PROCESSING OPTIONS
// against the card's PDOL. It has no recorded outcome.
func parseVector(b []byte) (Trace, error) {
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		return Trace{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t := Trace{Version: Version, Name: v.Name, Random: v.UN, Transaction: Transaction{Currency: uint16(pay.CNY)}}
	day, err := time.Parse("060102", v.Date)
	if err != nil {
		return Trace{}, fmt.Errorf("%w: date %q: want YYMMDD", ErrFormat, v.Date)
	}
	t.Transaction.Time = day
	if v.CAKey != nil {
		t.CAKeys = []CAKey{*v.CAKey}
	}
	t.Steps = append(t.Steps, Step{Presence: presenceNames[1]})
	gpo := map[tlv.Tag][]byte{}
	var aid, pdol []byte
	for _, e := range v.Exchanges {
		t.Steps = append(t.Steps, Step{Command: e.Command, Response: e.Response})
		c, err := apdu.ParseCommand(e.Command)
		if err != nil {
			continue // a replay will name it
		}
		r, err := apdu.ParseResponse(e.Response)
		if err != nil {
			continue
		}
		switch c.INS {
		case apdu.InsSelect:
			if list, ok := tlv.Find(r.Data, tag.FCITemplate, tag.FCIProprietary, tag.PDOL); ok {
				aid, pdol = c.Data, list
			}
		case apdu.InsGPO:
			splitPDOL(gpo, pdol, c.Data)
		}
	}
	vectorData(&t, v.Transaction, gpo)
	if len(aid) > 0 {
		t.Combinations = []Combination{{AID: aid, Kernel: defaultKernel(aid), TTQ: gpo[tag.TTQ]}}
	}
	return t, t.check()
}

// splitPDOL takes the data of a GET PROCESSING OPTIONS apart.
func splitPDOL(into map[tlv.Tag][]byte, pdol, data []byte) {
	values, ok := tlv.Find(data, tag.CommandTemplate)
	if !ok {
		return
	}
	entries, err := dol.Parse(pdol)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Length > len(values) {
			return
		}
		into[e.Tag], values = values[:e.Length], values[e.Length:]
	}
}

func vectorData(t *Trace, transaction []byte, gpo map[tlv.Tag][]byte) {
	get := func(x tlv.Tag) []byte {
		if v, ok := tlv.Find(transaction, x); ok {
			return v
		}
		return gpo[x]
	}
	t.Transaction.Minor = number(get(tag.AmountAuthorised))
	t.Transaction.Other = number(get(tag.AmountOther))
	if c := number(get(tag.TransactionCurrency)); c > 0 && c < 1000 {
		t.Transaction.Currency = uint16(c)
	}
	if v := get(tag.TransactionType); len(v) == 1 {
		t.Transaction.Type = v[0]
	}
	if c := number(get(tag.TerminalCountry)); c < 1000 {
		t.Terminal.Country = uint16(c)
	}
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

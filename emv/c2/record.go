package c2

import (
	"huika/emv/tag"
	"huika/emv/tlv"
)

// The data objects of the data record (Book C-2, table 4.7). Each has one source,
// so that a card can't put its own amount into the record. 9F41 and the AID
// under which the application was selected are added for the host (ours).
var (
	emvCardTags = [...]tlv.Tag{
		tag.ApplicationCryptogram, tag.CID, tag.IAD, tag.ATC, tag.AIP, tag.AUC, tag.PAN, tag.PSN, tag.ExpirationDate,
		tag.ApplicationLabel, tag.PreferredName, tag.IssuerCodeTable, tag.PAR, tagTokenRequestor, tagThirdParty, tag.DFName,
	}
	emvTerminalTags = [...]tlv.Tag{
		tag.AmountAuthorised, tag.AmountOther, tag.TerminalVersion, tag.CVMResults, tag.IFDSerial, tag.TerminalCapabilities,
		tag.TerminalCountry, tag.TerminalType, tag.TVR, tagCategory, tag.TransactionCurrency, tag.TransactionDate,
		tag.TransactionType, tag.UN, tag.SequenceCounter,
	}
	magCardTags = [...]tlv.Tag{
		tag.ApplicationLabel, tag.PreferredName, tag.IssuerCodeTable, tag.DFName, tag.Track1, tagTrack2Data, tag.PAR, tagThirdParty,
	}
	magTerminalTags = [...]tlv.Tag{tagMagVersion}
)

// emvRecord is the data record of EMV mode.
func (t *tap) emvRecord() []byte {
	b := t.appendCard(make([]byte, 0, recordSize), emvCardTags[:])
	if v, ok := t.made.get(tag.Track2); ok { // with the relay resistance data in it, S910.39
		b = tlv.Append(b, tag.Track2, v)
	} else {
		b = t.appendCard(b, []tlv.Tag{tag.Track2})
	}
	return t.appendTerminal(b, emvTerminalTags[:])
}

// magRecord is the data record of mag-stripe mode: track data with CVC3, ATC and UN filled in.
func (t *tap) magRecord() []byte {
	return t.appendTerminal(t.appendCard(make([]byte, 0, recordSize), magCardTags[:]), magTerminalTags[:])
}

func (t *tap) appendCard(b []byte, tags []tlv.Tag) []byte {
	for _, g := range tags {
		if v, ok := t.card.get(g); ok {
			b = tlv.Append(b, g, v)
		}
	}
	return b
}

func (t *tap) appendTerminal(b []byte, tags []tlv.Tag) []byte {
	for _, g := range tags {
		v, ok := t.given.get(g)
		if !ok || len(v) == 0 {
			v, ok = t.term.get(g)
		}
		if ok {
			b = tlv.Append(b, g, v)
		}
	}
	return b
}

// The data objects of the discretionary data (tables 4.9 and 4.10).
var (
	emvDiscretionaryCard = [...]tlv.Tag{tagCapabilities, tag.ApplicationCurrency, tagThirdParty, tagPCII}
	emvDiscretionaryMade = [...]tlv.Tag{
		tagSummary3, tagSummaryStatus, tagPutBefore, tagPutAfter, tagRelayCounter, tagRelayDevice, tagRelayMin, tagRelayMax,
		tagRelayReply, tagRelayMeasured, tagBalanceAfter,
	}
	magDiscretionaryCard = [...]tlv.Tag{tagCapabilities, tagThirdParty, tagPCII}
)

func (t *tap) discretionary() []byte {
	b := make([]byte, 0, 64)
	if t.magStripe {
		b = t.appendCard(b, magDiscretionaryCard[:])
		for _, g := range [...]tlv.Tag{tagDDTrack1, tagDDTrack2} {
			if v, ok := t.made.get(g); ok {
				b = tlv.Append(b, g, v)
			}
		}
		return tlv.Append(b, tagError, t.errors.bytes())
	}
	b = t.appendCard(b, emvDiscretionaryCard[:])
	if v, ok := t.given.get(tagBalanceBefore); ok && len(v) > 0 {
		b = tlv.Append(b, tagBalanceBefore, v)
	}
	for _, g := range emvDiscretionaryMade {
		if v, ok := t.made.get(g); ok {
			b = tlv.Append(b, g, v)
		}
	}
	b = tlv.Append(b, tagError, t.errors.bytes())
	if t.torn != nil {
		b = tlv.Append(b, tagTornRecord, t.torn)
	}
	return b
}

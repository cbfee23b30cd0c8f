package perso

import (
	"fmt"
	"io"

	"huika/card"
	"huika/emv/cryptogram"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

// mastercardDoc is what only cards of kernel 2 have.
type mastercardDoc struct {
	Counters int       `yaml:"counters"` // bytes of counters in 9F10: 0, 8 or 16
	Relay    *relayDoc `yaml:"relay"`    // none: the card knows no relay resistance
}

// relayDoc is what a card says about its times, in units of 0.1 ms.
type relayDoc struct {
	Min   uint16 `yaml:"min"`
	Max   uint16 `yaml:"max"`
	Reply uint16 `yaml:"reply"` // the estimated way of its answer
}

const kernel2 = 0x02

// mchipVersions are the cryptogram versions in decimal, as Mastercard writes them.
var mchipVersions = map[string]cryptogram.MChip{
	"16": cryptogram.MChip16, "17": cryptogram.MChip17, "20": cryptogram.MChip20, "21": cryptogram.MChip21,
}

func checkMastercard(d *document) (field, why string) {
	switch _, why := cryptogramOf(d, mchipVersions); {
	case why != "":
		return "cryptogram", why
	case d.Mastercard == nil:
		return "mastercard", "is missing: counters and relay stand in it"
	case d.Mastercard.Counters != 0 && d.Mastercard.Counters != 8 && d.Mastercard.Counters != 16:
		return "mastercard.counters", "want 0, 8 or 16"
	case d.Mastercard.Relay != nil && d.Mastercard.Relay.Min > d.Mastercard.Relay.Max:
		return "mastercard.relay", "min is above max"
	case d.Application.FormFactor != nil && (len(d.Application.FormFactor) < 5 || len(d.Application.FormFactor) > 32):
		return "application.form_factor", "want 5 to 32 bytes: country, identifier, device type"
	}
	return "", ""
}

func makeMastercard(i *Issuer, p Profile, state card.State, rand io.Reader) (Contactless, error) {
	data, err := i.mastercard(p)
	if err != nil {
		return nil, err
	}
	return card.NewMChip(data, state, rand)
}

// MastercardData is what a Mastercard card is personalised with, for tests that misbehave.
func (i *Issuer) MastercardData(name string) (card.MChipData, error) {
	p, ok := ProfileByName(name)
	if !ok || p.Scheme != Mastercard {
		return card.MChipData{}, fmt.Errorf("no Mastercard card is named %q", name)
	}
	return i.mastercard(p)
}

// mastercard makes a card's data and certificates.
func (i *Issuer) mastercard(p Profile) (card.MChipData, error) {
	d, b, keys := p.owner, p.own.Behaviour, i.MasterKeys(Mastercard)
	version := mchipVersions[d.Cryptogram]
	device := d.Form != FormCard
	pan, err := d.pan()
	if err != nil {
		return card.MChipData{}, err
	}
	udk, err := version.CardKey(keys.Cryptogram, pan, string(d.Account.Sequence), cryptogram.OptionA)
	if err != nil {
		return card.MChipData{}, err
	}
	if p.own.does(wrongCardKey) {
		udk = otherKey(udk)
	}
	cvc3, err := version.CardKey(keys.CVC3, pan, string(d.Account.Sequence), cryptogram.OptionA)
	if err != nil {
		return card.MChipData{}, err
	}
	m := card.MChipData{
		AID: d.Application.AID, Label: d.Application.Label, PreferredName: d.Application.PreferredName, Language: "zhen", Priority: 1,
		KernelID: d.kernelID(kernel2), AIP: [2]byte{mcAIP1, mcAIP2}, CDOL1: mcCDOL1, DRDOL: mcDRDOL, Key: i.icc[p.chipKey()], UDK: udk,
		Version: version, KeyIndex: 1, Counters: d.Mastercard.Counters, CVC3Key: cvc3, Track1: true,
		Policy: card.MChipPolicy{Device: device, Verified: b.CDCVM, OfflineLimit: int64(b.OfflineLimit)},
	}
	if r := d.Mastercard.Relay; r != nil {
		m.Relay = &card.RelayTiming{Min: r.Min, Max: r.Max, Reply: r.Reply}
	} else {
		m.AIP[1] &^= mcAIP2Relay
	}
	if device {
		m.AIP[0] |= mcAIP1OnDevice
	}
	if b.NoODA {
		m.AIP[0] &^= mcAIP1CDA
	}
	track1, track2 := mcTrack1(pan, i.expiry(d).Format("0601")), track2of201(pan, i.expiry(d))
	if m.IV1, err = cryptogram.IVCVC3(cvc3, track1); err != nil {
		return card.MChipData{}, err
	}
	if m.IV2, err = cryptogram.IVCVC3(cvc3, track2); err != nil {
		return card.MChipData{}, err
	}
	record := i.mcRecord(d, pan)
	static, err := oda.StaticData(record, aipList, m.AIP[:])
	if err != nil {
		return card.MChipData{}, err
	}
	issuer, icc, err := i.certificates(p, pan, static)
	if err != nil {
		return card.MChipData{}, err
	}
	m.Records = []card.Record{
		{SFI: sfiMCMag, Number: 1, Body: mcMagRecord(track1, track2)},
		{SFI: sfiMCData, Number: 1, Signed: true, Body: alter(p, record)},
		{SFI: sfiMCIssuer, Number: 1, Body: issuer}, {SFI: sfiMCCard, Number: 1, Body: icc},
	}
	return m, nil
}

// mcRecord is the signed record: number, dates, usage, action codes, CDOL1 and CVM list.
func (i *Issuer) mcRecord(d *document, pan pay.PAN) []byte {
	end, cvm := i.expiry(d), mcCardCVM
	if d.Form != FormCard {
		cvm = mcDeviceCVM
	}
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.Track2, Value: track2of201(pan, end)}, {Tag: tag.ExpirationDate, Value: packDigits(end.Format("060102"))},
		{Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))}, {Tag: tag.PSN, Value: []byte{d.psn()}},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationVersion, Value: mcVersion},
		{Tag: tag.ApplicationCurrency, Value: china}, {Tag: tag.CDOL1, Value: mcCDOL1}, {Tag: 0x9F51, Value: mcDRDOL}, {Tag: tag.CVMList, Value: cvm},
		{Tag: tag.IACDefault, Value: mcIACOnline}, {Tag: tag.IACDenial, Value: mcIACDenial}, {Tag: tag.IACOnline, Value: mcIACOnline},
		{Tag: tag.SDATagList, Value: aipList},
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	if d.Application.FormFactor != nil { // third party data: country, identifier with its first bit clear, device type
		b = tlv.Append(b, tag.FormFactor, d.Application.FormFactor)
	}
	if d.Application.PAR != "" {
		b = tlv.Append(b, tag.PAR, []byte(d.Application.PAR))
	}
	return b
}

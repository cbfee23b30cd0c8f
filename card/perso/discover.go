package perso

import (
	"io"

	"huika/card"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

const kernel6 = 0x06

var (
	discoverAIP     = [2]byte{0x01, 0x00} // CDA
	discoverVersion = []byte{0x00, 0x01}  // 9F08
)

func makeDiscover(i *Issuer, p Profile, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.discover(p)
	if err != nil {
		return nil, err
	}
	return card.NewDiscover(data, state)
}

// DiscoverData is what a Discover card is personalised with, for tests that misbehave.
func (i *Issuer) DiscoverData(name string) (card.DiscoverData, error) {
	p, err := chipProfile(Discover, name)
	if err != nil {
		return card.DiscoverData{}, err
	}
	return i.discover(p)
}

// discover makes a card's data. It gives its cryptogram in the answer of GET
// PROCESSING OPTIONS; what a reader must know without records stands there too.
// A clone of a card that goes online shows at the issuer only: D-PAS signs
// nothing but what it approves offline.
func (i *Issuer) discover(p Profile) (card.DiscoverData, error) {
	d, b := p.owner, p.own.Behaviour
	pan, err := d.pan()
	if err != nil {
		return card.DiscoverData{}, err
	}
	online := tlv.Append(nil, tag.AUC, allUsage)
	online = tlv.Append(online, tag.EffectiveDate, packDigits(i.effective.Format("060102")))
	online = tlv.Append(online, tag.ApplicationVersion, discoverVersion)
	online = tlv.Append(online, tag.IssuerCountry, china)
	chip, err := i.chip(p, kernel6, discoverAIP, card.PDOL, i.discoverRecord(d, pan))
	if err != nil {
		return card.DiscoverData{}, err
	}
	return card.DiscoverData{
		ChipData: chip, Track2: track2of201(pan, i.expiry(d)), PSN: d.psn(), Country: [2]byte(china), Online: appendPAR(online, d),
		Policy: card.DiscoverPolicy{
			CDCVM: b.CDCVM, Locked: b.Locked, Signature: b.Signature, OfflineLimit: int64(b.OfflineLimit), OfflineCurrency: [2]byte(china),
		},
	}, nil
}

// discoverRecord is the signed record. 57 and 5F34 stand in the answer and nowhere else: no object may come twice.
func (i *Issuer) discoverRecord(d *document, pan pay.PAN) []byte {
	b := tlv.Append(nil, tag.PAN, packDigits(pan.Reveal()))
	for _, o := range []tlv.TLV{
		{Tag: tag.ExpirationDate, Value: packDigits(i.expiry(d).Format("060102"))}, {Tag: tag.EffectiveDate, Value: packDigits(i.effective.Format("060102"))},
		{Tag: tag.IssuerCountry, Value: china}, {Tag: tag.AUC, Value: allUsage}, {Tag: tag.ApplicationVersion, Value: discoverVersion},
		{Tag: tag.SDATagList, Value: aipList},
	} {
		b = tlv.Append(b, o.Tag, o.Value)
	}
	return appendPAR(b, d)
}

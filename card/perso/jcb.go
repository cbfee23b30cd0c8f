package perso

import (
	"io"

	"huika/card"
	"huika/emv/tag"
	"huika/emv/tlv"
)

const kernel5 = 0x05

var (
	jcbPDOL  = []byte{0x9F, 0x52, 1}                                    // a card that knows EMV mode asks for it
	jcbAIP   = [2]byte{0x01, 0x80}                                      // CDA; EMV mode
	jcbCDOL1 = append(append([]byte(nil), chipCDOL1...), 0x9F, 0x53, 3) // with the terminal interchange profile
	jcbCDOL2 = append([]byte{0x8A, 2, 0x91, 8}, chipCDOL1...)
)

func makeJCB(i *Issuer, p Profile, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.jcb(p)
	if err != nil {
		return nil, err
	}
	return card.NewJCB(data, state)
}

// JCBData is what a JCB card is personalised with, for tests that misbehave.
func (i *Issuer) JCBData(name string) (card.JCBData, error) {
	p, err := chipProfile(JCB, name)
	if err != nil {
		return card.JCBData{}, err
	}
	return i.jcb(p)
}

// jcb makes a card's data.
func (i *Issuer) jcb(p Profile) (card.JCBData, error) {
	d, b := p.owner, p.own.Behaviour
	pan, err := d.pan()
	if err != nil {
		return card.JCBData{}, err
	}
	record := i.chipRecord(d, pan, tlv.List{{Tag: tag.CDOL1, Value: jcbCDOL1}, {Tag: tag.CDOL2, Value: jcbCDOL2}})
	chip, err := i.chip(p, kernel5, jcbAIP, jcbPDOL, record)
	if err != nil {
		return card.JCBData{}, err
	}
	return card.JCBData{
		ChipData: chip, CDOL1: jcbCDOL1, CDOL2: jcbCDOL2,
		Policy: card.JCBPolicy{
			Device: d.device(), Verified: b.CDCVM, Signature: b.Signature, Update: b.IssuerUpdate, OfflineLimit: int64(b.OfflineLimit),
		},
	}, nil
}

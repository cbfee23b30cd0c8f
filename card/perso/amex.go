package perso

import (
	"io"

	"huika/card"
	"huika/emv/tag"
	"huika/emv/tlv"
)

const kernel4 = 0x04

var (
	amexVersion = []byte{0x00, 0x01}                   // 9F08
	amexPDOL    = []byte{0x9F, 0x35, 1}                // as a recorded card asks
	amexMobile  = []byte{0x9F, 0x6E, 4, 0x9F, 0x02, 6} // a device asks what the terminal wants of its holder
	amexAIP     = [2]byte{0x11, 0x80}                  // CVM list, CDA; EMV mode
	amexAIPTwo  = [2]byte{0x11, 0xC0}                  // and Expresspay Mobile
	// CVM lists: online PIN, signature, none; a device's own comes first.
	amexCardCVM   = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x1E, 0x03, 0x1F, 0x03}
	amexDeviceCVM = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x03, 0x42, 0x03, 0x1F, 0x03}
	// Card interface and payment capabilities, 9F70: contact chip and contactless; contactless and mobile. Limit set 0.
	amexCardInterface   = []byte{0x30, 0x00}
	amexDeviceInterface = []byte{0x18, 0x00}
)

func makeAmex(i *Issuer, p Profile, state card.State, _ io.Reader) (Contactless, error) {
	data, err := i.amex(p)
	if err != nil {
		return nil, err
	}
	return card.NewAmex(data, state)
}

// AmexData is what an American Express card is personalised with, for tests that misbehave.
func (i *Issuer) AmexData(name string) (card.AmexData, error) {
	p, err := chipProfile(Amex, name)
	if err != nil {
		return card.AmexData{}, err
	}
	return i.amex(p)
}

// amex makes a card's data.
func (i *Issuer) amex(p Profile) (card.AmexData, error) {
	d, b := p.owner, p.own.Behaviour
	pan, err := d.pan()
	if err != nil {
		return card.AmexData{}, err
	}
	aip, pdol, cvm, face := amexAIP, amexPDOL, amexCardCVM, amexCardInterface
	if d.device() {
		aip, pdol, cvm, face = amexAIPTwo, amexMobile, amexDeviceCVM, amexDeviceInterface
	}
	record := i.chipRecord(d, pan, tlv.List{
		{Tag: tag.ApplicationVersion, Value: amexVersion}, {Tag: tag.ApplicationCurrency, Value: china}, {Tag: tag.CVMList, Value: cvm},
		{Tag: tag.CDOL1, Value: chipCDOL1}, {Tag: tag.CardInterface, Value: face},
	})
	chip, err := i.chip(p, kernel4, aip, pdol, record)
	if err != nil {
		return card.AmexData{}, err
	}
	return card.AmexData{
		ChipData: chip, CDOL1: chipCDOL1,
		Policy: card.AmexPolicy{Device: d.device(), Verified: b.CDCVM, OfflineLimit: int64(b.OfflineLimit)},
	}, nil
}

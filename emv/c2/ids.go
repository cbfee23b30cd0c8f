package c2

import (
	"crypto/aes"
	"crypto/des"
	"errors"

	"huika/emv/dol"
	"huika/emv/tlv"
)

// Bits of the data storage objects (Annex A).
const (
	idsStatusRead    = 0x80 // DF8128
	idsStatusWrite   = 0x40
	summaryRead      = 0x80 // DF810B: successful read
	summaryWrite     = 0x40 // successful write
	infoUsableTC     = 0x80 // DF810A
	infoUsableARQC   = 0x40
	infoUsableAAC    = 0x20
	infoStopNoTerm   = 0x04 // stop if no DS ODS term
	infoStopNoWrite  = 0x02 // stop if write failed
	slotPermanent    = 0x80 // 9F6F
	slotLockedBit    = 0x10
	odsVolatile      = 0x40 // DF62
	storageVersion1  = 1
	storageVersion2  = 2
	operatorIDLength = 8
)

// startStorage decides whether the tap reads integrated data storage (S1.16 to S1.20).
func (t *tap) startStorage() {
	if _, there := t.given.get(tagOperatorID); !there || len(t.given.value(tagDSVNTerm)) == 0 {
		return
	}
	t.idsOn = true
	for _, g := range [...]tlv.Tag{tagDSID, tagCapabilities} {
		t.toSend = tlv.Append(t.toSend, g, t.card.value(g))
	}
	v := t.storageVersion()
	t.idsRead = (v == storageVersion1 || v == storageVersion2) && len(t.card.value(tagDSID)) > 0
}

// storageVersion is the data storage version of 9F5D, 0 where there is none.
func (t *tap) storageVersion() byte {
	v := t.card.value(tagCapabilities)
	if len(v) != 3 {
		return 0
	}
	return v[0] & capVersionMask
}

// readStorage is S3R1.10 to S3R1.13: what of the storage came in the GPO response.
func (t *tap) readStorage() {
	if !t.idsRead {
		return
	}
	for _, g := range [...]tlv.Tag{tagSlots, tagSummary1, tagDSUN, tagSlotManagement, tagODSCard} {
		if v := t.card.value(g); len(v) > 0 {
			t.toSend = tlv.Append(t.toSend, g, v)
		}
	}
	t.toSend = tlv.Append(t.toSend, 0x9F37, t.term.un[:])
	_, stored := t.card.get(tagODSCard)
	empty := len(t.card.value(tagSlots)) > 0 && len(t.card.value(tagDSUN)) > 0 && !stored
	t.idsRead = len(t.card.value(tagSummary1)) > 0 && (empty || stored)
}

func (t *tap) slotLocked() bool {
	v := t.card.value(tagSlotManagement)
	return len(v) == 1 && v[0]&slotLockedBit != 0
}

// storagePlan is how GENERATE AC uses data storage (GAC.1 to GAC.11).
type storagePlan byte

const (
	planNone      storagePlan = iota // no data storage
	planCDAFailed                    // data storage, and CDA has failed already
	planRead
	planWrite
)

// planStorage is GAC.1 to GAC.11. It may change the type of cryptogram to ask for.
func (t *tap) planStorage() (storagePlan, byte) {
	switch {
	case !t.idsRead:
		return planNone, 0
	case t.term.tvr[0]&tvr1CDAFailed != 0:
		return planCDAFailed, 0
	case len(t.given.value(tagODSInfo)) == 0 || len(t.card.value(tagDSDOL)) == 0:
		return planRead, 0
	}
	ac, info := t.given.value(tagDSACType), t.given.value(tagODSInfoReader)
	if len(ac) == 0 || len(info) == 0 {
		return planNone, idsDataError // GAC.6
	}
	wanted := cryptogram(ac[0] & 0xC0)
	switch {
	case wanted == aac || wanted == t.acType || (wanted == arqc && t.acType == tc): // GAC.7
		t.acType = wanted
		return planWrite, 0
	case (t.acType == aac && info[0]&infoUsableAAC != 0) || (t.acType == arqc && info[0]&infoUsableARQC != 0): // GAC.9
		return planWrite, 0
	case info[0]&infoStopNoTerm != 0:
		return planNone, idsNoMatchingAC // GAC.11
	}
	return planRead, 0
}

// storageData appends the DSDOL's data (GAC.40 to GAC.47): DS Digest H is made from the
// terminal's input. Lengths of a DSDOL are one byte up to 255 (recorded cards
// ask for 160 bytes of DS ODS Term). DS ODS Term at its end is not padded: the
// operator's data have their own length (unverified).
func (t *tap) storageData(dst []byte) ([]byte, error) {
	list := t.card.value(tagDSDOL)
	for n := 0; len(list) > 0; n++ {
		g, used, err := tlv.ParseTag(list)
		if err != nil || used == len(list) || n == dol.MaxEntries {
			return nil, errStorage
		}
		length := int(list[used])
		list = list[used+1:]
		if input, there := t.given.get(tagInputTerm); g == tagDigestH && there {
			digest, err := t.digest(input)
			if err != nil {
				return nil, err
			}
			t.note(tagDigestH, digest[:])
		}
		v, _ := t.value(g)
		dst = append(dst, v[:min(len(v), length)]...)
		if len(list) > 0 || g != tagODSTerm {
			dst = append(dst, make([]byte, max(0, length-len(v)))...)
		}
	}
	return dst, nil
}

// asksFor reports whether a data object list names t.
func asksFor(list []byte, t tlv.Tag) bool {
	for len(list) > 0 {
		e, rest, err := dol.Next(list)
		if err != nil {
			return false
		}
		if e.Tag == t {
			return true
		}
		list = rest
	}
	return false
}

var errStorage = errors.New("kernel 2: data storage: an object has a wrong length")

// digest is DS Digest H: OWHF2 for version 1, OWHF2AES for version 2 (Book C-2, 8.2 and 8.3).
func (t *tap) digest(input []byte) ([8]byte, error) {
	id, oid := t.card.value(tagDSID), t.given.value(tagOperatorID)
	if len(input) != 8 || len(id) < 8 || len(id) > 11 || len(oid) != operatorIDLength {
		return [8]byte{}, errStorage
	}
	var operator [8]byte
	slot, info := t.card.value(tagSlotManagement), t.given.value(tagODSInfo)
	if len(slot) != 1 || len(info) != 1 || slot[0]&slotPermanent == 0 || info[0]&odsVolatile == 0 {
		operator = [8]byte(oid)
	}
	if t.storageVersion() == storageVersion1 {
		return owhf2(id, operator, [8]byte(input))
	}
	return owhf2AES(id, operator, [8]byte(input))
}

// owhf2 is DES(KL)·DES⁻¹(KR)·DES(KL) of OID xor PD, xor PD; the key halves are
// made of the decimal digits of the first and the last six bytes of the
// identifier, doubled, and of the operator's identifier.
func owhf2(id []byte, oid, pd [8]byte) (r [8]byte, err error) {
	var key [24]byte
	for i := range 6 {
		left, right := id[i], id[len(id)-6+i]
		key[i] = (left>>4*10 + left&15) * 2
		key[8+i] = (right>>4*10 + right&15) * 2
	}
	copy(key[6:8], oid[4:6])
	copy(key[14:16], oid[6:8])
	copy(key[16:], key[:8])
	block, err := des.NewTripleDESCipher(key[:])
	if err != nil {
		return r, err
	}
	for i := range r {
		r[i] = oid[i] ^ pd[i]
	}
	block.Encrypt(r[:], r[:])
	for i := range r {
		r[i] ^= pd[i]
	}
	return r, nil
}

// owhf2AES is the left half of AES(K)[M] xor M, M = C ‖ OID, K = identifier (11 bytes, right-aligned) ‖ OID[5:8] ‖ 3F.
func owhf2AES(id []byte, oid, c [8]byte) (r [8]byte, err error) {
	var key, m, x [16]byte
	copy(key[11-len(id):11], id)
	copy(key[11:15], oid[4:8])
	key[15] = 0x3F
	copy(m[:8], c[:])
	copy(m[8:], oid[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return r, err
	}
	block.Encrypt(x[:], m[:])
	for i := range r {
		r[i] = x[i] ^ m[i]
	}
	return r, nil
}

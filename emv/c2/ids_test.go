package c2

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"testing"

	"huika/emv"
	"huika/emv/tag"
	"huika/emv/tlv"
)

// storageCard is a card with data storage whose slot holds something.
func storageCard(version string) func(*scripted) {
	return func(c *scripted) {
		c.bf0c = tlv.List{{Tag: tagCapabilities, Value: unhex("0" + version + "0000")}, {Tag: tagDSID, Value: unhex("541333008901043401")}}
		inGPO(tagSummary1, "A1A2A3A4A5A6A7A8")(c)
		inGPO(tagODSCard, "C0FFEE")(c)
		inGPO(tagSlotManagement, "80")(c)
		set(c.body(), tagDSDOL, "DF6008DF6108DF6201DF63A0")
		c.summary = [2][]byte{unhex("A1A2A3A4A5A6A7A8"), unhex("B1B2B3B4B5B6B7B8")}
	}
}

func storageConfig(objects ...tlv.TLV) func(*Config) {
	return func(c *Config) {
		c.Data = tlv.Append(nil, tagOperatorID, unhex("0102030405060708"))
		c.Data = tlv.Append(c.Data, tagDSVNTerm, []byte{1})
		for _, o := range objects {
			c.Data = tlv.Append(c.Data, o.Tag, o.Value)
		}
	}
}

func writing(acType, info byte) []tlv.TLV {
	return []tlv.TLV{
		{Tag: tagODSInfo, Value: []byte{0x80}}, {Tag: tagODSTerm, Value: []byte("data")}, {Tag: tagInputCard, Value: []byte("cardcard")},
		{Tag: tagInputTerm, Value: []byte("inputinp")}, {Tag: tagDSACType, Value: []byte{acType}}, {Tag: tagODSInfoReader, Value: []byte{info}},
	}
}

func TestStorage(t *testing.T) {
	for _, c := range []struct {
		name   string
		card   func(*scripted)
		config func(*Config)
		amount int64
		kind   emv.Kind
		l2     string
		status string // DS Summary Status
		rcp    int
		writes bool
	}{
		{"read only", storageCard("1"), storageConfig(), 100, emv.Approved, "", "80", 0x50, false},
		{"write", storageCard("1"), storageConfig(writing(0x40, 0xE0)...), 100, emv.Approved, "", "c0", 0x50, true},
		{"write asks for less: ARQC", storageCard("1"), storageConfig(writing(0x80, 0xE0)...), 100, emv.OnlineRequest, "", "c0", 0x90, true},
		{"write asks for less: AAC", storageCard("1"), storageConfig(writing(0x00, 0xE0)...), 100, emv.TryAnother, "", "c0", 0x10, true},
		{"write for a TC where an ARQC is made, usable", storageCard("1"), storageConfig(writing(0x40, 0x40)...), floorLimit + 1, emv.OnlineRequest, "", "c0", 0x90, true},
		{"write for a TC where an ARQC is made, not usable", storageCard("1"), storageConfig(writing(0x40, 0x80)...), floorLimit + 1, emv.OnlineRequest, "", "80", 0x90, false},
		{"the same, and the terminal wants to stop", storageCard("1"), storageConfig(writing(0x40, 0x84)...), floorLimit + 1, emv.EndApplication, "IDS no matching AC", "", -1, false},
		{"write without the type of cryptogram", storageCard("1"), storageConfig(writing(0x40, 0xE0)[:4]...), 100, emv.EndApplication, "IDS data error", "", -1, false},
		{"write without DSDOL", func(c *scripted) { storageCard("1")(c); drop(c.body(), tagDSDOL) }, storageConfig(writing(0x40, 0xE0)...), 100, emv.Approved, "", "80", 0x50, false},
		{"DSDOL that can't be read", func(c *scripted) { storageCard("1")(c); set(c.body(), tagDSDOL, "DF61") }, storageConfig(writing(0x40, 0xE0)...), 100, emv.EndApplication, "IDS data error", "", -1, false},
		{"what was read is not what is signed", func(c *scripted) { storageCard("1")(c); c.summary[0] = unhex("00A2A3A4A5A6A7A8") }, storageConfig(), 100, emv.EndApplication, "IDS read error", "", 0x50, false},
		{"no summary in the signature", func(c *scripted) { storageCard("1")(c); c.summary = [2][]byte{} }, storageConfig(), 100, emv.EndApplication, "card data missing", "", 0x50, false},
		{"no second summary, and none is needed", func(c *scripted) { storageCard("1")(c); c.summary[1] = nil }, storageConfig(), 100, emv.Approved, "", "80", 0x50, false},
		{"no second summary after a write", func(c *scripted) { storageCard("1")(c); c.summary[1] = nil }, storageConfig(writing(0x40, 0xE0)...), 100, emv.EndApplication, "card data missing", "80", 0x50, true},
		{"nothing was written", func(c *scripted) { storageCard("1")(c); c.summary[1] = c.summary[0] }, storageConfig(writing(0x40, 0xE0)...), 100, emv.Approved, "", "80", 0x50, true},
		{"nothing was written, and the terminal wants to stop", func(c *scripted) { storageCard("1")(c); c.summary[1] = c.summary[0] }, storageConfig(writing(0x40, 0xE2)...), 100, emv.EndApplication, "IDS write error", "80", 0x50, true},
		{"the slot of another card", func(c *scripted) { storageCard("1")(c); set(&c.bf0c, tagDSID, "541333008901044201") }, storageConfig(), 100, emv.EndApplication, "card data error", "", -1, false},
		{"an AAC that is not signed", func(c *scripted) { storageCard("1")(c); c.cid = 0 }, storageConfig(), 100, emv.EndApplication, "card data error", "", 0x50, false},
		{"clone", func(c *scripted) { storageCard("1")(c); clone(c) }, storageConfig(), 100, emv.EndApplication, "CAM failed", "", 0x50, false},
		{"CDA has failed before", func(c *scripted) { storageCard("1")(c); c.records = c.records[:2] }, storageConfig(), 100, emv.OnlineRequest, "", "", 0x80, false},
		{"version 2", func(c *scripted) {
			storageCard("2")(c)
			set(&c.gpo, tagSummary1, "A1A2A3A4A5A6A7A8A1A2A3A4A5A6A7A8")
			c.summary = [2][]byte{unhex("A1A2A3A4A5A6A7A8A1A2A3A4A5A6A7A8"), make([]byte, 16)}
		}, storageConfig(writing(0x40, 0xE0)...), 100, emv.Approved, "", "c0", 0x50, true},
		{"version 3 is none", storageCard("3"), storageConfig(), 100, emv.Approved, "", "", 0x50, false},
		{"the terminal has no data storage", storageCard("1"), nil, 100, emv.Approved, "", "", 0x50, false},
		{"with relay resistance", func(c *scripted) { storageCard("1")(c); relay(100, 200, 24, 192)(c) }, func(c *Config) { storageConfig(writing(0x40, 0xE0)...)(c); withRelay(c) }, 100, emv.Approved, "", "c0", 0x50, true},
		{"relay resistance without summaries", func(c *scripted) { storageCard("1")(c); relay(100, 200, 24, 192)(c); c.summary = [2][]byte{} }, func(c *Config) { storageConfig()(c); withRelay(c) }, 100, emv.EndApplication, "CAM failed", "", 0x50, false},
		{"lost while writing", func(c *scripted) { storageCard("1")(c); c.lostIns = 0xAE }, storageConfig(writing(0x40, 0xE0)...), 100, emv.EndApplication, "", "", 0x50, true},
	} {
		card := newCard(t)
		c.card(card)
		o := tapOn(t, card, c.amount, c.config)
		status, _ := tlv.Find(o.Discretionary, tagSummaryStatus)
		if o.Kind != c.kind || o.Error.L2 != c.l2 || hexOf(status) != c.status || card.rcp != c.rcp {
			t.Errorf("%s: %v %q (%s), DS Summary Status %X, asked for %02X", c.name, o.Kind, o.Error.L2, o.Reason, status, card.rcp)
		}
		if (len(card.extra) > 0) != c.writes {
			t.Errorf("%s: %d bytes behind CDOL1", c.name, len(card.extra))
		}
		if c.name == "write" {
			if want := len("cardcard") + 8 + 1 + len("data"); len(card.extra) != want || !bytes.HasSuffix(card.extra, []byte{0x80, 'd', 'a', 't', 'a'}) {
				t.Errorf("DSDOL data %X", card.extra)
			}
		}
		if c.name == "lost while writing" && (o.DataRecord == nil || o.Start != emv.StartNone || !o.Error.L1) {
			t.Errorf("%s: %+v", c.name, o.Error)
		}
	}
}

// The hash functions against their definition, computed here in another way.
func TestOWHF2(t *testing.T) {
	id, oid, pd := unhex("541333008901043401"), [8]byte(unhex("0102030405060708")), [8]byte([]byte("inputinp"))
	key := []byte{54 * 2, 13 * 2, 33 * 2, 0, 89 * 2, 1 * 2, 5, 6, 0 * 2, 89 * 2, 1 * 2, 4 * 2, 34 * 2, 1 * 2, 7, 8}
	left, err := des.NewCipher(key[:8])
	if err != nil {
		t.Fatal(err)
	}
	right, err := des.NewCipher(key[8:])
	if err != nil {
		t.Fatal(err)
	}
	var want [8]byte
	for i := range want {
		want[i] = oid[i] ^ pd[i]
	}
	left.Encrypt(want[:], want[:])
	right.Decrypt(want[:], want[:])
	left.Encrypt(want[:], want[:])
	for i := range want {
		want[i] ^= pd[i]
	}
	if got, err := owhf2(id, oid, pd); err != nil || got != want {
		t.Errorf("OWHF2 %X %v, want %X", got, err, want)
	}
	block, err := aes.NewCipher(append(append(unhex("0000"), id...), 5, 6, 7, 8, 0x3F))
	if err != nil {
		t.Fatal(err)
	}
	m := append(pd[:], oid[:]...)
	x := make([]byte, 16)
	block.Encrypt(x, m)
	for i := range want {
		want[i] = x[i] ^ m[i]
	}
	if got, err := owhf2AES(id, oid, [8]byte([]byte("inputinp"))); err != nil || got != want {
		t.Errorf("OWHF2AES %X %v, want %X", got, err, want)
	}
}

// Identifiers of card numbers of all lengths.
func TestStorageID(t *testing.T) {
	for pan, want := range map[string]string{
		"12345678": "0000001234567801", "5413330089010434": "541333008901043401", "541333008901043": "054133300890104301"[1:] + "", "5413330089010434001": "0541333008901043400101"[0:22],
	} {
		if pan == "541333008901043" {
			want = "054133300890104301"
		}
		if got := hexOf(storageID(pan, []byte{0x01})); got != want {
			t.Errorf("%s: %s, want %s", pan, got, want)
		}
	}
	if got := hexOf(storageID("5413330089010434", nil)); got != "541333008901043400" {
		t.Errorf("without sequence number: %s", got)
	}
	_ = tag.PAN
}

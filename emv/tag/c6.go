package tag

import "huika/emv/tlv"

// Tags of kernel 6 that other kernels use otherwise, or not at all.
const (
	CPR            tlv.Tag = 0x9F71 // card processing requirements
	DiscoverMode   tlv.Tag = 0x9F7D // in the FCI: the issuer prefers mag-stripe mode; application specification version of ZIP
	OfflineBalance tlv.Tag = 0xD1
)

// C6 is the dictionary of kernel 6 (Book C-6, Discover D-PAS, from public implementations).
var C6 = &Dictionary{base: EMV, own: map[tlv.Tag]Info{
	IAD:            {Name: "Issuer Application Data (Discover)", Explain: explainDiscoverIAD},
	TTQ:            {Name: "Terminal Transaction Qualifiers", Explain: explainDiscoverTTQ},
	CPR:            {Name: "Card Processing Requirements", Explain: explainCPR},
	0x9F53:         {Name: "Contactless Card Verification Results"},
	DiscoverMode:   {Name: "Application Specification Version"},
	0x9F7E:         {Name: "Dynamic Card Verification Value (DCVV)", Sensitive: true},
	OfflineBalance: {Name: "Offline Balance", Format: N},
	0xBF11:         {Name: "Write Data Storage Template"},
}}

var cprBits = []bit{
	{1, 0x80, "online PIN required"}, {1, 0x40, "signature required"},
	{1, 0x20, "program identifier limit reached: loyalty transaction approved"}, {1, 0x10, "consumer device CVM performed"},
	{2, 0x80, "switch to another interface if unable to process online"}, {2, 0x40, "process online if CDA failed"},
	{2, 0x20, "decline or switch to another interface if CDA failed"}, {2, 0x10, "issuer update processing supported"},
	{2, 0x08, "process online if card expired"}, {2, 0x04, "decline if card expired"},
	{2, 0x02, "CVM fallback to signature allowed"}, {2, 0x01, "CVM fallback to no CVM allowed"},
}

func explainCPR(v []byte) []string { return explainBits(cprBits, v) }

// TTQ of kernel 6: as far as public sources agree.
var discoverTTQBits = []bit{
	{1, 0x80, "mag-stripe mode supported"}, {1, 0x20, "EMV mode supported"}, {1, 0x10, "EMV contact chip supported"},
	{1, 0x08, "offline-only reader"}, {1, 0x04, "online PIN supported"}, {1, 0x02, "signature supported"},
	{2, 0x80, "online cryptogram required"}, {2, 0x40, "CVM required"},
	{3, 0x80, "issuer update processing supported"}, {3, 0x40, "consumer device CVM supported"},
}

func explainDiscoverTTQ(v []byte) []string { return explainBits(discoverTTQBits, v) }

// explainDiscoverIAD reads derivation key index ‖ cryptogram version ‖ CVR(8): the bits that public implementations name.
func explainDiscoverIAD(v []byte) []string {
	if len(v) < 10 {
		return nil
	}
	return explainBits([]bit{
		{4, 0x10, "domestic transaction"}, {4, 0x08, "international transaction"},
		{4, 0x02, "confirmation code verification performed"}, {4, 0x01, "confirmation code verification performed and failed"},
	}, v)
}

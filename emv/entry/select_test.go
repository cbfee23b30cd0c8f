package entry

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"huika/emv"
)

// Every form of 9F2A against combinations of kernels 7, 21 and 810978 (Book B 3.3.2.5).
func TestKernelIdentifier(t *testing.T) {
	for _, c := range []struct {
		name, aid, id string
		want          []emv.KernelID // candidates in order
	}{
		{"absent: default of the RID", aidDebit, "-", []emv.KernelID{7}},
		{"empty: default of the RID", aidDebit, "", []emv.KernelID{7}},
		{"absent, RID without default: any", aidOther, "-", []emv.KernelID{0x21, 0x810978}},
		{"00: any", aidOther, "00", []emv.KernelID{0x21, 0x810978}},
		{"00 with more bytes: any", aidOther, "00123456", []emv.KernelID{0x21, 0x810978}},
		{"b8b7 = 00, the kernel", aidDebit, "07", []emv.KernelID{7}},
		{"b8b7 = 00, another kernel", aidDebit, "03", nil},
		{"b8b7 = 00, longer", aidDebit, "0712345678000000", []emv.KernelID{7}},
		{"b8b7 = 00, id above 1F", aidOther, "21", []emv.KernelID{0x21}},
		{"b8b7 = 01 keeps its bits", aidOther, "61", nil},
		{"b8b7 = 10, three bytes", aidOther, "810978", []emv.KernelID{0x810978}},
		{"b8b7 = 10, longer", aidOther, "81097800000000", []emv.KernelID{0x810978}},
		{"b8b7 = 10, another", aidOther, "810979", nil},
		{"b8b7 = 10, too short", aidOther, "8109", nil},
		{"b8b7 = 11, another", aidOther, "C10978", nil},
		{"b8b7 = 10, short id 0 is out of scope", aidOther, "800978", nil},
		{"b8b7 = 11, short id 0 is out of scope", aidOther, "C00000", nil},
	} {
		p, _ := newPoint(t, &script{})
		got := p.candidates(unhex(strings.TrimSuffix(ppseFCI(dir{c.aid, "01", c.id, ""}), "9000")), make([]emv.Indicators, len(p.Combinations)))
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		for i := range got {
			if got[i].Kernel != c.want[i] {
				t.Errorf("%s: candidate %d is kernel %X, want %X", c.name, i, got[i].Kernel, c.want[i])
			}
		}
	}
}

func TestDefaultKernels(t *testing.T) {
	for aid, want := range map[string]emv.KernelID{
		"A0000000041010": 2, "A0000000031010": 3, "A00000002501": 4, "A0000000651010": 5, "A0000001523010": 6, "A0000003241010": 6,
		"A000000333010101": 7, "A0000000990001": 0,
	} {
		if got := defaultKernel(unhex(aid)); got != want {
			t.Errorf("%s: kernel %d, want %d", aid, got, want)
		}
	}
}

// AID matching: 3.3.2.5 A and B.
func TestADFName(t *testing.T) {
	for _, c := range []struct {
		adf  string
		want bool
	}{
		{"A00000033301", true},                        // full match
		{"A000000333010106", true},                    // the ADF name begins with the AID
		{"A000000333", false},                         // shorter than the AID
		{"A00000033302", false},                       // another application
		{"A0000003", false},                           // 4 bytes: no ADF name
		{"", false},                                   // missing
		{"A0000003330101010000000000000000", true},    // 16 bytes
		{"A000000333010101000000000000000000", false}, // 17 bytes
		{"B00000033301", false},
	} {
		e := entry61{adf: unhex(c.adf)}
		if got := e.matches(&Combination{AID: unhex("A00000033301"), Kernel: 7}); got != c.want {
			t.Errorf("%q: %v", c.adf, got)
		}
	}
}

// Order of candidates: low nibble of 87, 0 and absent last, then the directory's order, then the reader's.
func TestPriority(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []dir
		want    []string // last byte of each ADF name
	}{
		{"by priority", []dir{{"A0000003330101", "02", "-", ""}, {"A0000003330102", "01", "-", ""}}, []string{"02", "01"}},
		{"only the low nibble counts", []dir{{"A0000003330101", "82", "-", ""}, {"A0000003330102", "F1", "-", ""}}, []string{"02", "01"}},
		{"tie: directory order", []dir{{"A0000003330101", "01", "-", ""}, {"A0000003330102", "01", "-", ""}}, []string{"01", "02"}},
		{"0 is lowest", []dir{{"A0000003330101", "00", "-", ""}, {"A0000003330102", "0F", "-", ""}}, []string{"02", "01"}},
		{"absent is lowest, as 0", []dir{{"A0000003330101", "", "-", ""}, {"A0000003330102", "00", "-", ""}, {"A0000003330103", "0F", "-", ""}}, []string{"03", "01", "02"}},
		{"high nibble alone is none", []dir{{"A0000003330101", "80", "-", ""}, {"A0000003330102", "05", "-", ""}}, []string{"02", "01"}},
	} {
		p, _ := newPoint(t, &script{})
		list := p.candidates(unhex(strings.TrimSuffix(ppseFCI(c.entries...), "9000")), make([]emv.Indicators, len(p.Combinations)))
		var got []string
		for _, x := range list {
			got = append(got, hex.EncodeToString(x.ADF[len(x.ADF)-1:]))
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// What is no directory has no candidates: End Application, message 1C.
func TestNoCandidates(t *testing.T) {
	for name, answer := range map[string]string{
		"no PPSE":               "6A82",
		"warning status":        ppseFCI(dir{aidDebit, "01", "-", ""})[:0] + "6283",
		"no entries":            ppseFCI(),
		"not TLV":               "6F7F019000",
		"empty":                 "9000",
		"other application":     ppseFCI(dir{"A0000000041010", "01", "-", ""}),
		"other kernel":          ppseFCI(dir{aidDebit, "01", "05", ""}),
		"FCI without BF0C":      "6F148410325041592E5359532E4444463031A5009000",
		"entry outside of BF0C": "6F0C A50A 6108 4F06A00000033301 9000",
		"entry that is not TLV": "6F10 A50E BF0C0B 6109 4F06A000000333 9000",
	} {
		p, b := newPoint(t, &script{})
		b.apdus = []exchange{{"ppse", strings.ReplaceAll(answer, " ", ""), nil}}
		r, err := p.Run(context.Background(), sale(100))
		if err != nil || r.Outcome.Kind != emv.EndApplication || r.Outcome.Start != emv.StartNone || r.Combination != nil {
			t.Errorf("%s: %+v %v", name, r.Outcome, err)
		}
		b.wantLog("ui 15 ready_to_read", "on", "tx ppse", "ui 1C ready_to_read")
	}
}

// Extended selection is appended only where both sides have it (3.3.3.3), and the kernel is told the whole name.
func TestExtendedSelection(t *testing.T) {
	for _, supported := range []bool{true, false} {
		k := &script{}
		p, b := newPoint(t, k)
		p.Combinations[0].ExtendedSelection = supported
		name := aidDebit
		if supported {
			name += "4142"
		}
		b.apdus = []exchange{{"ppse", ppseFCI(dir{aidDebit, "01", "-", "4142"}), nil}, {"aid " + name, appFCI(aidDebit), nil}}
		r, err := p.Run(context.Background(), sale(100))
		if err != nil || strings.ToUpper(hex.EncodeToString(r.AID)) != name || strings.ToUpper(hex.EncodeToString(k.inputs[0].AID)) != name {
			t.Errorf("supported %v: AID %X %v", supported, r.AID, err)
		}
	}
}

// 3.3.3.6: a Visa application whose PDOL does not ask for 9F66 is kernel 1's, or nobody's.
func TestVisaWithoutTTQ(t *testing.T) {
	for _, pdol := range []string{"", "9F3704", "9F66"} {
		k, one := &script{}, &script{}
		p, b := newPoint(t, k)
		b.apdus = []exchange{{"ppse", ppseFCI(dir{aidVisa, "01", "-", ""}), nil}, {"aid " + aidVisa, appFCI(aidVisa, pdol), nil}}
		r, err := p.Run(context.Background(), sale(100))
		if err != nil || r.Outcome.Kind != emv.EndApplication || len(k.inputs) != 0 {
			t.Errorf("PDOL %q without kernel 1: %v %v", pdol, r.Outcome.Kind, err)
		}
		p, b = newPoint(t, k)
		if err := p.Kernels.Register(1, 1, one); err != nil {
			t.Fatal(err)
		}
		b.apdus = []exchange{{"ppse", ppseFCI(dir{aidVisa, "01", "-", ""}), nil}, {"aid " + aidVisa, appFCI(aidVisa, pdol), nil}}
		r, err = p.Run(context.Background(), sale(100))
		if err != nil || r.Outcome.Kind != emv.Approved || r.Kernel != 1 || len(one.inputs) != 1 || one.inputs[0].Kernel != 1 {
			t.Errorf("PDOL %q with kernel 1: %v kernel %d %v", pdol, r.Outcome.Kind, r.Kernel, err)
		}
	}
}

// FuzzPPSE: any answer to SELECT PPSE gives a bounded, ordered list of candidates that match.
func FuzzPPSE(f *testing.F) {
	for _, s := range []string{ppseFCI(dir{aidDebit, "01", "-", ""}, dir{aidVisa, "", "03", "41"}), ppseFCI(dir{aidOther, "81", "810978", ""}), "6F009000"} {
		f.Add(unhex(s)[:len(unhex(s))-2])
	}
	f.Fuzz(func(t *testing.T, fci []byte) {
		p, _ := newPoint(&testing.T{}, &script{})
		list := p.candidates(fci, make([]emv.Indicators, len(p.Combinations)))
		if len(list) > maxEntries*len(p.Combinations) {
			t.Fatalf("%d candidates", len(list))
		}
		for i, c := range list {
			if len(c.ADF) < minAID || len(c.ADF) > maxAID || !strings.HasPrefix(string(c.ADF), string(p.Combinations[c.Combination].AID)) {
				t.Fatalf("candidate %X", c.ADF)
			}
			if i > 0 && rank(list[i-1].Priority) > rank(c.Priority) {
				t.Fatal("out of order")
			}
		}
	})
}

package c3_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/c3"
	"huika/emv/entry"
	"huika/emv/oda"
	"huika/emv/tag"
	"huika/emv/tlv"
	"huika/pay"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is a recorded exchange of a third party. The files are not ours to
// keep; the tests read them from $HUIKA_VECTORS.
type vector struct {
	UN          string `json:"unpredictable_number"`
	Date        string
	Transaction string
	Exchanges   []struct{ Command, Response string }
	CA          struct{ RID, Index, Modulus, Exponent string } `json:"ca_public_key"`
}

func loadVector(t testing.TB) vector {
	t.Helper()
	dir := os.Getenv("HUIKA_VECTORS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("HUIKA_VECTORS not set: the recorded exchanges must be checked in CI")
		}
		t.Skip("HUIKA_VECTORS not set: the recorded exchange is not replayed")
	}
	b, err := os.ReadFile(filepath.Join(dir, "visa-offline-fdda-v01.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// recorded is a reader that plays the exchange back. It holds each command of
// the terminal against the recorded one, byte for byte.
type recorded struct {
	t         testing.TB
	commands  [][]byte
	responses [][]byte
	n         int
	loose     bool // a command that was not recorded loses the card: an edited AFL leads to other records
}

func (r *recorded) FieldOn(context.Context) error                 { return nil }
func (r *recorded) FieldOff(context.Context, time.Duration) error { return nil }
func (r *recorded) WaitCard(context.Context, time.Duration) (entry.Presence, error) {
	return entry.OneCard, nil
}
func (r *recorded) WaitRemoval(context.Context, time.Duration) (bool, error) { return true, nil }
func (r *recorded) Transmit(_ context.Context, command []byte) ([]byte, error) {
	if r.n == len(r.commands) {
		return nil, emv.ErrCardLost
	}
	if !bytes.Equal(command, r.commands[r.n]) {
		if r.loose {
			return nil, emv.ErrCardLost
		}
		r.t.Fatalf("command %d: sent %X, recorded %X", r.n, command, r.commands[r.n])
	}
	r.n++
	return r.responses[r.n-1], nil
}

// replay runs the exchange through Entry Point and kernel. change edits the
// responses, the CA key and the terminal's half before.
func (v vector) replay(t testing.TB, change func(responses [][]byte, ca *oda.CAKey, un []byte)) (entry.Result, error) {
	t.Helper()
	r := &recorded{t: t}
	for _, x := range v.Exchanges {
		r.commands = append(r.commands, unhex(t, x.Command))
		r.responses = append(r.responses, unhex(t, x.Response))
	}
	ca := oda.CAKey{RID: [5]byte(unhex(t, v.CA.RID)), Index: unhex(t, v.CA.Index)[0], Modulus: unhex(t, v.CA.Modulus), Exponent: unhex(t, v.CA.Exponent)}
	un := unhex(t, v.UN)
	if r.loose = change != nil; r.loose {
		change(r.responses, &ca, un)
	}
	store := oda.NewCAStore()
	if err := store.Add(ca, ca.Checksum()); err != nil {
		t.Fatal(err)
	}
	now, err := time.Parse("060102", v.Date)
	if err != nil {
		t.Fatal(err)
	}
	var kernels entry.Kernels
	if err := kernels.Register(c3.ID, c3.Version, &c3.Kernel{Config: c3.Config{CAKeys: store}}); err != nil {
		t.Fatal(err)
	}
	p := &entry.Point{
		// The terminal's configuration is what the exchange shows: its TTQ, and no limit that this amount meets.
		Combinations: []entry.Combination{{AID: unhex(t, "A0000000031010"), Kernel: c3.ID, TTQ: &[4]byte{0x24, 0x00, 0x40, 0x00}}},
		Kernels:      &kernels, Reader: r, Rand: bytes.NewReader(un),
	}
	return p.Run(context.Background(), emv.Transaction{Amount: pay.Money{Minor: 200, Currency: pay.USD}, Time: now})
}

// The recorded exchange ends as it was recorded: approved offline, fDDA verified, no CVM.
func TestVector(t *testing.T) {
	r, err := loadVector(t).replay(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := r.Outcome
	cid, _ := tlv.Find(o.DataRecord, tag.CID)
	if o.Kind != emv.Approved || o.ODA != emv.ODAfDDA || o.CVM != emv.CVMNone || r.Kernel != c3.ID || !bytes.Equal(cid, []byte{0x40}) {
		t.Errorf("%v %v %v: %s %+v", o.Kind, o.ODA, o.CVM, o.Reason, o.Error)
	}
}

// A bit that is flipped in anything certified or signed never ends in an approval.
func TestVectorFlips(t *testing.T) {
	v := loadVector(t)
	unsigned := map[tlv.Tag]bool{tag.ApplicationCryptogram: true, tag.IAD: true, tag.Track2: true, tag.CTQ: true, tag.ATC: true, tag.AIP: true} // this card has no 9F4A
	flips := 0
	for n := 2; n < len(v.Exchanges); n++ {
		response := unhex(t, v.Exchanges[n].Response)
		err := tlv.Walk(response[:len(response)-2], func(_ int, x tlv.TLV) error {
			if x.Tag.Constructed() || (n == 2 && unsigned[x.Tag]) {
				return nil
			}
			at := bytes.Index(response, x.Value)
			for i := range x.Value {
				r, err := v.replay(t, func(responses [][]byte, _ *oda.CAKey, _ []byte) { responses[n][at+i] ^= 0x01 << (i % 8) })
				if err != nil {
					return err
				}
				flips++
				if r.Outcome.Kind == emv.Approved {
					t.Errorf("exchange %d, %s byte %d: approved", n, x.Tag, i)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func([][]byte, *oda.CAKey, []byte){
		"CA modulus": func(_ [][]byte, ca *oda.CAKey, _ []byte) { ca.Modulus[20] ^= 1 },
		"CA index":   func(_ [][]byte, ca *oda.CAKey, _ []byte) { ca.Index ^= 1 },
		"RID":        func(_ [][]byte, ca *oda.CAKey, _ []byte) { ca.RID[4] ^= 1 },
	} {
		if r, err := v.replay(t, change); err != nil || r.Outcome.Kind != emv.Declined || r.Outcome.ODA != emv.ODAFailed {
			t.Errorf("%s: %v %v %v", name, r.Outcome.Kind, r.Outcome.ODA, err)
		}
	}
	t.Logf("%d bits flipped", flips)
}

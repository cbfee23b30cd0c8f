package c4

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"huika/emv"
	"huika/emv/oda"
	"huika/pay"
)

// recorded is a recorded exchange of a third party. The file is not ours to
// keep; the test reads it from $HUIKA_VECTORS.
type recorded struct {
	UN        string `json:"unpredictable_number"`
	Exchanges []struct{ Command, Response string }
	CA        struct{ RID, Index, Modulus, Exponent string } `json:"ca_public_key"`

	t *testing.T
	n int
}

// Transmit wants the commands of the recording, byte for byte.
func (r *recorded) Transmit(_ context.Context, command []byte) ([]byte, error) {
	e := r.Exchanges[r.n]
	if want := unhex(e.Command); !bytes.Equal(command, want) {
		r.t.Errorf("command %d: got %X, want %X", r.n, command, want)
	}
	r.n++
	return unhex(e.Response), nil
}

// A real test card of American Express: 120.00 AUD at a terminal that must verify
// the cardholder and go online. The kernel sends what the recorded terminal sent,
// 9F35 with 9F6D and the TVR under the cryptogram included, and believes the signature.
func TestRecordedExchange(t *testing.T) {
	dir := os.Getenv("HUIKA_VECTORS")
	if dir == "" {
		t.Skip("HUIKA_VECTORS not set: the recorded exchange is not replayed")
	}
	b, err := os.ReadFile(filepath.Join(dir, "amex-online-cda.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no amex-online-cda.json among the vectors")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, flip := range []bool{false, true} {
		r := &recorded{t: t, n: 2} // after the directory and SELECT
		if err := json.Unmarshal(b, r); err != nil {
			t.Fatal(err)
		}
		keys := oda.NewCAStore()
		k := oda.CAKey{RID: [5]byte(unhex(r.CA.RID)), Index: unhex(r.CA.Index)[0], Modulus: unhex(r.CA.Modulus), Exponent: unhex(r.CA.Exponent)}
		if err := keys.Add(k, k.Checksum()); err != nil {
			t.Fatal(err)
		}
		config := Defaults()
		config.CAKeys, config.Limits = keys, Limits{CVM: limit(10_000), Floor: limit(0)}
		fci := unhex(r.Exchanges[1].Response)
		in := emv.Input{
			AID: unhex("A000000025010403"), FCI: fci[:len(fci)-2], Rand: bytes.NewReader(unhex(r.UN)),
			Transaction: emv.Transaction{Amount: pay.Money{Minor: 12_000, Currency: 36}, Time: time.Date(2014, 10, 31, 12, 0, 0, 0, time.UTC)},
			Terminal:    emv.Terminal{Country: 36, Type: 0x22, Capabilities: [3]byte(unhex("E0F8C8"))},
		}
		if last := &r.Exchanges[len(r.Exchanges)-1].Response; flip {
			*last = (*last)[:40] + "0" + (*last)[41:]
		}
		o, err := (&Kernel{Config: config}).Process(context.Background(), in, r)
		if err != nil || r.n != len(r.Exchanges) {
			t.Fatalf("%d commands, %v", r.n, err)
		}
		if !flip && (o.Kind != emv.OnlineRequest || o.CVM != emv.CVMOnlinePIN || o.ODA != emv.ODACDA) {
			t.Errorf("%v %v %v %s", o.Kind, o.CVM, o.ODA, o.Reason)
		}
		if flip && (o.Kind != emv.Declined || o.ODA != emv.ODAFailed) {
			t.Errorf("a digit of the signature changed: %v %v %s", o.Kind, o.ODA, o.Reason)
		}
	}
}

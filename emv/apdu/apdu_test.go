package apdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"huika/emv/apdu"
	"huika/emv/tag"
	"huika/emv/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBuild(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"PPSE", apdu.Select([]byte("2PAY.SYS.DDF01"), false), "00A404000E325041592E5359532E444446303100"},
		{"next", apdu.Select(unhex(t, "A000000333"), true), "00A4040205A00000033300"},
		{"GPO", apdu.GPO(unhex(t, "0102")), "80A80000048302010200"},
		{"GPO without PDOL", apdu.GPO(nil), "80A8000002830000"},
		{"READ RECORD", apdu.ReadRecord(3, 1), "00B2011C00"},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("%s: %X, want %X", c.name, c.got, want)
		}
	}
	long := apdu.GPO(make([]byte, 252))
	if c, err := apdu.ParseCommand(long); err != nil || len(c.Data) != 255 || !bytes.Equal(c.Data[:3], []byte{0x83, 0x81, 0xFC}) {
		t.Errorf("longest GPO: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("GPO of 253 bytes was built")
		}
	}()
	apdu.GPO(make([]byte, 253))
}

// ISO/IEC 7816-4, 5.1: the four cases in short form.
func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		in   string
		data string
		le   int
	}{
		{"00A40400", "", -1},
		{"00B2011400", "", 256},
		{"00B2011410", "", 16},
		{"00A4040002AABB", "AABB", -1},
		{"00A4040002AABB00", "AABB", 256},
	} {
		cmd, err := apdu.ParseCommand(unhex(t, c.in))
		if err != nil || !bytes.Equal(cmd.Data, unhex(t, c.data)) || cmd.Le != c.le {
			t.Errorf("%s: %+v %v", c.in, cmd, err)
		}
		if again := cmd.Append(nil); !bytes.Equal(again, unhex(t, c.in)) {
			t.Errorf("%s became %X", c.in, again)
		}
	}
	for _, in := range []string{"", "00A404", "00A4040003AABB", "00A4040001AA0000", "00A40400000001AA", "00A404000000"} {
		if _, err := apdu.ParseCommand(unhex(t, in)); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestParseResponse(t *testing.T) {
	r, err := apdu.ParseResponse(unhex(t, "AABB9000"))
	if err != nil || !r.OK() || !bytes.Equal(r.Data, []byte{0xAA, 0xBB}) {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := apdu.ParseResponse(unhex(t, "6A82")); err != nil || r.OK() || len(r.Data) != 0 || r.SW != apdu.SWFileNotFound {
		t.Errorf("%+v %v", r, err)
	}
	for _, n := range []int{0, 1, 259} {
		if _, err := apdu.ParseResponse(make([]byte, n)); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestExplain(t *testing.T) {
	for sw, want := range map[uint16]string{
		0x9000: "done", 0x6A82: "file or application not found", 0x63C2: "verification failed, 2 tries left", 0x6310: "warning",
		0x6C10: "wrong Le, 16 bytes available", 0x6105: "5 more bytes available", 0x6B01: "wrong P1 or P2", 0x1234: "unknown status word",
	} {
		if got := apdu.Explain(sw); got != want {
			t.Errorf("%04X: %s", sw, got)
		}
	}
}

// The masked view leaves out every object that holds or leads to a card
// number, at any depth, and keeps the rest whole.
func TestMasked(t *testing.T) {
	mark := unhex(t, "6299990135702468")
	hidden := []tlv.Tag{0x57, 0x5A, 0x56, 0x9F6B, 0x5F20, 0x90, 0x92, 0x9F46, 0x9F1F, 0x9F20, 0x9F0B}
	var body []byte
	for _, h := range hidden {
		body = tlv.Append(body, h, mark)
	}
	body = tlv.Append(body, tag.ATC, []byte{0, 1})
	nested := tlv.Append(tlv.Append(nil, 0xA5, body), tag.ATC, []byte{0, 2})
	e := apdu.Exchange{Command: apdu.ReadRecord(1, 1), Response: append(tlv.Append(nil, 0x70, nested), 0x90, 0x00)}
	v := e.Masked()
	if want := unhex(t, "700C A5059F36020001 9F36020002 9000"); !bytes.Equal(v.Response, want) {
		t.Errorf("response %X, want %X", v.Response, want)
	}
	if !slices.Equal(v.Omitted, hidden) || v.Opaque || v.SW != 0x9000 || v.Name != "READ RECORD SFI 1 record 1" {
		t.Errorf("%+v", v)
	}
}

// What can't be read can't be judged: it is left out whole.
func TestMaskedFailsClosed(t *testing.T) {
	pan := unhex(t, "6299990135702468")
	deep := tlv.Append(nil, 0x5A, pan)
	for range tlv.MaxDepth {
		deep = tlv.Append(nil, 0x70, deep)
	}
	for name, e := range map[string]apdu.Exchange{
		"not TLV":         {Command: apdu.ReadRecord(1, 1), Response: append(append([]byte{0x70, 0x20}, pan...), 0x90, 0)},
		"half a template": {Command: apdu.ReadRecord(1, 1), Response: append(append([]byte{0x70, 0x0A, 0x5A, 0x09}, pan...), 0x90, 0)},
		"too deep":        {Command: apdu.ReadRecord(1, 1), Response: append(deep, 0x90, 0)},
		"one byte":        {Command: apdu.ReadRecord(1, 1), Response: []byte{0x62}},
		"too long":        {Command: apdu.ReadRecord(1, 1), Response: bytes.Repeat(pan, 40)},
		"VERIFY":          {Command: append([]byte{0, 0x20, 0, 0x80, 8}, pan...), Response: []byte{0x90, 0}},
		"WRITE DATA":      {Command: append([]byte{0x84, 0x34, 0, 0, 8}, pan...), Response: append(bytes.Clone(pan), 0x90, 0)},
		"READ DATA":       {Command: unhex(t, "84320000039F811100"), Response: append(bytes.Clone(pan), 0x90, 0)},
		"short command":   {Command: []byte{0x00}, Response: []byte{0x90, 0}},
	} {
		v := e.Masked()
		if bytes.Contains(v.Response, pan[:4]) || bytes.Contains(v.Command, pan[:4]) || !v.Opaque && name != "short command" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := (apdu.Exchange{Command: apdu.ReadRecord(1, 1)}).Masked(); v.Status != "no answer" || v.Opaque || v.Response != nil {
		t.Errorf("no answer: %+v", v)
	}
}

func TestName(t *testing.T) {
	for want, b := range map[string][]byte{
		"SELECT 2PAY.SYS.DDF01":      apdu.Select([]byte("2PAY.SYS.DDF01"), false),
		"SELECT A000000333010101":    apdu.Select(unhex(t, "A000000333010101"), false),
		"GET PROCESSING OPTIONS":     apdu.GPO(nil),
		"GET DATA 9F36":              {0x80, 0xCA, 0x9F, 0x36, 0},
		"command 80 FE":              {0x80, 0xFE, 0, 0},
		"malformed command":          {0x80},
		"READ DATA":                  unhex(t, "84320000039F811100"),
		"WRITE DATA":                 {0x84, 0x34, 0, 0},
		"READ RECORD SFI 2 record 3": apdu.ReadRecord(2, 3),
	} {
		if got := apdu.Name(b); got != want {
			t.Errorf("%X: %s, want %s", b, got, want)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add(apdu.GPO([]byte{1, 2, 3}))
	f.Add(apdu.ReadRecord(1, 1))
	f.Add([]byte{0, 0xA4, 4, 0, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := apdu.ParseCommand(b)
		if err != nil {
			if !errors.Is(err, apdu.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again := c.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("%X became %X", b, again)
		}
	})
}

// No response makes the view show a sensitive object.
func FuzzMasked(f *testing.F) {
	f.Add(apdu.ReadRecord(1, 1), unhex(f, "700A5A0862999901357024689000"))
	f.Add([]byte{0, 0x20, 0, 0x80}, unhex(f, "6A82"))
	f.Fuzz(func(t *testing.T, command, response []byte) {
		v := apdu.Exchange{Command: command, Response: response}.Masked()
		if len(v.Response) > len(response) {
			t.Fatal("the view is longer than the response")
		}
		if v.Response == nil {
			return
		}
		err := tlv.Walk(v.Response[:len(v.Response)-2], func(_ int, o tlv.TLV) error {
			if info, _ := tag.EMV.Lookup(o.Tag); info.Sensitive {
				t.Fatalf("%s is shown", o.Tag)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("the view is not TLV: %v", err)
		}
	})
}

func BenchmarkMasked(b *testing.B) {
	body := tlv.Append(nil, 0x90, make([]byte, 176))
	body = tlv.Append(body, 0x8F, []byte{0xE1})
	e := apdu.Exchange{Command: apdu.ReadRecord(1, 1), Response: append(tlv.Append(nil, 0x70, body), 0x90, 0)}
	b.ReportAllocs()
	for b.Loop() {
		if v := e.Masked(); v.SW != 0x9000 {
			b.Fatal(v.SW)
		}
	}
}

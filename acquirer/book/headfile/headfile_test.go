package headfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/book/headfile"
	"huika/pay"
)

func TestHeadsSurviveAndForgeryShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heads")
	key := pay.NewSecret([]byte("0123456789abcdef"))
	k, err := headfile.Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 3; seq++ {
		if err := k.Keep([]book.MerchantHead{{Merchant: "M1", Head: book.Head{Seq: seq, Hash: book.Hash{byte(seq)}}}, {Merchant: "M2", Head: book.Head{Seq: seq * 10}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k, err = headfile.Open(path, key); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	heads, err := headfile.Read(path, key)
	if err != nil || heads["M1"] != (book.Head{Seq: 3, Hash: book.Hash{3}}) || heads["M2"].Seq != 30 {
		t.Fatalf("%v %v", heads, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"changed":   strings.Replace(string(text), "M1 3", "M1 2", 1),
		"other key": "M1 9 " + strings.Repeat("00", 32) + " " + strings.Repeat("00", 16) + "\n",
		"garbage":   "hello\n",
	} {
		if err := os.WriteFile(path, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := headfile.Read(path, key); !errors.Is(err, headfile.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A line cut by a crash is no forgery.
	if err := os.WriteFile(path, text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if heads, err := headfile.Read(path, key); err != nil || len(heads) != 1 {
		t.Fatalf("torn: %v %v", heads, err)
	}
}

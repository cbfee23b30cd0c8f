package perso

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"huika/emv/oda"
)

const good = `name: visa-gold
desk: 7
scheme: visa
form: card
title: {zh: 金卡, en: Gold}
hint: {zh: 试, en: a trial}
account: {number: "476173900000001", sequence: "01", balance: 10.00}
application: {aid: A0000000031010, label: VISA}
cryptogram: "18"
`

const variant = `name: visa-copy
like: visa-gold
form: card
title: {zh: 抄, en: Copy}
hint: {zh: 试, en: a trial}
misbehaves: [wrong-chip-key]
`

// Every refusal names the file and the field.
func TestProfileRefused(t *testing.T) {
	read := func(texts map[string]string) ([]Profile, error) {
		var files []string
		for f := range texts {
			files = append(files, f)
		}
		return readProfiles(func(f string) ([]byte, error) {
			if text, ok := texts[f]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		}, files)
	}
	const file, other = "profiles/visa-gold.yaml", "profiles/visa-copy.yaml"
	if list, err := read(map[string]string{file: good, other: variant}); err != nil || len(list) != 2 || list[1].Account != "visa-gold" || list[1].OnDesk {
		t.Fatal("the good ones:", list, err)
	}
	for _, c := range []struct{ file, old, new, want string }{
		{file, "name: visa-gold", "name: visa-silver", "name: "}, {file, "name: visa-gold", "name: Visa Gold", "name: "},
		{file, "desk: 7", "desk: -1", "desk: "}, {file, "desk: 7", "desk: first", "line 2"}, {file, "desk: 7", "desk: 7\ndesk: 8", "desk"},
		{file, "desk: 7", "decks: 7", "line 2: there is no field decks"}, {file, "scheme: visa", "scheme: viza", "scheme: "}, {file, "scheme: visa\n", "", "scheme: "},
		{file, "form: card", "form: ring", "form: "}, {file, "zh: 金卡, ", "", "title: "}, {file, ", en: a trial", "", "hint: "},
		{file, `"476173900000001"`, `"476173900000001x"`, "line 7"}, {file, `"476173900000001"`, `"476174900000001"`, "account.number: "},
		{file, `"476173900000001"`, `"47617390"`, "account.number: "}, {file, `sequence: "01"`, `sequence: "1"`, "account.sequence: "},
		{file, "balance: 10.00", "balance: 10.001", "line 7"}, {file, "balance: 10.00", "balance: 10.00, status: lost", "account.status: "},
		{file, "balance: 10.00", "balance: 10.00, blance: 1", "there is no field blance"},
		{file, "A0000000031010", "A0000000041010", "application.aid: "}, {file, "A0000000031010", "A0000000", "application.aid: "},
		{file, "A0000000031010", "VISA", "line 8"}, {file, "label: VISA", "label: A LABEL OF SEVENTEEN", "application.label: "},
		{file, "label: VISA", "label: VISA, par: V001", "application.par: "}, {file, "label: VISA", `label: VISA, form_factor: "2070"`, "application.form_factor: "},
		{file, `cryptogram: "18"`, `cryptogram: "16"`, "cryptogram: "}, {file, `cryptogram: "18"`, `cryptogram: "18"` + "\nbehaviour: {fast: true}", "there is no field fast"},
		{file, `cryptogram: "18"`, `cryptogram: "18"` + "\nmastercard: {counters: 8}", "mastercard: "},
		{file, `cryptogram: "18"`, `cryptogram: "18"` + "\nmisbehaves: [rude]", "misbehaves: "},
		{file, `cryptogram: "18"`, `cryptogram: "18"` + "\n---\nname: two", "more than one document"},
		{file, `cryptogram: "18"`, `cryptogram: "18"` + "\n# " + strings.Repeat("x", maxProfile), "bytes"},
		{file, "name:", "\tname:", "character"}, {file, "form: card", "form: thing", "form: a thing has"},
		{other, "like: visa-gold", "like: visa-silver", "like: "}, {other, "like: visa-gold", "like: visa-copy", "like: "},
		{other, "form: card", "form: card\ncryptogram: \"18\"", "like: "}, {other, "misbehaves:", "behaviour: {no_such: true}\nmisbehaves:", "no_such"},
	} {
		texts := map[string]string{file: good, other: variant}
		if !strings.Contains(texts[c.file], c.old) {
			t.Fatalf("%q: the test is out of date", c.old)
		}
		texts[c.file] = strings.Replace(texts[c.file], c.old, c.new, 1)
		_, err := read(texts)
		if !errors.Is(err, ErrProfile) {
			t.Errorf("%q: %v, want ErrProfile", c.new, err)
			continue
		}
		if s := err.Error(); !strings.Contains(s, c.file) || !strings.Contains(s, c.want) || strings.Contains(s, "perso.") || strings.Contains(s, "\n") {
			t.Errorf("%q: %q, want the file and %q", c.new, s, c.want)
		}
	}
	for scheme, b := range map[string]string{"unionpay": "locked", "mastercard": "signature"} {
		p := ProfilesOf(scheme)[0]
		d := *p.own
		d.Behaviour = behaviour{Locked: scheme == "unionpay", Signature: scheme == "mastercard"}
		p.own = &d
		if field, _ := p.adopt(nil); field != "behaviour."+b {
			t.Errorf("%s: %q", scheme, field)
		}
	}
}

// A data directory of the time before the other schemes' CAs gets them at its next start, and keeps what it had.
func TestOldDirectoryIsCompleted(t *testing.T) {
	dir := t.TempDir()
	old := &Issuer{
		index: TestIssuer().index, effective: TestIssuer().effective, cardEnd: TestIssuer().cardEnd, certEnd: TestIssuer().certEnd,
		cas: map[[5]byte]*oda.PrivateKey{RID: TestIssuer().cas[RID]}, issuer: TestIssuer().issuer, icc: TestIssuer().icc, imk: TestIssuer().imk,
	}
	if err := old.Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	before, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(before), "a000000003") {
		t.Fatal("the old file knows other schemes", err)
	}
	got, err := Load(dir)
	if err != nil || len(got.CAKeys()) != len(schemes())-1 {
		t.Fatal(err)
	}
	for _, k := range got.CAKeys() {
		if !IsDemoCA(k) || string(k.Modulus) != string(TestIssuer().cas[k.RID].Public().Modulus) {
			t.Errorf("CA key of %X is not what the master key gives", k.RID)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(testIssuerFile) {
		t.Error("the completed file is not the one that is made anew", err)
	}
	stamp, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err != nil {
		t.Fatal(err)
	}
	if again, err := os.Stat(path); err != nil || !again.ModTime().Equal(stamp.ModTime()) {
		t.Error("a whole file was written again", err)
	}
}

// Whatever a file holds, reading it ends, and what it takes can be made.
func FuzzProfile(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(variant))
	for _, name := range fileNames() {
		b, err := profileFiles.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parseProfile("profiles/x.yaml", text)
		if err != nil {
			if !errors.Is(err, ErrProfile) {
				t.Error(err)
			}
			return
		}
		if d.Form != FormThing && d.Like == "" {
			if _, err := d.pan(); err != nil {
				t.Errorf("a profile was taken whose number is none: %v", err)
			}
		}
	})
}

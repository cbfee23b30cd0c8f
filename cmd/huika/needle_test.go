package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// needle is one secret in one form in which it may have been written.
type needle struct {
	what, form string
	text       []byte
}

// ofDigits are the forms of a card number or PIN.
func ofDigits(what, digits string) []needle {
	out := ofBytes(what+" as text", []byte(digits))
	wide := make([]byte, 0, 2*len(digits))
	for _, u := range utf16.Encode([]rune(digits)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	out = append(out, needle{what, "UTF-16", wide})
	// Packed decimal, beginning at the high or at the low half of a byte; what
	// shares a byte with a neighbour is left out.
	for shift := range 2 {
		part := digits[shift:]
		part = part[:len(part)&^1]
		packed, err := hex.DecodeString(part)
		if err != nil {
			panic(err)
		}
		out = append(out, ofBytes(fmt.Sprintf("%s as BCD+%d", what, shift), packed)...)
	}
	return out
}

// ofBytes are the forms of a key.
func ofBytes(what string, secret []byte) []needle {
	out := []needle{
		{what, "raw", secret},
		{what, "hex", []byte(hex.EncodeToString(secret))},
		{what, "HEX", []byte(strings.ToUpper(hex.EncodeToString(secret)))},
		{what, "spaced hex", []byte(strings.TrimSpace(fmt.Sprintf("% x", secret)))},
		{what, "byte list", []byte(strings.Trim(strings.ReplaceAll(fmt.Sprint(secret), " ", ","), "[]"))},
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for before := range 3 { // bytes in front of it, in the same base64 text
			text := enc.EncodeToString(append(make([]byte, before), secret...))
			text = text[[3]int{0, 2, 3}[before] : (len(secret)+before)*8/6] // what the neighbours share is left out
			out = append(out, needle{what, fmt.Sprintf("%s+%d", name, before), []byte(text)})
		}
	}
	return out
}

// search finds every needle in a haystack.
func search(needles []needle, hay []byte) (found []string) {
	for _, n := range needles {
		if len(n.text) >= minNeedle && bytes.Contains(hay, n.text) {
			found = append(found, n.what+" ("+n.form+")")
		}
	}
	return found
}

// minNeedle keeps out what random bytes hold by chance.
const minNeedle = 5

// The search bites: each form of each secret is found where it was planted.
func TestNeedlesAreFound(t *testing.T) {
	digits, key := "6299990123456789017", []byte("\x00\xFF\x10 sixteen keys")
	for _, planted := range [][]byte{
		[]byte("PAN=" + digits + ";"), []byte(hex.EncodeToString([]byte(digits))), mustHex("5713" + digits + "D30122"), mustHex("5A0A" + digits + "F"),
		mustHex("0C" + "F" + digits + "0"), []byte("x" + base64.StdEncoding.EncodeToString([]byte("a"+digits+"zz"))),
		[]byte(base64.URLEncoding.EncodeToString(mustHex(digits + "F"))), []byte(fmt.Sprint("5A: ", strings.ToUpper(hex.EncodeToString(mustHex(digits+"F"))))),
		{'6', 0, '2', 0, '9', 0, '9', 0, '9', 0, '9', 0, '0', 0, '1', 0, '2', 0, '3', 0, '4', 0, '5', 0, '6', 0, '7', 0, '8', 0, '9', 0, '0', 0, '1', 0, '7', 0},
	} {
		if len(search(ofDigits("PAN", digits), planted)) == 0 {
			t.Errorf("not found in %q", planted)
		}
	}
	for _, planted := range [][]byte{
		append([]byte("k"), key...), []byte(hex.EncodeToString(key)), fmt.Appendf(nil, "%X", key), fmt.Appendf(nil, "key=% x", key), fmt.Appendf(nil, "%v", key),
		[]byte(base64.StdEncoding.EncodeToString(append([]byte("ab"), key...))),
	} {
		if len(search(ofBytes("key", key), bytes.ReplaceAll(planted, []byte(" 1"), []byte(" 1")))) == 0 && !bytes.Contains(planted, []byte("[")) {
			t.Errorf("not found in %q", planted)
		}
	}
	if found := search(append(ofDigits("PAN", digits), ofBytes("key", key)...), []byte("629999*********9017 and "+strings.Repeat("a", 500))); len(found) > 0 {
		t.Errorf("found in what holds none: %v", found)
	}
}

func mustHex(s string) []byte {
	if len(s)%2 == 1 {
		s += "F"
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

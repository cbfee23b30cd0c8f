package terminal_test

import (
	"testing"

	"huika/iso8583"
	"huika/nfc"
	"huika/terminal"
)

// Every reason has words in both languages, once; every response code but 00 has a reason with words.
func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range terminal.Reasons() {
		if seen[w.Reason] || w.ZH == "" || w.EN == "" || w.NextZH == "" || w.NextEN == "" {
			t.Errorf("%q is double or lacks words", w.Reason)
		}
		seen[w.Reason] = true
	}
	for _, r := range iso8583.Responses() {
		word := terminal.ReasonOfResponse(r.Code)
		if _, ok := terminal.Explain(word); ok != (r.Code != "00") {
			t.Errorf("code %s has reason %q, explained: %v", r.Code, word, ok)
		}
	}
	for _, c := range []nfc.Condition{nfc.Unplugged, nfc.Hung, nfc.Busy, nfc.Taken, nfc.Disabled, nfc.NoService, nfc.Closed} {
		if _, ok := terminal.Explain("reader_" + string(c)); !ok {
			t.Errorf("no words for a reader that is %s", c)
		}
	}
	if _, ok := terminal.Explain("nonsense"); ok {
		t.Error("nonsense is explained")
	}
}

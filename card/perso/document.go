package perso

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"huika/pay"
)

// ErrProfile is wrapped by what is wrong with a profile; the text names the
// profile's file and the field.
var ErrProfile = errors.New("card profile")

// maxProfile bounds a profile's file, in bytes.
const maxProfile = 16 << 10

// document is a profile as its file writes it. A field that is not here, or
// twice in the file, is an error.
type document struct {
	Name   string `yaml:"name"`   // as the file is called
	Desk   int    `yaml:"desk"`   // place on the desk, lower ones first; 0: not on the desk
	Scheme string `yaml:"scheme"` // a row of schemes; none for what is no payment card
	Form   Form   `yaml:"form"`
	Title  words  `yaml:"title"`
	Hint   words  `yaml:"hint"` // what it is for, in a few words

	// Like names the profile whose scheme, account, application, cryptogram and
	// scheme's own block it has: a clone, or a device in another state.
	Like string `yaml:"like"`

	Account     accountDoc     `yaml:"account"`
	Application applicationDoc `yaml:"application"`
	Cryptogram  string         `yaml:"cryptogram"` // version, as the scheme's people write it
	ChipKey     string         `yaml:"chip_key"`   // which chip key of the demo; default: the profile's name
	Behaviour   behaviour      `yaml:"behaviour"`
	Misbehaves  []misbehaviour `yaml:"misbehaves"`

	// What one scheme alone needs; a new scheme adds a line.
	UnionPay   *unionPayDoc   `yaml:"unionpay"`
	Mastercard *mastercardDoc `yaml:"mastercard"`
	C8         *c8Doc         `yaml:"c8"`
}

type words struct {
	ZH string `yaml:"zh"`
	EN string `yaml:"en"`
}

type accountDoc struct {
	Number   digits `yaml:"number"`   // card number without its check digit
	Sequence digits `yaml:"sequence"` // two digits, 5F34
	Balance  fen    `yaml:"balance"`  // CNY
	Status   string `yaml:"status"`   // ok or blocked; default ok
	Expired  bool   `yaml:"expired"`
}

type applicationDoc struct {
	AID           hexBytes `yaml:"aid"`
	Label         string   `yaml:"label"`          // 50
	PreferredName string   `yaml:"preferred_name"` // 9F12
	KernelID      *bool    `yaml:"kernel_id"`      // the directory entry has 9F2A; default true
	CID           bool     `yaml:"cid"`            // sends 9F27 where it may leave it out
	PAR           string   `yaml:"par"`            // 9F24, 29 characters
	FormFactor    hexBytes `yaml:"form_factor"`    // 9F6E
}

// behaviour are the choices of the issuer, and what a device's holder did. Each
// scheme's row says which of them its cards know.
type behaviour struct {
	CDCVM             bool `yaml:"cdcvm"`      // the holder unlocked the device
	Locked            bool `yaml:"locked"`     // the device asks for its holder
	PINAlways         bool `yaml:"pin_always"` // the online PIN at any amount
	Signature         bool `yaml:"signature"`  // takes a signature where there is no online PIN
	OnlineIfODAFails  bool `yaml:"online_if_oda_fails"`
	SwitchIfODAFails  bool `yaml:"switch_if_oda_fails"` // to another interface
	OnlineIfExpired   bool `yaml:"online_if_expired"`
	SwitchForCash     bool `yaml:"switch_for_cash"`
	SwitchForCashback bool `yaml:"switch_for_cashback"`
	IssuerUpdate      bool `yaml:"issuer_update"` // takes issuer updates at a second tap
	NoODA             bool `yaml:"no_oda"`        // knows no offline data authentication
	OfflineLimit      fen  `yaml:"offline_limit"` // the largest amount that it approves offline
}

// misbehaviour is a way in which a card betrays that it is not what it says.
type misbehaviour string

// Misbehaviours, each the counterpart of one security check.
const (
	wrongChipKey   misbehaviour = "wrong-chip-key"  // signs with a key that its certificate does not hold
	wrongCardKey   misbehaviour = "wrong-card-key"  // makes cryptograms under a key that its issuer never made
	alteredRecord  misbehaviour = "altered-record"  // a signed record was changed after it was signed
	wrongAuthority misbehaviour = "wrong-authority" // certified by another scheme's authority
	frozenCounter  misbehaviour = "frozen-counter"  // its counter stands still: it repeats cryptograms
)

var misbehaviours = []misbehaviour{wrongChipKey, wrongCardKey, alteredRecord, wrongAuthority, frozenCounter}

func (d *document) does(m misbehaviour) bool { return slices.Contains(d.Misbehaves, m) }

// digits, hexBytes and fen read a scalar as it is written: YAML's own reading would
// take 0012 for a number.
type (
	digits   string
	hexBytes []byte
	fen      int64
)

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *digits) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Value == "" || strings.Trim(n.Value, "0123456789") != "" {
		return fmt.Errorf("line %d: want digits", n.Line)
	}
	*d = digits(n.Value)
	return nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (h *hexBytes) UnmarshalYAML(n *yaml.Node) error {
	b, err := hex.DecodeString(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode || len(b) == 0 {
		return fmt.Errorf("line %d: want hex digits, two a byte", n.Line)
	}
	*h = b
	return nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *fen) UnmarshalYAML(n *yaml.Node) error {
	m, err := pay.ParseMoney(n.Value, pay.CNY)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want an amount in CNY, such as 100.00", n.Line)
	}
	*f = fen(m.Minor)
	return nil
}

// parseProfile reads one file. Errors: ErrProfile.
func parseProfile(file string, text []byte) (*document, error) {
	bad := func(why string) (*document, error) { return nil, fmt.Errorf("%w %s: %s", ErrProfile, file, why) }
	if len(text) > maxProfile {
		return bad(fmt.Sprintf("%d bytes, want at most %d", len(text), maxProfile))
	}
	d := &document{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(d); err != nil {
		return bad(plainYAML(err))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return bad("holds more than one document")
	}
	if field, why := d.check(); field != "" {
		return bad(field + ": " + why)
	}
	return d, nil
}

// plainYAML are the decoder's words without the names of our types.
func plainYAML(err error) string {
	s := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", ""), "yaml: ")
	s = strings.TrimSpace(strings.TrimPrefix(s, "unmarshal errors:"))
	if at := strings.Index(s, " not found in type "); at >= 0 {
		s = strings.Replace(s[:at], ": field ", ": there is no field ", 1)
	}
	return s
}

// check finds the first field that can't be, and says why; "" where none.
func (d *document) check() (field, why string) {
	switch {
	case d.Name == "" || strings.Trim(d.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return "name", "want small letters, digits and hyphens"
	case d.Desk < 0:
		return "desk", "want a number from 0 on"
	case !slices.Contains([]Form{FormCard, FormPhone, FormWatch, FormBand, FormThing}, d.Form):
		return "form", fmt.Sprintf("%q: want card, phone, watch, band or thing", d.Form)
	case d.Title.ZH == "" || d.Title.EN == "":
		return "title", "want zh and en"
	case d.Hint.ZH == "" || d.Hint.EN == "":
		return "hint", "want zh and en"
	}
	for _, m := range d.Misbehaves {
		if !slices.Contains(misbehaviours, m) {
			return "misbehaves", fmt.Sprintf("%q: want one of %v", m, misbehaviours)
		}
	}
	switch {
	case d.Form == FormThing:
		return d.checkThing()
	case d.Like != "":
		return d.checkLike()
	}
	return d.checkCard()
}

// checkThing: a thing has words only.
func (d *document) checkThing() (field, why string) {
	words := document{Name: d.Name, Desk: d.Desk, Form: d.Form, Title: d.Title, Hint: d.Hint}
	if !reflect.DeepEqual(*d, words) {
		return "form", "a thing has name, desk, title and hint only"
	}
	return "", ""
}

// checkLike: what comes from the other profile is not said again.
func (d *document) checkLike() (field, why string) {
	own := *d
	own.Scheme, own.Cryptogram, own.Account, own.Application, own.UnionPay, own.Mastercard, own.C8 = "", "", accountDoc{}, applicationDoc{}, nil, nil, nil
	if !reflect.DeepEqual(*d, own) {
		return "like", "scheme, account, application, cryptogram and the scheme's own block are those of " + d.Like + ": leave them out"
	}
	if d.Like == d.Name {
		return "like", "names itself"
	}
	return "", ""
}

// PAR and PAN lengths.
const (
	parLen             = 29
	minNumber, maxPart = 12, 18 // digits before the check digit
)

func (d *document) checkCard() (field, why string) {
	a, x := &d.Account, &d.Application
	s, known := schemeByName(d.Scheme)
	switch {
	case !known:
		return "scheme", fmt.Sprintf("%q: want one of %s", d.Scheme, strings.Join(schemeNames(), ", "))
	case len(a.Number) < minNumber || len(a.Number) > maxPart:
		return "account.number", fmt.Sprintf("want %d to %d digits, the check digit left out", minNumber, maxPart)
	case !strings.HasPrefix(string(a.Number), s.issuer):
		return "account.number", "want a number of the demo's range " + s.issuer
	case len(a.Sequence) != 2:
		return "account.sequence", "want two digits"
	case a.Status != "" && a.Status != StatusOK && a.Status != StatusBlocked:
		return "account.status", fmt.Sprintf("%q: want ok or blocked", a.Status)
	case len(x.AID) < 5 || len(x.AID) > 16 || [5]byte(x.AID) != s.rid:
		return "application.aid", fmt.Sprintf("want 5 to 16 bytes that begin with %X", s.rid)
	case x.Label == "" || len(x.Label) > 16:
		return "application.label", "want 1 to 16 characters"
	case len(x.PreferredName) > 16:
		return "application.preferred_name", "want at most 16 characters"
	case x.PAR != "" && len(x.PAR) != parLen:
		return "application.par", fmt.Sprintf("has %d characters, want %d", len(x.PAR), parLen)
	}
	return s.check(d)
}

// unknownBehaviour names the first behaviour that is set and not in known.
func (b behaviour) unknownBehaviour(known string) string {
	v := reflect.ValueOf(b)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if !v.Field(i).IsZero() && !slices.Contains(strings.Fields(known), name) {
			return name
		}
	}
	return ""
}

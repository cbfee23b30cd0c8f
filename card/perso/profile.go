package perso

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"huika/pay"
)

// Form is what a card looks like on the desk.
type Form string

// Forms.
const (
	FormCard  Form = "card"
	FormPhone Form = "phone"
	FormWatch Form = "watch"
	FormBand  Form = "band"
	FormThing Form = "thing" // no payment card
)

// Profile is one card by name, with the words that a screen shows for it. It is
// made from a file of the folder profiles, which a person can read and change.
type Profile struct {
	Name             string
	TitleZH, TitleEN string
	HintZH, HintEN   string // what it is for, in a few words
	Form             Form
	Scheme           string // "unionpay", "visa", …; "" for things
	Account          string // the profile whose account it draws on; "" for things
	OnDesk           bool   // lies on the desk of the demo

	own   *document // behind pointers, so that printing a Profile shows no card number
	owner *document // of the card whose data it carries: its own, except for clones and other states of a device
}

//go:embed profiles/*.yaml
var profileFiles embed.FS

// profiles are all of them, in the order of the desk, those beside it last.
var profiles = sync.OnceValue(func() []Profile {
	list, err := readProfiles(profileFiles.ReadFile, fileNames())
	if err != nil {
		panic(err) // the embedded files are part of the program; a test reads them
	}
	return list
})

func fileNames() []string {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		panic(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, path.Join("profiles", e.Name()))
	}
	return names
}

// readProfiles reads a whole set of files. Errors: ErrProfile, those of read.
func readProfiles(read func(string) ([]byte, error), files []string) ([]Profile, error) {
	docs := make(map[string]*document, len(files))
	for _, f := range files {
		text, err := read(f)
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrProfile, f, err)
		}
		d, err := parseProfile(f, text)
		if err != nil {
			return nil, err
		}
		if path.Base(f) != d.Name+".yaml" {
			return nil, fmt.Errorf("%w %s: name: %q is not the file's name", ErrProfile, f, d.Name)
		}
		docs[d.Name] = d
	}
	list := make([]Profile, 0, len(docs))
	for _, d := range docs {
		p := Profile{
			Name: d.Name, TitleZH: d.Title.ZH, TitleEN: d.Title.EN, HintZH: d.Hint.ZH, HintEN: d.Hint.EN, Form: d.Form,
			OnDesk: d.Desk > 0, own: d, owner: d,
		}
		if field, why := p.adopt(docs); field != "" {
			return nil, fmt.Errorf("%w profiles/%s.yaml: %s: %s", ErrProfile, d.Name, field, why)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Profile) int {
		last := func(p Profile) int { return cmp.Or(p.own.Desk, 1<<30) }
		return cmp.Or(cmp.Compare(last(a), last(b)), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

// adopt gives a profile the scheme and account of its owner.
func (p *Profile) adopt(docs map[string]*document) (field, why string) {
	if p.Form == FormThing {
		return "", ""
	}
	if p.own.Like != "" {
		if p.owner = docs[p.own.Like]; p.owner == nil || p.owner.Like != "" || p.owner.Form == FormThing {
			return "like", p.own.Like + " is no card with data of its own"
		}
	}
	p.Scheme, p.Account = p.owner.Scheme, p.owner.Name
	s, _ := schemeByName(p.Scheme) // its own check has seen that it is there
	if b := p.own.Behaviour.unknownBehaviour(s.behaves); b != "" {
		return "behaviour." + b, "cards of " + s.name + " know " + s.behaves
	}
	return "", ""
}

// Profiles are all cards and things that lie on the desk, in its order.
func Profiles() []Profile {
	return slices.DeleteFunc(AllProfiles(), func(p Profile) bool { return !p.OnDesk })
}

// AllProfiles are Profiles and behind them those that tests and the command line know by name only.
func AllProfiles() []Profile { return slices.Clone(profiles()) }

// ProfilesOf are those of one scheme.
func ProfilesOf(scheme string) []Profile {
	return slices.DeleteFunc(AllProfiles(), func(p Profile) bool { return p.Scheme != scheme })
}

// ProfileByName finds one; false where there is none of that name.
func ProfileByName(name string) (Profile, bool) {
	list := profiles()
	i := slices.IndexFunc(list, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return list[i], true
}

// pan is the card number with its check digit.
func (d *document) pan() (pay.PAN, error) {
	body := string(d.Account.Number)
	return pay.ParsePAN(body + string(pay.LuhnDigit(body)))
}

// psn is 5F34.
func (d *document) psn() byte {
	s := d.Account.Sequence // two digits
	return (s[0]-'0')<<4 | (s[1] - '0')
}

// chipKey is the name of the key that signs for a profile: a clone's own, else its owner's.
func (p Profile) chipKey() string {
	if p.own.does(wrongChipKey) {
		return cmp.Or(p.own.ChipKey, p.own.Name)
	}
	return p.owner.certified()
}

// certified is the name of the chip key that the certificate holds.
func (d *document) certified() string { return cmp.Or(d.ChipKey, d.Name) }

// kernelID is 9F2A of the directory entry, nil where the card leaves it out.
func (d *document) kernelID(id byte) []byte {
	if d.Application.KernelID != nil && !*d.Application.KernelID {
		return nil
	}
	return []byte{id}
}

// keyNames are the chip keys that a profile needs.
func (p Profile) keyNames() []string {
	if p.Form == FormThing || p.Scheme == C8 { // those have keys on a curve, made from the master key
		return nil
	}
	return []string{p.owner.certified(), p.chipKey()}
}

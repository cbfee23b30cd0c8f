package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"huika/pay"
)

// pairedFor is how long a browser stays paired.
const pairedFor = 30 * 24 * time.Hour

// Pairing lets only browsers in that were shown the pairing address, which
// stands on the terminal's own console. The cookie is a random id with a MAC
// under the pairing key, so a restart with the same key keeps its browsers,
// and a new key turns all of them away.
type Pairing struct {
	key    pay.Secret
	cookie string
}

// NewPairing takes a key of 32 random bytes. The listener's port goes into the
// cookie's name, because browsers share cookies between ports of one host.
func NewPairing(key pay.Secret, port string) *Pairing {
	return &Pairing{key: key, cookie: "huika_pair_" + port}
}

func (p *Pairing) mac(label, value string) string {
	m := hmac.New(sha256.New, p.key.Reveal())
	m.Write([]byte(label + "\x00" + value))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// Path is the pairing address on this server: "/pair?token=…".
func (p *Pairing) Path() string { return "/pair?token=" + p.mac("pair", "") }

// Serve handles GET /pair: a right token sets the cookie and goes on to the page.
func (p *Pairing) Serve(w http.ResponseWriter, r *http.Request) {
	if !hmac.Equal([]byte(r.URL.Query().Get("token")), []byte(p.mac("pair", ""))) {
		NewProblem(http.StatusUnauthorized, "pairing_token", "this pairing address is not valid",
			"open the address that the program printed when it started").Write(w)
		return
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // crypto/rand ends the process where it can't read
	value := hex.EncodeToString(id[:])
	http.SetCookie(w, &http.Cookie{
		Name: p.cookie, Value: value + "." + p.mac("cookie", value), Path: "/",
		MaxAge: int(pairedFor / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// Paired tells whether the request comes from a paired browser.
func (p *Pairing) Paired(r *http.Request) bool {
	c, err := r.Cookie(p.cookie)
	if err != nil {
		return false
	}
	value, mac, ok := strings.Cut(c.Value, ".")
	return ok && hmac.Equal([]byte(mac), []byte(p.mac("cookie", value)))
}

// Require refuses requests from browsers that are not paired.
func (p *Pairing) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.Paired(r) {
			NewProblem(http.StatusUnauthorized, "not_paired", "this browser is not paired with the terminal",
				"open the pairing address that the program printed when it started").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

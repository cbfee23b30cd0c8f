package guard

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Marks in a built index.html, replaced at every answer.
const (
	nonceMark = "HUIKA_NONCE"
	demoMark  = "HUIKA_DEMO"
)

// Page serves an embedded single-page app: index.html with a fresh nonce, and
// the hashed files under assets/.
type Page struct {
	Files fs.FS
	Demo  string // origin of the demo listener, "" in live
}

// policy is the content security policy of the page. Styles need no exception:
// React sets them through the object model, which the policy does not cover.
func (p Page) policy(nonce string) string {
	connect := "'self'"
	if p.Demo != "" {
		connect += " " + p.Demo
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self' 'nonce-" + nonce + "'", "style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data:", "font-src 'self'", "manifest-src 'self'", "connect-src " + connect,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "object-src 'none'", "require-trusted-types-for 'script'",
	}, "; ")
}

// ServeHTTP answers GET and HEAD of "/" and of files; anything else is 404.
func (p Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		p.index(w)
		return
	}
	if st, err := fs.Stat(p.Files, name); err != nil || st.IsDir() {
		NewProblem(http.StatusNotFound, "no_page", "there is no such page", "go to /").Write(w)
		return
	}
	if strings.HasPrefix(name, "assets/") { // the name holds a hash of the content
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, p.Files, name)
}

func (p Page) index(w http.ResponseWriter) {
	b, err := fs.ReadFile(p.Files, "index.html")
	if err != nil {
		NewProblem(http.StatusInternalServerError, "no_page", "the page is missing from the program", "run make build").Write(w)
		return
	}
	var raw [18]byte
	_, _ = rand.Read(raw[:]) // crypto/rand ends the process where it can't read
	nonce := base64.RawURLEncoding.EncodeToString(raw[:])
	b = bytes.ReplaceAll(b, []byte(nonceMark), []byte(nonce))
	b = bytes.ReplaceAll(b, []byte(demoMark), []byte(html.EscapeString(p.Demo)))
	w.Header().Set("Content-Security-Policy", p.policy(nonce))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(b)
}

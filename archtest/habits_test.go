package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folders are those of docs/ARCHITECTURE.md and the ones that hold no part of the program.
var folders = strings.Fields(`cmd site rt pay emv card nfc iso8583 keys quantum qr ecny terminal acquirer world httpapi sim web docs
	archtest tools scripts .ci`)

// vague are package names that say nothing.
var vague = strings.Fields(`util utils common helper helpers manager managers misc shared lib base core`)

// maxLines is where a file is about more than one thing.
const maxLines = 600

func TestFolders(t *testing.T) {
	for _, p := range repo(t) {
		top, _, below := strings.Cut(p, "/")
		if below && !slices.Contains(folders, top) {
			t.Errorf("%s: the architecture has no folder %s", p, top)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	docs := make(map[string]string) // folder → its doc comment
	names := make(map[string]string)
	for _, f := range sources(t) {
		if f.test() {
			continue
		}
		names[f.folder()] = f.ast.Name.Name
		docs[f.folder()] += f.ast.Doc.Text()
	}
	for folder, doc := range docs {
		name := names[folder]
		start := "Package " + name + " "
		if name == "main" {
			start = "Command "
		}
		switch {
		case !strings.HasPrefix(doc, start) && !(name == "main" && len(doc) > 0):
			t.Errorf("%s: its doc comment does not begin with %q: %.60q", folder, start, doc)
		case len(doc) < 80:
			t.Errorf("%s: a doc comment of %d characters says too little: %q", folder, len(doc), doc)
		}
		for part := range strings.SplitSeq(folder+"/"+name, "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q says nothing", folder, part)
			}
		}
	}
}

func TestFileSizes(t *testing.T) {
	for _, p := range repo(t) {
		switch filepath.Ext(p) {
		case ".go", ".ts", ".tsx", ".css":
		default:
			continue
		}
		if strings.HasSuffix(p, "_test.go") || strings.Contains(p, ".test.") || strings.HasPrefix(p, "web/test") {
			continue
		}
		b := read(t, p)
		head := b[:min(len(b), 400)]
		if bytes.Contains(head, []byte("Code generated")) || bytes.Contains(head, []byte("auto-generated")) {
			continue
		}
		if n := bytes.Count(b, []byte("\n")); n > maxLines {
			t.Errorf("%s: %d lines, more than %d", p, n, maxLines)
		}
	}
}

// TestNoLocalNames: nothing in the repository knows where it was written. The
// names are put together here so that this file does not match itself.
func TestNoLocalNames(t *testing.T) {
	const vectors = "shared" + "/vectors"
	names := []string{
		"/wo" + "rk/", ".lib" + "rary", "/tmp/hui" + "ka", vectors, "shared" + "/design",
		"proxy.golang" + ".org", "sum.golang" + ".org", "registry.npmjs" + ".org", "deb.debian" + ".org",
	}
	for _, p := range repo(t, "testdata") {
		if p == "go.sum" || p == "tools/go.sum" {
			continue
		}
		b := read(t, p)
		for _, name := range names {
			if name == vectors && p == ".ci/run" {
				continue // the one place that may know
			}
			if i := bytes.Index(b, []byte(name)); i >= 0 {
				t.Errorf("%s:%d: names %q", p, 1+bytes.Count(b[:i], []byte("\n")), name)
			}
		}
		if filepath.Base(p) == "package-lock.json" && bytes.Contains(b, []byte(`"resolved": "http`)) {
			t.Errorf("%s: holds hosts: set omit-lockfile-registry-resolved=true in .npmrc and make it again", p)
		}
	}
}

func read(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", p))
	if err != nil {
		if os.IsNotExist(err) {
			return nil // a build's temporary file that has gone since
		}
		t.Fatal(err)
	}
	return b
}

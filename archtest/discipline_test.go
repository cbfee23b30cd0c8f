package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// Everything below these folders waits through rt.Env and nothing else, so that
// package sim can run it one task at a time.
var disciplined = []string{"terminal", "acquirer", "world", "nfc"}

// Codecs and kernels wait for nothing and take clock, randomness and I/O as arguments.
var pure = []string{"emv", "iso8583", "keys", "qr", "ecny"}

var impure = []string{"iso8583/link"} // framing and connections: it has an rt.Env

// banned are functions and types of the standard library, by import path.
var banned = map[string][]string{
	"time":        {"Now", "Sleep", "After", "NewTimer", "NewTicker", "Tick", "AfterFunc", "Since", "Until", "Timer", "Ticker"},
	"sync":        {"Cond", "NewCond", "WaitGroup"},
	"context":     {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc"},
	"crypto/rand": {"Reader", "Read", "Text", "Prime"}, // Int of a given reader is right
	"net":         {"Dial", "DialTimeout", "Dialer", "Listen", "ListenPacket", "ListenConfig", "Pipe"},
}

// bannedImports bring in randomness that no seed decides.
var bannedImports = []string{"math/rand", "math/rand/v2"}

// impureImports have no place in a codec or a kernel.
var impureImports = append([]string{"net", "os", "net/http", "database/sql", "log"}, bannedImports...)

// exemption is the first line of a file that may break the discipline, with its reason.
const exemption = "//rt:exempt "

// exempt gives the reason that a file states, and whether it states one.
func exempt(f *ast.File) (string, bool) {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, exemption); ok && len(strings.Fields(reason)) >= 3 {
				return strings.TrimSpace(reason), true
			}
		}
	}
	return "", false
}

// breaches lists where a file waits on its own, as "line: what".
func breaches(fset *token.FileSet, f *ast.File) []string {
	var out []string
	report := func(n ast.Node, format string, args ...any) {
		out = append(out, fmt.Sprintf("%d: %s", fset.Position(n.Pos()).Line, fmt.Sprintf(format, args...)))
	}
	local := make(map[string]string) // the name in this file → import path
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := lastPart(path)
		if i.Name != nil {
			name = i.Name.Name
		}
		local[name] = path
		if slices.Contains(bannedImports, path) {
			report(i, "imports %s", path)
		}
		if _, ok := banned[path]; ok && name == "." {
			report(i, "dot import of %s", path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "go statement")
		case *ast.SelectStmt:
			report(n, "select")
		case *ast.ChanType:
			report(n, "chan type")
		case *ast.SendStmt:
			report(n, "send")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				report(n, "receive")
			}
		case *ast.RangeStmt:
			if call, ok := n.X.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Done" {
					report(n, "range over Done")
				}
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(banned[local[x.Name]], n.Sel.Name) {
				report(n, "%s.%s", x.Name, n.Sel.Name)
			}
		}
		return true
	})
	return out
}

func TestDiscipline(t *testing.T) {
	for _, f := range sources(t) {
		if f.test() || suite(f.folder()) || !under(f.folder(), disciplined...) {
			continue
		}
		found := breaches(f.fset, f.ast)
		if reason, ok := exempt(f.ast); ok {
			t.Logf("exempt: %s: %s", f.path, reason)
			if len(found) == 0 {
				t.Errorf("%s: exempt for no reason: nothing in it breaks the discipline", f.path)
			}
			continue
		}
		for _, b := range found {
			t.Errorf("%s:%s", f.path, b)
		}
	}
}

// TestPurity holds codecs and kernels to their arguments.
func TestPurity(t *testing.T) {
	for _, f := range sources(t) {
		if f.test() || suite(f.folder()) || !under(f.folder(), pure...) || under(f.folder(), impure...) {
			continue
		}
		for _, i := range f.imports() {
			if slices.Contains(impureImports, i) {
				t.Errorf("%s: imports %s", f.path, i)
			}
		}
		for _, b := range breaches(f.fset, f.ast) {
			t.Errorf("%s:%s", f.path, b)
		}
	}
}

// TestDisciplineCatches plants every breach.
func TestDisciplineCatches(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{`func f() { go f() }`, "go statement"},
		{`func f() { select {} }`, "select"},
		{`var c chan int`, "chan type"},
		{`func f() { <-ctx.Done() }`, "receive"},
		{`func f() { for range ctx.Done() {} }`, "range over Done"},
		{`func f() { c <- 1 }`, "send"},
		{`import "time"; var t = time.Now()`, "time.Now"},
		{`import clock "time"; var f = clock.Now`, "clock.Now"},
		{`import . "time"; var f = Now`, "dot import of time"},
		{`import "time"; var d = 3*time.Second`, ""},
		{`import "sync"; var w sync.WaitGroup`, "sync.WaitGroup"},
		{`import "sync"; var m sync.Mutex`, ""},
		{`import "context"; var f = context.WithTimeout`, "context.WithTimeout"},
		{`import "context"; var f = context.WithCancel`, ""},
		{`import "net"; var f = net.Listen`, "net.Listen"},
		{`import "crypto/rand"; var r = rand.Reader`, "rand.Reader"},
		{`import "crypto/rand"; var n, err = rand.Int(env.Rand(), limit)`, ""},
		{`import "math/rand/v2"; var n = rand.IntN(3)`, "imports math/rand/v2"},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x; "+c.code, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(breaches(fset, f), "; ")
		if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: found %q, want %q", c.code, got, c.want)
		}
	}
	for code, want := range map[string]bool{
		"//rt:exempt a blocking C call\n\npackage x":   true,
		"//rt:exempt\n\npackage x":                     false,
		"package x\n\n//rt:exempt a blocking C call\n": false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", code, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := exempt(f); ok != want {
			t.Errorf("%q: exempt %v", code, ok)
		}
	}
}

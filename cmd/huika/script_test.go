package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"huika/acquirer/book"
	"huika/acquirer/book/sqlite"
	"huika/acquirer/payment"
	"huika/card/perso"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"huika": func() { os.Exit(run(os.Args[1:])) }})
}

// The program as a person at a shell has it: what it prints, and its exit codes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("HUIKA_VECTORS", os.Getenv("HUIKA_VECTORS"))
			// Checked-in card keys: making some takes seconds, and is not what the scripts are about.
			return perso.TestIssuer().Save(filepath.Join(e.WorkDir, "data", "cards"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "field": field, "flip": flip, "tamper": tamper},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "vectors":
				return os.Getenv("HUIKA_VECTORS") != "", nil
			case "ci":
				return os.Getenv("CI") == "true", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// exits CODE COMMAND… runs a command that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		code = ended.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// field NAME VALUE: the JSON that was printed has it; NAME alone: it is there,
// and a number above zero. ! field NAME: it is not there.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: field NAME [VALUE]")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		ts.Fatalf("not JSON: %v", err)
	}
	there := true
	for part := range strings.SplitSeq(args[0], ".") {
		m, _ := v.(map[string]any)
		if v, there = m[part]; !there {
			break
		}
	}
	n, number := v.(float64)
	switch {
	case there == neg:
		ts.Fatalf("%s is there: %v", args[0], there)
	case neg:
	case len(args) == 1 && (!number || n <= 0):
		ts.Fatalf("%s is %v, want a number above zero", args[0], v)
	case len(args) == 2 && fmt.Sprint(v) != args[1]:
		ts.Fatalf("%s is %v, want %s", args[0], v, args[1])
	}
}

// flip FILE changes one bit in the middle of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// tamper DATA makes one payment of the books bigger, as a hand in the database would.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	path := filepath.Join(ts.MkAbs(args[0]), "acquirer", "books.db")
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	ts.Check(err)
	var key payment.Key
	ts.Check(book.AllPayments(ctx, s, func(_ book.Lane, p payment.Payment) error { key = p.Key; return nil }))
	ts.Check(s.Close())
	ts.Check(sqlTamper(path, key))
}

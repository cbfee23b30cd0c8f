package postgres_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/acquirer/book/booktest"
	"huika/acquirer/payment"
)

// lanesOf gives the lanes that a statement names as constants, once for each
// table or row that it touches, or says where none is.
func lanesOf(q string) (lanes []string, err error) {
	one := func(re, what string) error {
		m := regexp.MustCompile(re).FindStringSubmatch(q)
		if m == nil {
			return fmt.Errorf("no constant lane in its %s", what)
		}
		lanes = append(lanes, m[1])
		return nil
	}
	switch verb, _, _ := strings.Cut(q, " "); verb {
	case "INSERT":
		if !strings.Contains(q, "INTO payments (lane, ") && !strings.Contains(q, "INTO transfers (lane, ") && !strings.Contains(q, "INTO lanes (lane, ") {
			return nil, fmt.Errorf("lane is not its first column")
		}
		_, rows, found := strings.Cut(q, "VALUES ")
		if !found {
			return nil, fmt.Errorf("not an INSERT … VALUES, which alone goes to one shard")
		}
		rows, _, _ = strings.Cut(rows, " ON CONFLICT DO NOTHING")
		for _, row := range strings.Split(rows, "), (") {
			m := regexp.MustCompile(`^\(?(\d+), `).FindStringSubmatch(row)
			if m == nil {
				return nil, fmt.Errorf("a row without a constant lane: %s", row)
			}
			lanes = append(lanes, m[1])
		}
		return lanes, nil
	case "UPDATE", "SELECT":
		if strings.Contains(q, "unnest") || strings.Contains(q, "JOIN") {
			return nil, fmt.Errorf("more than a look at one table")
		}
		return lanes, one(`WHERE lane = (\d+)( |$)`, "condition")
	}
	return nil, fmt.Errorf("not a form that is known to go to one shard")
}

// Every statement of a batch, as the server's own log has it, names its lane
// as a constant, and the same one throughout a transaction.
func TestHotStatementsNameTheirLane(t *testing.T) {
	c := newCluster(t, "log_statement = all", "log_line_prefix = '%a %p|'")
	s := c.empty(t)
	begun := len(c.Log())
	var ops []book.Op
	for i := range 100 { // every size of statement
		k := booktest.Key(merchant, i+1)
		ops = append(ops, booktest.Admit(k, 100), book.Op{Event: payment.Approve, Key: k})
	}
	refund := booktest.Key(merchant, 200)
	refund.Kind = payment.Refund
	back := booktest.Admit(refund, 40)
	back.New.Original = ops[0].Key
	for _, batch := range [][]book.Op{ops[:1], ops[1:11], ops[11:], {back}, {ops[0]}, {{Event: payment.Approve, Key: refund}}, {{Event: payment.Reverse, Key: ops[2].Key}}} {
		if _, err := apply(t, s, batch...); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := s.Apply(t.Context(), []book.LaneBatch{{Lane: lane, Epoch: 7, Ops: ops[:1]}}); err != nil || res[0].Err != nil {
		t.Fatal(err, res)
	}
	seen := map[string]int{}
	at := regexp.MustCompile(`^huika writer \d+\|LOG:  (?:execute [^:]*|statement): (.*)$`)
	transaction := map[string]string{} // lane by session, while one is open
	for _, line := range statements(c.Log()[begun:]) {
		m := at.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		q := m[1]
		session, _, _ := strings.Cut(line, "|")
		verb, _, _ := strings.Cut(q, " ")
		switch verb {
		case "BEGIN", "COMMIT", "ROLLBACK":
			transaction[session] = ""
			continue
		case "SHOW", "SET", "--":
			continue // at the connection's beginning
		}
		lanes, err := lanesOf(q)
		if err != nil {
			t.Errorf("%v: %.200s", err, q)
			continue
		}
		for _, l := range lanes {
			if transaction[session] == "" {
				transaction[session] = l
			}
			if l != fmt.Sprint(lane) || l != transaction[session] {
				t.Errorf("lane %s in a batch of lane %d: %.200s", l, lane, q)
			}
		}
		seen[regexp.MustCompile(`^(INSERT INTO \w+|UPDATE \w+|SELECT .* FROM \w+)`).FindString(q)]++
	}
	kinds := 0
	for q, n := range seen {
		t.Logf("%4d × %.60s", n, q)
		kinds++
	}
	if kinds < 7 { // lock, find, head, three inserts, two updates
		t.Errorf("only %d kinds of statement were seen", kinds)
	}
}

// statements joins the lines that belong to one entry of the log.
func statements(log string) (out []string) {
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		if more, ok := strings.CutPrefix(line, "\t"); ok && len(out) > 0 {
			out[len(out)-1] += " " + strings.TrimSpace(more)
			continue
		}
		out = append(out, line)
	}
	return out
}

// The check itself finds what must not pass.
func TestLanesOfRefuses(t *testing.T) {
	for _, q := range []string{
		`INSERT INTO payments (lane, stan) VALUES ($1, $2)`,
		`INSERT INTO payments (lane, stan) VALUES (3, $1), ($2, $3)`,
		`INSERT INTO payments (lane, stan) SELECT 3, unnest($1)`,
		`INSERT INTO payments (stan, lane) VALUES ($1, 3)`,
		`UPDATE payments SET state = 2 WHERE merchant = $1 AND lane = $2`,
		`SELECT epoch FROM lanes WHERE owner = $1`,
		`DELETE FROM payments WHERE lane = 3`,
	} {
		if lanes, err := lanesOf(q); err == nil {
			t.Errorf("passes with %v: %s", lanes, q)
		}
	}
}

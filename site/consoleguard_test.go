package site_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"go.yaml.in/yaml/v3"

	"huika/acquirer/book"
	"huika/httpapi/apikey"
	"huika/httpapi/console"
	"huika/httpapi/idem"
	"huika/httpapi/webhook"
	"huika/rt"
	"huika/site"
)

// everyEntry is the whole reference table.
func everyEntry(t *testing.T, books book.Store) (out []book.Entry) {
	t.Helper()
	for _, kind := range []string{apikey.Kind, idem.Kind, webhook.Kind, webhook.KindCursor, "act", "view"} {
		page, err := books.(book.Reference).Entries(t.Context(), kind, "", 1000)
		check(t, err)
		out = append(out, page...)
	}
	if len(out) == 0 {
		t.Fatal("the reference table is empty")
	}
	return out
}

// described are the operations of the API's description: method, path, scope.
type described struct{ method, path, scope string }

func operations(t *testing.T) (out []described) {
	t.Helper()
	text, err := console.OpenAPI()
	check(t, err)
	var doc struct {
		Paths map[string]map[string]struct{ Description string }
	}
	check(t, yaml.Unmarshal(text, &doc))
	for path, methods := range doc.Paths {
		for method, op := range methods {
			out = append(out, described{strings.ToUpper(method), path, strings.TrimPrefix(op.Description, "Scope: ")})
		}
	}
	if len(out) < 25 {
		t.Fatalf("%d operations", len(out))
	}
	return out
}

var inPath = regexp.MustCompile(`\{[a-z]+\}`)

// Each operation refuses who has no key, and a key without its scope, and
// carries out, or refuses for its own reasons, with the right one.
func TestScopes(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(100)
	keys := map[string]string{}
	table := apikey.New(rt.Real(), d.Books.(book.Reference))
	for _, s := range apikey.Scopes {
		_, secret, err := table.Create(t.Context(), apikey.Request{Name: string(s), Scopes: []apikey.Scope{s}})
		check(t, err)
		keys[string(s)] = string(secret.Reveal())
	}
	for _, op := range operations(t) {
		if strings.HasSuffix(op.path, "/events") {
			continue // has no end; TestLiveEvents reads it
		}
		path := strings.Replace(op.path, "{ref}", sale.Ref, 1)
		path = inPath.ReplaceAllString(path, "x")
		var body any
		if op.method == http.MethodPost {
			body = map[string]string{}
		}
		nobody := d
		nobody.client = &http.Client{Timeout: 10 * time.Second}
		nobody.send(op.method, path, body).problem(401, "not_signed_in")
		forged := d
		forged.key = keys[op.scope][:len(keys[op.scope])-1] + "!"
		forged.send(op.method, path, body).problem(401, "api_key")
		for scope, key := range keys {
			with := d
			with.key = key
			r := with.send(op.method, path, body)
			switch {
			case scope != op.scope:
				r.problem(403, "scope")
			case r.status == 401, r.status == 403, r.status >= 500, strings.Contains(string(r.body), "no_operation"):
				t.Errorf("%s %s with %s: %d %s", op.method, op.path, scope, r.status, r.body)
			}
		}
	}
}

// A hostile page, another name for this machine, the terminal's pairing.
func TestConsoleDefences(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(100)
	refund := "/api/v1/payments/" + sale.Ref + "/refund"
	body := map[string]string{"reason": "x"}
	d.send("GET", "/api/v1/payments", nil, "Host", "evil.example").problem(421, "host_not_allowed")
	d.send("POST", refund, body, "Sec-Fetch-Site", "cross-site").problem(403, "cross_origin")
	d.send("POST", refund, body, "Origin", "http://evil.example").problem(403, "cross_origin")
	d.send("POST", refund, body, "Origin", "null").problem(403, "cross_origin")
	d.send("DELETE", "/api/v1/views/x", nil, "Sec-Fetch-Site", "same-site").problem(403, "cross_origin")
	d.send("POST", refund, map[string]string{"reason": strings.Repeat("x", 9000)}).problem(413, "too_large")
	d.send("POST", refund, map[string]string{"reason": strings.Repeat("x", 501)}).problem(422, "bad_request")
	d.send("GET", "/api/v1/nothing", nil).problem(404, "no_operation")
	d.send("PUT", "/api/v1/payments", nil).problem(404, "no_operation")
	d.send("GET", "/nothing", nil).problem(404, "no_page")
	d.send("GET", "/pair?token=wrong", nil).problem(401, "pairing_token")
	d.send("GET", "/api/v1/payments?limit=501", nil).problem(422, "bad_request")
	if s := d.story(sale.Ref); len(s.FollowUps) != 0 {
		t.Error("a hostile page moved money")
	}
	// The cookie: no script reads it, no other site sends it.
	at, err := url.Parse(d.ConsoleURL)
	check(t, err)
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := plain.Get(d.ConsoleURL)
	check(t, err)
	check(t, r.Body.Close())
	if c := r.Header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "huika_pair_"+at.Port()) {
		t.Errorf("cookie %q", c)
	}
	// The terminal's page has another pairing: its clerk is not the acquirer's operator.
	s := d.send("GET", "/console/", nil)
	if s.status != 200 || !strings.Contains(s.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || s.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("page: %d %v", s.status, s.header)
	}
}

func TestTerminalsPairingIsNotTheConsoles(t *testing.T) {
	cfg := site.Default()
	cfg.Data, cfg.Acquirer.Console.Listen, cfg.Terminal.Listen, cfg.Terminal.DemoListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	s, err := site.Open(rt.Real(), cfg, site.Everything, quiet)
	check(t, err)
	defer func() { check(t, s.Close()) }()
	_, posToken, _ := strings.Cut(s.POSURL, "token=")
	base, consoleToken, _ := strings.Cut(s.ConsoleURL, "token=")
	if posToken == "" || posToken == consoleToken {
		t.Fatalf("%q and %q", s.POSURL, s.ConsoleURL)
	}
	r, err := http.Get(base + "token=" + posToken)
	check(t, err)
	check(t, r.Body.Close())
	if r.StatusCode != 401 {
		t.Errorf("the terminal's token opens the console: %d", r.StatusCode)
	}
}

// Pages stand still while payments arrive, and an export is what a search shows.
func TestPagesAndExports(t *testing.T) {
	d := openDesk(t)
	var want []string
	for i := range 5 {
		want = append([]string{d.sell(int64(100 + i)).Ref}, want...)
	}
	var got []string
	for page := d.search("limit=2&kind=sale&state=approved"); ; page = d.search("limit=2&kind=sale&state=approved&after=" + page.Next) {
		for _, p := range page.Payments {
			got = append(got, p.Ref)
		}
		if page.Next == "" {
			break
		}
		d.sell(50)
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages\nhave %q\nwant %q", got, want)
	}
	d.send("GET", "/api/v1/payments?after=zzzz", nil).problem(422, "cursor")
	d.send("GET", "/api/v1/payments?after=%21", nil).problem(422, "cursor")
	d.send("GET", "/api/v1/payments?min=1.00", nil).problem(422, "filter")
	d.send("GET", "/api/v1/payments?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", nil).problem(422, "filter")
	d.send("GET", "/api/v1/payments?last4=12a4", nil).problem(422, "bad_request")
	for _, query := range []string{"", "min=1.01&max=1.03&currency=CNY", "terminal=HK000001&kind=sale&limit=500", "kind=refund", "last4=" + d.search("limit=1").Payments[0].Card[15:]} {
		shown := d.search(query + "&limit=500")
		file := d.send("GET", "/api/v1/payments/export?"+query, nil)
		rows, err := csv.NewReader(bytes.NewReader(file.body)).ReadAll()
		check(t, err)
		same(t, query, shown.Payments, rows)
		book, err := excelize.OpenReader(bytes.NewReader(d.send("GET", "/api/v1/payments/export?format=xlsx&"+query, nil).body))
		check(t, err)
		sheet, err := book.GetRows("Sheet1")
		check(t, err)
		same(t, query+" as XLSX", shown.Payments, sheet)
		check(t, book.Close())
	}
}

// same compares an export with what a search showed.
func same(t *testing.T, query string, shown []console.Payment, rows [][]string) {
	t.Helper()
	if len(rows) != len(shown)+1 {
		t.Fatalf("%s: %d rows for %d payments", query, len(rows), len(shown))
	}
	at := func(row []string, name string) string {
		if i := slices.Index(rows[0], name); i >= 0 && i < len(row) {
			return row[i]
		}
		return ""
	}
	for i, p := range shown {
		row := rows[i+1]
		have := fmt.Sprint(at(row, "ref"), at(row, "amount"), at(row, "currency"), at(row, "state"), at(row, "rrn"), at(row, "card"), at(row, "admitted"))
		want := fmt.Sprint(p.Ref, p.Amount.Amount, p.Amount.Currency, p.State, p.RRN, p.Card, p.Admitted.Format(time.RFC3339Nano))
		if have != want {
			t.Errorf("%s, row %d:\nhave %s\nwant %s", query, i, have, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	d := openDesk(t)
	sale := d.sell(12345)
	var ms struct{ Merchants []console.Merchant }
	if d.send("GET", "/api/v1/merchants", nil).into(&ms); len(ms.Merchants) != 1 || ms.Merchants[0].ID != sale.Merchant || ms.Merchants[0].Terminals != 1 {
		t.Errorf("%+v", ms)
	}
	var m console.MerchantDetail
	d.send("GET", "/api/v1/merchants/"+sale.Merchant, nil).into(&m)
	if len(m.Terminals) != 1 || !slices.ContainsFunc(m.Balances, func(b console.Balance) bool {
		return b.Account == "merchant:"+sale.Merchant && b.Amount.Amount == "123.45"
	}) {
		t.Errorf("%+v", m)
	}
	d.send("GET", "/api/v1/merchants/nobody", nil).problem(404, "no_merchant")
	var ts struct{ Terminals []console.Terminal }
	d.send("GET", "/api/v1/terminals", nil).into(&ts)
	if x := ts.Terminals; len(x) != 1 || !x[0].SignedIn || x[0].Seen.IsZero() || x[0].Last == nil || x[0].Last.Ref != sale.Ref || x[0].Batch != sale.Batch {
		t.Errorf("%+v", ts)
	}
	var st console.Status
	d.send("GET", "/api/v1/status", nil).into(&st)
	if len(st.Lanes) != 16 || !st.Lanes[3].Owned || len(st.Schemes) != 6 || !st.Schemes[0].Up || st.Mode != "demo" || st.Open != 0 {
		t.Errorf("%+v", st)
	}
	from := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	var tally struct{ Rows []console.TallyRow }
	q := url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.Add(2 * time.Hour).Format(time.RFC3339)}, "step": {"day"}}
	if d.send("GET", "/api/v1/tally?"+q.Encode(), nil).into(&tally); len(tally.Rows) != 1 || tally.Rows[0].Approved != 1 || tally.Rows[0].Sum.Amount != "123.45" {
		t.Errorf("%+v", tally)
	}
	q.Set("to", from.AddDate(1, 0, 0).Format(time.RFC3339))
	q.Set("step", "minute")
	d.send("GET", "/api/v1/tally?"+q.Encode(), nil).problem(422, "span")

	var v console.View
	for range 2 {
		d.send("POST", "/api/v1/views", map[string]any{"name": "今天的退货", "filter": map[string]any{"kind": []string{"refund"}, "currency": "CNY", "min": "1.00"}}).into(&v)
	}
	var views struct{ Views []console.View }
	if d.send("GET", "/api/v1/views", nil).into(&views); len(views.Views) != 1 || views.Views[0].Name != "今天的退货" || views.Views[0].Filter.Min != "1.00" {
		t.Errorf("%+v", views)
	}
	d.send("POST", "/api/v1/views", map[string]any{"name": "bad", "filter": map[string]any{"min": "1.00"}}).problem(422, "filter")
	d.send("DELETE", "/api/v1/views/"+v.ID, nil).into(nil)
	if d.send("GET", "/api/v1/views", nil).into(&views); len(views.Views) != 0 {
		t.Errorf("%+v", views)
	}
	d.send("GET", "/api/v1/dead-letters", nil).into(nil)
	d.send("POST", "/api/v1/dead-letters/"+sale.Ref+"/end", map[string]string{"reason": "x"}).problem(409, "not_open")
}

func TestLiveWantsTLSForTheConsole(t *testing.T) {
	cfg := live(t)
	cfg.Acquirer.Console.Listen = "0.0.0.0:8082"
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "acquirer.console.listen")
	cfg.Acquirer.Console.Cert = "cert.pem"
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "acquirer.console.cert")
	cfg.Acquirer.Console.Key = "key.pem"
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "acquirer.console.cert") // no such file
	cfg.Acquirer.Console = site.ConsoleConfig{Listen: "nowhere"}
	refused(t, rt.Real(), cfg, site.Parts{Acquirer: true}, "host:port")
}

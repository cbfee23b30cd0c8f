package site_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"huika/acquirer/book"
	"huika/httpapi/apikey"
	"huika/rt"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// What docs/recipes/use-the-api.md tells people to type works.
func TestRecipeUseTheAPI(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "recipes", "use-the-api.md"))
	check(t, err)
	script := "set -euo pipefail\n"
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		script += b[1]
	}
	d := openDesk(t)
	d.sell(1000)
	in := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer in.Close()
	_, secret, err := apikey.New(rt.Real(), d.Books.(book.Reference)).Create(t.Context(), apikey.Request{Name: "recipe", Scopes: []apikey.Scope{
		apikey.PaymentsRead, apikey.PaymentsRefund, apikey.WebhooksManage,
	}})
	check(t, err)
	c := exec.CommandContext(t.Context(), "bash", "-c", script)
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "API="+d.base+"/api/v1", "KEY="+string(secret.Reveal()), "HOOK_URL="+in.URL)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, strings.ReplaceAll(string(out), string(secret.Reveal()), "KEY"))
	}
}

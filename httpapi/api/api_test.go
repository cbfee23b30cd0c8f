package api

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"huika/httpapi/console"
	"huika/httpapi/demo"
	"huika/httpapi/pos"
)

var update = flag.Bool("update", false, "write the descriptions anew")

func TestDescriptionsAreCurrent(t *testing.T) {
	for name, make := range map[string]func() ([]byte, error){"pos.yaml": pos.OpenAPI, "demo.yaml": demo.OpenAPI, "console.yaml": console.OpenAPI} {
		t.Run(name, func(t *testing.T) {
			want, err := make()
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(name, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the code serves: run go test ./httpapi/api -update", name)
			}
		})
	}
}

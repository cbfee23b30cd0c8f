package guard

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Config is huma's configuration for our APIs: no documentation pages, no
// schema links, and every error as a Problem.
func Config(title, description string) huma.Config {
	c := huma.DefaultConfig(title, "1")
	c.Info.Description = description
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{problems}
	return c
}

// problems turns huma's own errors (a body that does not fit the schema) into
// a Problem with a code, and leaves the refused values out.
func problems(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := NewProblem(m.Status, "bad_request", "the request does not fit the API", "compare it with the API description")
	for _, e := range m.Errors {
		p.Where = append(p.Where, e.Location)
	}
	return p, nil
}

// Describe makes the API's description name Problem, which problems sends, in
// place of huma's own error type.
func Describe(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	ref := schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, item := range api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			for _, r := range op.Responses {
				if m, ok := r.Content["application/problem+json"]; ok {
					m.Schema = ref
				}
			}
		}
	}
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
}

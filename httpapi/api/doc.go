// Package api checks that the API descriptions beside it are what the code
// serves. It holds no code of its own; clients are written against the YAML
// files. Refresh them with go test ./httpapi/api -update.
package api

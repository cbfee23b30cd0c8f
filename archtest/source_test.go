package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// module is the module's path, the prefix of our own imports.
const module = "huika"

// generated are folders that a build makes or fetches: no source of ours.
var generated = map[string]bool{
	".git": true, "node_modules": true, "bin": true, "dist": true, "built": true, "data": true, "coverage": true, "testdata": true,
}

// goFile is one parsed source file.
type goFile struct {
	path string // from the root, with slashes
	fset *token.FileSet
	ast  *ast.File
}

func (f goFile) test() bool     { return strings.HasSuffix(f.path, "_test.go") }
func (f goFile) folder() string { return path.Dir(f.path) }

// repo gives the paths of all files of the repository but those in generated folders.
func repo(t *testing.T, also ...string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if generated[d.Name()] {
				for _, name := range also {
					if d.Name() == name {
						return nil
					}
				}
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel("..", p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files: is this the repository?", len(files))
	}
	return files
}

// sources parses every Go file of the module (tools is a module of its own).
func sources(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	for _, p := range repo(t) {
		if !strings.HasSuffix(p, ".go") || strings.HasPrefix(p, "tools/") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join("..", p), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		out = append(out, goFile{p, fset, f})
	}
	return out
}

// imports are the paths that a file imports.
func (f goFile) imports() []string {
	var out []string
	for _, i := range f.ast.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

// under says whether folder is root or lies below it.
func under(folder string, roots ...string) bool {
	for _, root := range roots {
		if folder == root || strings.HasPrefix(folder, root+"/") {
			return true
		}
	}
	return false
}

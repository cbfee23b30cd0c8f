// Package web holds the built web pages. It serves nothing and knows no
// protocol: httpapi puts the pages behind its defences. In a tap it stands at
// both ends: the clerk's key, the customer's result.
//
// Vite builds each app into built/ (ignored by git). Without Node the module
// still builds: a placeholder page says what to run.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:built all:placeholder
var files embed.FS

// POS is the terminal's app: index.html and assets/. The second value tells
// whether it is the built app (true) or the placeholder.
func POS() (fs.FS, bool) { return app("pos") }

// Console is the acquirer's app, in the same form.
func Console() (fs.FS, bool) { return app("console") }

// app picks the build of an app, or its placeholder.
func app(name string) (fs.FS, bool) {
	if _, err := fs.Stat(files, "built/"+name+"/index.html"); err == nil {
		return sub("built/" + name), true
	}
	return sub("placeholder/" + name), false
}

// sub is a folder of files. The path is a constant of this package, so a
// failure is a broken build and not a condition to handle.
func sub(dir string) fs.FS {
	s, err := fs.Sub(files, dir)
	if err != nil {
		panic("web: " + err.Error())
	}
	return s
}

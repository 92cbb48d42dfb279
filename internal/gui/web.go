package gui

import (
	"embed"
	"io/fs"
)

// dist is what make web has made of the page's sources in web/src.
//
//go:embed web/dist
var dist embed.FS

// pageFiles are the files of the page.
func pageFiles() fs.FS {
	f, err := fs.Sub(dist, "web/dist")
	if err != nil {
		panic(err) // the path is a constant
	}
	return f
}

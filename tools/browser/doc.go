// Package browser tests the window: real qft gui processes, seen through a real
// Chromium, with a helper of their own on this machine.
//
// The tests touch the page as a person does, and find what they touch by its
// data-test attributes. Each watches what a person cannot see: no page may ask
// anything of another host, break its own rules of what may be loaded, or write
// an error to the console.
//
//	go test ./browser
//	QFT_PICTURES=../docs/pictures go test -run TestPictures ./browser
//
// # Limitations
//
// It needs Linux and Chromium (package chromium), and skips elsewhere. The rules
// of accessibility are those of axe-core, from the page's node_modules.
package browser

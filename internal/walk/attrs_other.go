//go:build !linux && !darwin && !freebsd

package walk

// attrReader reads attributes: none here.
type attrReader struct{}

func newAttrReader() *attrReader { return nil }

type attrSource struct{ self, dir *dir }

func (*attrReader) read(*Found, attrSource, *meta) {}

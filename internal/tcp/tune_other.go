//go:build unix && !linux && !darwin

package tcp

// tune has nothing to say: see Limitations.
func tune(uintptr) {}

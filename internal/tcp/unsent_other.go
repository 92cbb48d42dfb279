//go:build unix && !linux && !darwin

package tcp

// holdLittle has nothing to say: see Limitations.
func holdLittle(uintptr) {}

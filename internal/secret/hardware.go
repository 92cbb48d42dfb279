package secret

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// HardwareAES reports whether this processor has the instructions that make
// AES-GCM both fast and free of timing leaks. The answer is sent to the peer,
// inside the transcript: AES is used where both have it.
func HardwareAES() bool {
	switch runtime.GOARCH {
	case "amd64", "386":
		return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ
	case "arm64":
		// Apple's processors all have it, and do not say so through cpu.
		return runtime.GOOS == "darwin" || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
	case "s390x":
		return cpu.S390X.HasAES && cpu.S390X.HasAESGCM
	}
	return false
}

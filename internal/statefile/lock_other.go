//go:build !linux && !darwin && !freebsd && !windows

package statefile

import "os"

// Locks says that this system has locks of files.
const Locks = false

// TryLock cannot lock here, so nobody is told apart from another.
func TryLock(*os.File) (bool, error) { return true, nil }

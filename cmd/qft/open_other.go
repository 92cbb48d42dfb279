//go:build !windows

package main

import (
	"os"
	"os/exec"
	"runtime"
)

// opener opens files and folders as this system's desktop does; nil: it cannot
// be told to.
func opener() func(path string) error {
	program := "open"
	if runtime.GOOS != "darwin" {
		path, err := exec.LookPath("xdg-open")
		if err != nil || os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return nil
		}
		program = path
	}
	return func(path string) error {
		cmd := exec.Command(program, path)
		if err := cmd.Start(); err != nil {
			return err
		}
		go cmd.Wait() // or it would stay as a zombie
		return nil
	}
}

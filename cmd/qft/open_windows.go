package main

import "golang.org/x/sys/windows"

// opener opens files and folders as Explorer does. It is asked itself, since a
// program that asks it for us would tell nobody that there is no browser.
func opener() func(path string) error {
	return func(path string) error {
		verb, err := windows.UTF16PtrFromString("open")
		if err != nil {
			return err
		}
		file, err := windows.UTF16PtrFromString(path)
		if err != nil {
			return err
		}
		return windows.ShellExecute(0, verb, file, nil, nil, windows.SW_SHOWNORMAL)
	}
}

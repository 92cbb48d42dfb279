package gui

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// media are all drives but the system's own, on which the home is a place.
func (d *disks) media(time.Duration) (all []string) {
	drives, err := windows.GetLogicalDrives()
	if err != nil {
		return nil
	}
	for i := range 26 {
		if root := string(rune('A'+i)) + `:\`; drives&(1<<i) != 0 && !isSystemRoot(root) {
			all = append(all, root)
		}
	}
	return all
}

// isSystemRoot reports whether a path is the drive that Windows is on.
func isSystemRoot(path string) bool {
	dir, err := windows.GetSystemWindowsDirectory()
	return err == nil && strings.EqualFold(path, filepath.VolumeName(dir)+`\`)
}

// isHere reports whether a path begins at a drive and has only names that are
// of files. All others are not even looked at: to ask for a file of another
// machine (\\SERVER, \??\UNC\SERVER) shows it who we are, to ask for a device
// (NUL, COM1) can wait for it, and behind a colon are streams of a file.
func isHere(path string) bool {
	if len(path) < 3 || path[1] != ':' || !os.IsPathSeparator(path[2]) {
		return false
	}
	below := strings.TrimLeft(filepath.Clean(path)[2:], `\`)
	return below == "" || filepath.IsLocal(below)
}

// resolve returns a path without symlinks and without junctions, which
// EvalSymlinks leaves as they are.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	name, err := windows.UTF16PtrFromString(real)
	if err != nil {
		return "", err
	}
	h, err := windows.CreateFile(name, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(h)
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(h, &buf[0], uint32(len(buf)), 0)
	if err != nil || n >= uint32(len(buf)) {
		return real, nil // some file systems cannot tell
	}
	final, ok := strings.CutPrefix(windows.UTF16ToString(buf[:n]), `\\?\`)
	if !ok || strings.HasPrefix(final, `UNC\`) {
		return real, nil // a drive of another machine
	}
	return final, nil
}

// rootName is what a person calls a drive.
func rootName(path string) string { return strings.TrimSuffix(path, `\`) }

// isHidden reports whether the system's own windows do not show something, of
// which perhaps only the name is known.
func isHidden(name string, st fs.FileInfo) bool {
	if strings.HasPrefix(name, ".") || st == nil {
		return strings.HasPrefix(name, ".")
	}
	data, ok := st.Sys().(*syscall.Win32FileAttributeData)
	return ok && data.FileAttributes&syscall.FILE_ATTRIBUTE_HIDDEN != 0
}

// writable says yes: only trying tells. The read-only mark of a folder says that
// it has an icon of its own, as Documents and Downloads have.
func (d *disks) writable(string) bool { return true }

// keepsName reports whether a file or folder that is made under a name has just
// this one then: the system drops dots and spaces at the end.
func keepsName(name string) bool {
	return !strings.HasSuffix(name, ".") && !strings.HasSuffix(name, " ")
}

package e2e

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bottle makes a Windows of this test's own.
func (m *mixed) bottle() {
	m.t.Helper()
	root := filepath.Join(m.w.dir, "bottle")
	m.env = []string{"WINEPREFIX=" + root, "TMPDIR=" + m.w.dir, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree=;mshtml=;winemenubuilder.exe=", "DISPLAY=", "LC_ALL=C.UTF-8"}
	m.t.Cleanup(func() {
		end := m.host.start("wineserver", []string{"wineserver", "-k"}, m.env)
		<-end.done
	})
	boot := m.host.start("wineboot", []string{"wine", "wineboot", "--init"}, m.env)
	boot.large = true
	boot.wantEnd(2*time.Minute, 0)
	name := filepath.Join(root, "drive_c/windows/system32/bcryptprimitives.dll")
	if _, err := os.Stat(name); err == nil {
		return
	}
	if err := os.WriteFile(name, randomDLL(), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// gap is something that Go wants of Windows and Wine 8 does not have: where
// that stands in Go's sources, and what stands there for Wine.
type gap struct{ file, old, new string }

// overlay has the program built with Go's ways for older systems where Wine 8
// takes none of the newer ones. The program itself is what it is.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := make(map[string]string)
	for i, g := range []gap{
		// SIO_UDP_NETRESET is asked for by the program too, which goes on without.
		{"net/fd_windows.go", "windows.SIO_UDP_NETRESET,", "syscall.SIO_UDP_CONNRESET,"},
		// Removing answers STATUS_NOT_IMPLEMENTED where Windows says that it cannot.
		{"internal/syscall/windows/at_windows.go", "case STATUS_INVALID_INFO_CLASS,", "case NTStatus(0xC0000002), STATUS_INVALID_INFO_CLASS,"},
	} {
		source := filepath.Join(goroot(t), "src", g.file)
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), g.old) != 1 {
			t.Skipf("needs Wine 9 or another way around %q of this Go's %s", g.old, g.file)
		}
		replace[source] = filepath.Join(dir, strconv.Itoa(i)+".go")
		writeText(t, replace[source], strings.Replace(string(text), g.old, g.new, 1))
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "overlay.json"), string(list))
	return filepath.Join(dir, "overlay.json")
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// randomDLL is a bcryptprimitives.dll for Wine before version 9, which has
// none, while no Go program starts without: a library with no code, whose one
// function is another name for RtlGenRandom.
func randomDLL() []byte {
	const base, align = 0x1000, 0x200
	section := exports(base, "bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	dos := make([]byte, 64)
	copy(dos, "MZ")
	dos[60] = 64 // where the rest begins
	put(dos)
	put([]byte("PE\x00\x00"))
	header := pe.OptionalHeader64{
		Magic: 0x20b, ImageBase: 0x180000000, SectionAlignment: 0x1000, FileAlignment: align,
		MajorOperatingSystemVersion: 6, MajorSubsystemVersion: 6, Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI,
		SizeOfImage: 2 * base, SizeOfHeaders: align, SizeOfInitializedData: align, NumberOfRvaAndSizes: 16,
		DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
	}
	header.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: base, Size: uint32(len(section))}
	put(pe.FileHeader{
		Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(header)),
		Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE | pe.IMAGE_FILE_DLL,
	})
	put(header)
	put(pe.SectionHeader32{
		Name: [8]uint8{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: uint32(len(section)), VirtualAddress: base,
		SizeOfRawData: align, PointerToRawData: align,
		Characteristics: pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ,
	})
	put(make([]byte, align-b.Len()))
	put(section)
	put(make([]byte, 2*align-b.Len()))
	return b.Bytes()
}

// exports is the export table of a library that will lie at base: one
// function, which is one of another library.
func exports(base uint32, library, name, forward string) []byte {
	const table = 40 // bytes of the directory; then addresses, names, ordinals
	texts := table + 4 + 4 + 2
	at := func(before ...string) uint32 {
		n := base + uint32(texts)
		for _, s := range before {
			n += uint32(len(s)) + 1
		}
		return n
	}
	var b bytes.Buffer
	for _, v := range []any{
		uint32(0), uint32(0), uint32(0), at(), uint32(1), uint32(1), uint32(1), // flags, time, version, name, base, counts
		base + table, base + table + 4, base + table + 8,
		at(library, name), at(library), uint16(0),
		[]byte(library + "\x00" + name + "\x00" + forward + "\x00"),
	} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	return b.Bytes()
}

// goroot is where the Go that builds has its sources.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

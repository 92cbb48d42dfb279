package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRelease makes a release for two systems from the tree as it is, and looks
// at everything that came of it.
func TestRelease(t *testing.T) {
	r := trial(t, "linux/amd64,windows/amd64")
	t.Run("archives", r.testArchives)
	t.Run("inventory", r.testInventory)
	t.Run("again", r.testAgain)
	t.Run("deb", func(t *testing.T) { testDeb(t, r) })
	t.Run("rpm", func(t *testing.T) { testRPM(t, r) })
}

func trial(t *testing.T, targets string) *release {
	t.Helper()
	text, err := os.ReadFile("../../qft.go")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`Version = "([0-9.]+)"`).FindSubmatch(text)
	if version == nil {
		t.Fatal("qft.go says no version")
	}
	r := &release{root: "../..", out: t.TempDir(), version: string(version[1]), maintainer: "qft <root@localhost>", try: true}
	if err := r.choose(targets); err != nil {
		t.Fatal(err)
	}
	if err := r.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

const inArchives = `-rw-r--r-- CHANGELOG.md
-rw-r--r-- LICENSE
-rw-r--r-- README.md
-rw-r--r-- THIRD-PARTY.txt
-rw-r--r-- completions/_qft
-rw-r--r-- completions/qft.bash
-rw-r--r-- completions/qft.fish
-rw-r--r-- completions/qft.ps1
-rw-r--r-- docs/congestion.md
-rw-r--r-- docs/connectivity.md
-rw-r--r-- docs/design.md
-rw-r--r-- docs/doctor.md
-rw-r--r-- docs/events.md
-rw-r--r-- docs/library.md
-rw-r--r-- docs/performance.md
-rw-r--r-- docs/platforms.md
-rw-r--r-- docs/protocol.md
-rw-r--r-- docs/release.md
-rw-r--r-- docs/scaling.md
-rw-r--r-- docs/security.md
`

func (r *release) testArchives(t *testing.T) {
	name := "qft-" + r.version + "-linux-amd64"
	f, err := os.Open(filepath.Join(r.out, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for files := tar.NewReader(unpacked); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%v %s\n", h.FileInfo().Mode(), strings.TrimPrefix(h.Name, name+"/"))
		if filepath.Base(h.Name) == thirdParty {
			wantLicences(t, files)
		}
		if !h.ModTime.Equal(r.time) || h.Size == 0 {
			t.Errorf("%s: %d bytes of %v", h.Name, h.Size, h.ModTime)
		}
	}
	if want := inArchives + "-rwxr-xr-x qft\n-rw-r--r-- qft.1\n"; list.String() != want {
		t.Errorf("the archive holds\n%swant\n%s", list.String(), want)
	}

	name = "qft-" + r.version + "-windows-amd64"
	z, err := zip.OpenReader(filepath.Join(r.out, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	list.Reset()
	for _, h := range z.File {
		fmt.Fprintf(&list, "%v %s\n", h.Mode(), strings.TrimPrefix(h.Name, name+"/"))
	}
	if want := inArchives + "-rw-r--r-- qft.1\n-rwxr-xr-x qft.exe\n"; list.String() != want {
		t.Errorf("the archive holds\n%swant\n%s", list.String(), want)
	}
}

// wantLicences looks for those of modules, of the page, and of the word list.
func wantLicences(t *testing.T, r io.Reader) {
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"github.com/spf13/cobra", "preact", "Electronic Frontier Foundation"} {
		if !bytes.Contains(text, []byte(name)) {
			t.Errorf("%s says nothing of %s", thirdParty, name)
		}
	}
}

// testInventory: the list of what is inside names modules with their licences.
func (r *release) testInventory(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(r.out, "qft-"+r.version+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		SpecVersion string
		Components  []struct {
			Name, Version, Purl string
			Licenses            []struct{ License struct{ ID string } }
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	licenses := make(map[string]string)
	for _, c := range bom.Components {
		if c.Version == "" || len(c.Licenses) != 1 {
			t.Errorf("incomplete: %+v", c)
			continue
		}
		licenses[c.Name] = c.Licenses[0].License.ID
	}
	for name, want := range map[string]string{
		"std": "BSD-3-Clause", "github.com/spf13/cobra": "Apache-2.0", "github.com/adrg/xdg": "MIT",
		"github.com/inconshreveable/mousetrap": "Apache-2.0", // on Windows only
	} {
		if licenses[name] != want || bom.SpecVersion != "1.6" {
			t.Errorf("%s has licence %q, want %s", name, licenses[name], want)
		}
	}
}

// testAgain: the same bytes come of the same sources.
func (r *release) testAgain(t *testing.T) {
	again := trial(t, "linux/amd64")
	list, err := os.ReadDir(again.out)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, e := range list {
		if e.Name() == "SHA256SUMS" || strings.HasSuffix(e.Name(), ".json") {
			continue // of fewer systems
		}
		one, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(again.out, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if same++; string(one) != string(two) {
			t.Errorf("%s: %d and %d bytes, which differ", e.Name(), len(one), len(two))
		}
	}
	if same != 3 {
		t.Errorf("%d files were compared, want an archive and two packages", same)
	}
}

func TestReleaseRefuses(t *testing.T) {
	for _, version := range []string{"", "1", "1.2", "v1.2.3", "1.2.3-rc1", "1.2.x", "1.2.3.4"} {
		r := release{root: "../..", version: version, try: true}
		if err := r.check(t.Context()); err == nil {
			t.Errorf("version %q is taken", version)
		}
	}
	r := release{root: "../..", version: "999.0.0"}
	if err := r.check(t.Context()); err == nil || !strings.Contains(err.Error(), "CHANGELOG.md") {
		t.Errorf("without a section in the changelog: %v", err)
	}
	r = release{}
	if err := r.choose("plan9/amd64"); err == nil {
		t.Error("a target that there is not is taken")
	}
}

func TestLicensesAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"                Apache License\n           Version 2.0, January 2004":                       "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person obtaining a\ncopy":              "MIT",
		"Redistribution and use in source and binary forms, with or without ... Neither the name of": "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                         "BSD-2-Clause",
		"All rights reserved.": "",
	} {
		if got := identify([]byte(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

const description = `Quick, reliable, peer-to-peer file transfer over UDP
Two people name one phrase, their machines find each other through a helper,
and the files go straight from disk to disk, encrypted, as fast as the path is.
The package holds the program and the unit of a helper, which is not enabled.`

// packages writes the deb and the rpm of a target. There are none for ARMv6:
// Debian's armhf and Fedora's armv7hl are ARMv7.
func (r *release) packages(t target, program string) error {
	if t.os != "linux" || t.variant == "6" {
		return nil
	}
	for _, format := range []string{"deb", "rpm"} {
		if err := r.pack(t, program, format); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

func (r *release) pack(t target, program, format string) error {
	contents, err := r.contents(t, program, format)
	if err != nil {
		return err
	}
	script := func(name string) string { return filepath.Join(r.root, "deploy/packages", name) }
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "qft", Arch: t.arch + t.variant, Platform: "linux", Version: r.version, Release: "1",
		Section: "net", Priority: "optional", Maintainer: r.maintainer, License: "MIT", MTime: r.time,
		Description: description, DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			Contents: contents,
			Scripts: nfpm.Scripts{
				PostInstall: script("postinstall.sh"), PreRemove: script("preremove.sh"), PostRemove: script("postremove.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "localhost", Summary: strings.SplitN(description, "\n", 2)[0]},
		},
	})
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := packager.Package(info, &b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, packager.ConventionalFileName(info)), b.Bytes(), 0o644)
}

// contents are the files of a package, where each format's systems look for
// them.
func (r *release) contents(t target, program, format string) (files.Contents, error) {
	man, err := r.zipped(filepath.Join(r.stage, "qft.1"))
	if err != nil {
		return nil, err
	}
	log, err := r.zipped(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	unit, err := r.unit()
	if err != nil {
		return nil, err
	}
	zsh := "/usr/share/zsh/vendor-completions/_qft"
	if format == "rpm" {
		zsh = "/usr/share/zsh/site-functions/_qft"
	}
	stage := func(name string) string { return filepath.Join(r.stage, name) }
	deploy := func(name string) string { return filepath.Join(r.root, "deploy", name) }
	var all files.Contents
	add := func(kind, to, from string, mode os.FileMode) {
		all = append(all, &files.Content{Type: kind, Source: from, Destination: to,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.time}})
	}
	add("", "/usr/bin/qft", program, 0o755)
	for _, name := range []string{"qfts", "qftr"} {
		add(files.TypeSymlink, "/usr/bin/"+name, "qft", 0)
		add(files.TypeSymlink, "/usr/share/man/man1/"+name+".1.gz", "qft.1.gz", 0)
	}
	add("", "/usr/share/man/man1/qft.1.gz", man, 0o644)
	add("", "/usr/share/bash-completion/completions/qft", stage("completions/qft.bash"), 0o644)
	add("", zsh, stage("completions/_qft"), 0o644)
	add("", "/usr/share/fish/vendor_completions.d/qft.fish", stage("completions/qft.fish"), 0o644)
	add("", "/usr/share/applications/qft.desktop", deploy("desktop/qft.desktop"), 0o644)
	add("", "/usr/share/icons/hicolor/scalable/apps/qft.svg", deploy("desktop/qft.svg"), 0o644)
	add("", "/usr/lib/systemd/system/qft-helper.service", unit, 0o644)
	add("", "/usr/lib/sysusers.d/qft-helper.conf", deploy("sysusers.d/qft-helper.conf"), 0o644)
	add("", "/usr/lib/sysctl.d/60-qft-helper.conf", deploy("sysctl.d/qft-helper.conf"), 0o644)
	add(files.TypeConfigNoReplace, "/etc/qft/helper.conf", deploy("helper.conf"), 0o644)
	add("", "/usr/share/doc/qft/README.md", filepath.Join(r.root, "README.md"), 0o644)
	docs, err := r.documents()
	if err != nil {
		return nil, err
	}
	for _, name := range docs {
		add("", "/usr/share/doc/qft/"+name, filepath.Join(r.root, name), 0o644)
	}
	add("", "/usr/share/doc/qft/helper.md", deploy("README.md"), 0o644)
	add("", "/usr/share/doc/qft/changelog.gz", log, 0o644)
	add("", "/usr/share/doc/qft/copyright", filepath.Join(r.root, "LICENSE"), 0o644)
	add("", "/usr/share/doc/qft/"+thirdParty, stage(thirdParty), 0o644)
	return all, nil
}

// zipped is a file, compressed into the stage.
func (r *release) zipped(from string) (string, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(data); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	to := filepath.Join(r.stage, filepath.Base(from)+".gz")
	return to, os.WriteFile(to, b.Bytes(), 0o644)
}

// unit is the helper's service as it is in deploy/, with the program where
// packages put it.
func (r *release) unit() (string, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "deploy/systemd/qft-helper.service"))
	if err != nil {
		return "", err
	}
	if !bytes.Contains(text, []byte("/usr/local/bin/qft")) {
		return "", fmt.Errorf("deploy/systemd/qft-helper.service does not start /usr/local/bin/qft")
	}
	to := filepath.Join(r.stage, "qft-helper.service")
	return to, os.WriteFile(to, bytes.ReplaceAll(text, []byte("/usr/local/bin/qft"), []byte("/usr/bin/qft")), 0o644)
}

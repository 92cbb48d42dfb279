package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// item is a file of an archive.
type item struct {
	name   string // below the archive's folder
	source string
	mode   int64
}

// documents are those that README.md, the help and the man page name, below the
// root.
func (r *release) documents() ([]string, error) {
	all, err := filepath.Glob(filepath.Join(r.root, "docs", "*.md"))
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("looking for docs/*.md: %w", cmp.Or(err, os.ErrNotExist))
	}
	for i, path := range all {
		all[i] = "docs/" + filepath.Base(path)
	}
	return all, nil
}

// items are what an archive for a target holds.
func (r *release) items(t target, program string) ([]item, error) {
	docs, err := r.documents()
	if err != nil {
		return nil, err
	}
	all := []item{{t.program(), program, 0o755}}
	for _, name := range []string{"qft.1", "completions/qft.bash", "completions/_qft", "completions/qft.fish", "completions/qft.ps1", thirdParty} {
		all = append(all, item{name, filepath.Join(r.stage, name), 0o644})
	}
	for _, name := range append([]string{"LICENSE", "README.md", "CHANGELOG.md"}, docs...) {
		all = append(all, item{name, filepath.Join(r.root, name), 0o644})
	}
	slices.SortFunc(all, func(a, b item) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// archive writes qft-VERSION-SYSTEM.tar.gz, or .zip for Windows.
func (r *release) archive(t target, program string) error {
	folder := "qft-" + r.version + "-" + t.file()
	all, err := r.items(t, program)
	if err != nil {
		return err
	}
	if t.os == "windows" {
		return r.zip(folder, all)
	}
	return r.tar(folder, all)
}

func (r *release) tar(folder string, all []item) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	for _, i := range all {
		data, err := os.ReadFile(i.source)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + i.name, Mode: i.mode, Size: int64(len(data)),
			ModTime: r.time, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, folder+".tar.gz"), b.Bytes(), 0o644)
}

func (r *release) zip(folder string, all []item) error {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range all {
		data, err := os.ReadFile(i.source)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: folder + "/" + i.name, Method: zip.Deflate, Modified: r.time}
		h.SetMode(os.FileMode(i.mode))
		f, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, folder+".zip"), b.Bytes(), 0o644)
}

// sums writes SHA256SUMS, which `sha256sum -c` reads.
func (r *release) sums() error {
	list, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range list {
		data, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(b.String()), 0o644)
}

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// thirdParty is the file with the licences of everything that is inside.
const thirdParty = "THIRD-PARTY.txt"

// component is a module that is in the programs.
type component struct {
	name, version string
	sum           string // as go.sum has it
	license       string // its SPDX identifier
	text          []byte // the licence itself
}

// describe writes the licences of what is inside, and the list of it.
func (r *release) describe(ctx context.Context, programs []string) error {
	all, toolchain, err := inside(programs)
	if err != nil {
		return err
	}
	for i := range all {
		if err := r.license(ctx, &all[i]); err != nil {
			return err
		}
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("looking for Go: %w", err)
	}
	std, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE"))
	if err != nil {
		return fmt.Errorf("the licence of Go: %w", err)
	}
	all = append(all, component{name: "std", version: strings.TrimPrefix(toolchain, "go"), license: identify(std), text: std})
	page, err := os.ReadFile(filepath.Join(r.root, "internal/gui/web/dist/LICENSES.txt"))
	if err != nil {
		return fmt.Errorf("the licences of the page: %w", err)
	}
	words, err := os.ReadFile(filepath.Join(r.root, "internal/secret/words.LICENSE"))
	if err != nil {
		return fmt.Errorf("the licence of the word list: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "qft holds the work of others, under these licences.\n")
	for _, c := range all {
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("=", 78), c.name, c.version, c.license, bytes.TrimSpace(c.text))
	}
	fmt.Fprintf(&b, "\n%s\nin the page of qft gui\n\n%s\n", strings.Repeat("=", 78), bytes.TrimSpace(page))
	fmt.Fprintf(&b, "\n%s\n%s\n", strings.Repeat("=", 78), bytes.TrimSpace(words))
	if err := os.WriteFile(filepath.Join(r.stage, thirdParty), b.Bytes(), 0o644); err != nil {
		return err
	}
	return r.writeSBOM(all)
}

// inside reads from programs which modules they are made of.
func inside(programs []string) (all []component, toolchain string, err error) {
	found := make(map[string]component)
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			return nil, "", err
		}
		toolchain = info.GoVersion
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			found[m.Path] = component{name: m.Path, version: m.Version, sum: m.Sum}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all, toolchain, nil
}

// license finds a module's licence in the module cache.
func (r *release) license(ctx context.Context, c *component) error {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", c.name)
	cmd.Dir = r.root
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("where %s is: %w", c.name, err)
	}
	dir := strings.TrimSpace(string(out))
	for _, name := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING", "LICENCE"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		c.text, c.license = text, identify(text)
		if c.license == "" {
			return fmt.Errorf("%s: %s is a licence that is not known here: look at it, and add it to identify", c.name, name)
		}
		return nil
	}
	return fmt.Errorf("%s has no licence where one is looked for (%s)", c.name, dir)
}

// identify is the SPDX identifier of a licence's text, "" for others than those
// that what is inside has.
func identify(text []byte) string {
	words := strings.Join(strings.Fields(string(text)), " ")
	has := func(s string) bool { return strings.Contains(words, s) }
	switch {
	case has("Apache License Version 2.0"):
		return "Apache-2.0"
	case has("Mozilla Public License Version 2.0"):
		return "MPL-2.0"
	case has("CC0 1.0 Universal"):
		return "CC0-1.0"
	case has("Permission is hereby granted, free of charge, to any person obtaining a copy"):
		return "MIT"
	case has("Redistribution and use in source and binary forms") && has("Neither the name"):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return ""
}

// object is a JSON object.
type object = map[string]any

// writeSBOM writes qft-VERSION.cdx.json: CycloneDX 1.6.
func (r *release) writeSBOM(all []component) error {
	var parts []object
	var refs []string
	for _, c := range all {
		url := "pkg:golang/" + c.name + "@" + c.version
		part := object{"type": "library", "bom-ref": url, "name": c.name, "version": c.version, "purl": url,
			"licenses": []object{{"license": object{"id": c.license}}}}
		if c.sum != "" {
			part["properties"] = []object{{"name": "go.sum", "value": c.sum}}
		}
		parts, refs = append(parts, part), append(refs, url)
	}
	self := "pkg:generic/qft@" + r.version
	about := object{"type": "application", "bom-ref": self, "name": "qft", "version": r.version, "purl": self,
		"licenses": []object{{"license": object{"id": "MIT"}}}}
	if r.commit != "" {
		about["properties"] = []object{{"name": "commit", "value": r.commit}}
	}
	text, err := json.MarshalIndent(object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata":     object{"timestamp": r.time.Format("2006-01-02T15:04:05Z"), "component": about},
		"components":   parts,
		"dependencies": []object{{"ref": self, "dependsOn": refs}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "qft-"+r.version+".cdx.json"), append(text, '\n'), 0o644)
}

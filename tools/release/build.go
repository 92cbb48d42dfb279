package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// target is a system that there is a program for.
type target struct {
	os, arch string
	variant  string // GOARM
}

func (t target) String() string {
	if t.variant != "" {
		return t.os + "/" + t.arch + "v" + t.variant
	}
	return t.os + "/" + t.arch
}

// file is the target as part of a file's name.
func (t target) file() string { return strings.ReplaceAll(t.String(), "/", "-") }

// program is what the program is called there.
func (t target) program() string {
	if t.os == "windows" {
		return "qft.exe"
	}
	return "qft"
}

// systems are all that a release is made for.
func systems() []target {
	return []target{
		{"linux", "amd64", ""}, {"linux", "arm64", ""}, {"linux", "arm", "6"}, {"linux", "arm", "7"},
		{"linux", "386", ""}, {"linux", "riscv64", ""},
		{"darwin", "amd64", ""}, {"darwin", "arm64", ""},
		{"windows", "amd64", ""}, {"windows", "arm64", ""},
		{"freebsd", "amd64", ""},
	}
}

func names(all []target) string {
	var s []string
	for _, t := range all {
		s = append(s, t.String())
	}
	return strings.Join(s, ",")
}

// choose takes a list of targets, or all of them.
func (r *release) choose(list string) error {
	if list == "" {
		r.targets = systems()
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		before := len(r.targets)
		for _, t := range systems() {
			if t.String() == name {
				r.targets = append(r.targets, t)
			}
		}
		if len(r.targets) == before {
			return fmt.Errorf("there is no target %q; there are %s", name, names(systems()))
		}
	}
	return nil
}

// build builds the program for a target. What git knows is left out, so that
// an archive of the sources makes the same program.
func (r *release) build(ctx context.Context, t target, program string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "./cmd/qft")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GO386=sse2", "GORISCV64=rva20u64",
		"GOOS="+t.os, "GOARCH="+t.arch, "GOARM="+t.variant)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s: %w\n%s", t, err, out)
	}
	return nil
}

// common makes what is the same for all systems: the manual page and the
// completions, which the program itself prints. It checks the version.
func (r *release) common(ctx context.Context) error {
	here := target{os: runtime.GOOS, arch: runtime.GOARCH}
	program := filepath.Join(r.stage, "here", here.program())
	if err := r.build(ctx, here, program); err != nil {
		return err
	}
	said, err := exec.CommandContext(ctx, program, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w", program, err)
	}
	if !strings.HasPrefix(string(said), "qft "+r.version+",") {
		return fmt.Errorf("-version is %s, and the program says %q", r.version, said)
	}
	if err := os.MkdirAll(filepath.Join(r.stage, "completions"), 0o755); err != nil {
		return err
	}
	for name, args := range map[string][]string{
		"qft.1":                {"man"},
		"completions/qft.bash": {"completion", "bash"},
		"completions/_qft":     {"completion", "zsh"},
		"completions/qft.fish": {"completion", "fish"},
		"completions/qft.ps1":  {"completion", "powershell"},
	} {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+fmt.Sprint(r.time.Unix()))
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("qft %s: %w", strings.Join(args, " "), err)
		}
		if err := os.WriteFile(filepath.Join(r.stage, name), out, 0o644); err != nil {
			return err
		}
	}
	return nil
}

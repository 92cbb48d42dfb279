// Command release makes what a version is shipped as: programs for all
// systems, archives, packages, checksums, and a list of what is inside.
//
//	release -root DIR -out DIR -version X.Y.Z [-targets linux/amd64,…] [-try]
//
// What comes out depends on the sources, the version of Go and the time of the
// last commit (or SOURCE_DATE_EPOCH), so anybody can make it again and compare.
// It refuses where the version is not the program's, the changelog has no
// section of it, or the tree holds what is not committed; -try does without
// the last two.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	var r release
	flag.StringVar(&r.root, "root", "..", "the sources")
	flag.StringVar(&r.out, "out", "../dist", "where everything goes; emptied first")
	flag.StringVar(&r.version, "version", "", "X.Y.Z")
	flag.StringVar(&r.maintainer, "maintainer", "qft <root@localhost>", "NAME <ADDRESS> in the packages")
	flag.BoolVar(&r.try, "try", false, "take a tree with changes and a changelog without the version")
	targets := flag.String("targets", "", "some of "+names(systems())+" (default: all)")
	flag.Parse()
	err := r.choose(*targets)
	if err == nil {
		err = r.make(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one version being made.
type release struct {
	root, out, version string
	maintainer         string
	try                bool
	targets            []target

	commit string    // of the sources, "" where there is no git
	time   time.Time // of all files
	stage  string    // scratch directory with what the packages hold
}

// make does everything.
func (r *release) make(ctx context.Context) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "qft-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	r.stage = stage
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o755)); err != nil {
		return err
	}
	if err := r.common(ctx); err != nil {
		return err
	}
	var programs []string
	for _, t := range r.targets {
		program := filepath.Join(stage, t.String(), t.program())
		if err := r.build(ctx, t, program); err != nil {
			return err
		}
		programs = append(programs, program)
	}
	if err := r.describe(ctx, programs); err != nil { // what is inside: the archives hold its licences
		return err
	}
	for i, t := range r.targets {
		if err := r.archive(t, programs[i]); err != nil {
			return fmt.Errorf("archive for %s: %w", t, err)
		}
		if err := r.packages(t, programs[i]); err != nil {
			return fmt.Errorf("packages for %s: %w", t, err)
		}
	}
	return r.sums()
}

// check refuses what must not become a release, and finds out its time.
func (r *release) check(ctx context.Context) error {
	for _, part := range strings.SplitN(r.version, ".", 3) {
		if _, err := strconv.ParseUint(part, 10, 32); err != nil || strings.Count(r.version, ".") != 2 {
			return fmt.Errorf("-version %q is not of the form X.Y.Z", r.version)
		}
	}
	log, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if !r.try && !bytes.Contains(log, []byte("\n## "+r.version+"\n")) {
		return fmt.Errorf("CHANGELOG.md has no section %q", "## "+r.version)
	}
	r.commit, err = r.git(ctx, "rev-parse", "HEAD")
	hasGit := err == nil
	if hasGit && !r.try {
		if changes, err := r.git(ctx, "status", "--porcelain"); err != nil || changes != "" {
			return fmt.Errorf("the tree has changes that are not committed (%v):\n%s", err, changes)
		}
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" && hasGit {
		if seconds, err = r.git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return err
		}
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the sources is not known: set SOURCE_DATE_EPOCH to seconds since 1970 (it is %q)", seconds)
	}
	r.time = time.Unix(n, 0).UTC()
	return nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.root}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

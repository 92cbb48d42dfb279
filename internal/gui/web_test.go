package gui

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Words between tags, and in the attributes that people read or hear.
var (
	wordsBetween    = regexp.MustCompile(`>\s*([A-Za-z][^<>{}=;()]*)</`)
	wordsAttributed = regexp.MustCompile(`\b(?:aria-label|title|placeholder|alt|label|name|hint)="([A-Za-z][^"]*)"`)
)

// TestEveryTextIsInItsFile: a view says nothing of its own, so that another
// language is another file.
func TestEveryTextIsInItsFile(t *testing.T) {
	for _, own := range []string{"<p>\n  Hello there\n</p>", `<img alt="Hello" />`} {
		if !wordsBetween.MatchString(own) && !wordsAttributed.MatchString(own) {
			t.Errorf("the test does not see %q", own)
		}
	}
	views, err := filepath.Glob("web/src/*.tsx")
	if err != nil || len(views) < 10 {
		t.Fatalf("%d views, %v", len(views), err)
	}
	for _, view := range views {
		source, err := os.ReadFile(view)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range []*regexp.Regexp{wordsBetween, wordsAttributed} {
			for _, m := range words.FindAllStringSubmatch(string(source), -1) {
				t.Errorf("%s: %q belongs into text.en.ts", view, strings.TrimSpace(m[1]))
			}
		}
	}
}

// TestPageKnowsHowMuchMayBeDropped: it stops there, instead of being refused in
// the end.
func TestPageKnowsHowMuchMayBeDropped(t *testing.T) {
	source, err := os.ReadFile("web/src/drop.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		fmt.Sprintf("const mostDropped = %d_%03d;", mostDropped/1000, mostDropped%1000),
		fmt.Sprintf("const dropLimit = %d << 20;", dropLimit>>20),
	} {
		if !strings.Contains(string(source), line) {
			t.Errorf("the page does not say %q", line)
		}
	}
}

// TestPageIsSelfContained: what is embedded asks nothing of another host, and has
// no script or style that the rules of its pages forbid.
func TestPageIsSelfContained(t *testing.T) {
	index, err := os.ReadFile("web/dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http:", "https:", "//", "style=", "<style", "onload", "javascript:"} {
		if strings.Contains(string(index), bad) {
			t.Errorf("index.html has %q", bad)
		}
	}
	style, err := os.ReadFile("web/dist/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"@import", "url(http", "url(//", "@font-face"} {
		if strings.Contains(string(style), bad) {
			t.Errorf("app.css has %q", bad)
		}
	}
}

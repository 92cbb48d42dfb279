//go:build race

package e2e

// raceDetector: the tests themselves run with it.
const raceDetector = true

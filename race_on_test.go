//go:build race

package qft

const underRace = true

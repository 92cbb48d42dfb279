//go:build !race

package qft

const underRace = false

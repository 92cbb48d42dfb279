package qft

import (
	"fmt"
	"os"
	"testing"
)

func TestOneSeed(t *testing.T) {
	if os.Getenv("ONE") == "" {
		t.Skip()
	}
	var seed uint64
	fmt.Sscan(os.Getenv("ONE"), &seed)
	o, err := runSeed(t, seed)
	t.Log(o, err)
}

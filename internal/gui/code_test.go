package gui

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestQROfACodeIsSmall: it says the code in capitals. A phrase of one's own stays
// as it is.
func TestQROfACodeIsSmall(t *testing.T) {
	for text, modules := range map[string]string{
		"201674-rearview-lapdog-decency": "33 33", // 25 with the space around, and not 29
		"my own rearview lapdog decency": "37 37",
	} {
		answer, err := qrOf(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), `viewBox=\"0 0 `+modules+`\"`) {
			t.Errorf("the QR of %q is %.120s", text, b)
		}
	}
}

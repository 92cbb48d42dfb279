package secret

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"

	"filippo.io/edwards25519/field"
)

// hexBytes is a byte string that is written in hex in a vector file.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// draft is testdata/cpace-21-x25519-sha512.json, the draft's own vectors.
type draft struct {
	Run struct {
		PRS, CI, SID, G, K hexBytes
		GeneratorString    hexBytes `json:"generator_string"`
		Scalar1            hexBytes `json:"ya"`
		Scalar2            hexBytes `json:"yb"`
		Share1             hexBytes `json:"Ya"`
		Share2             hexBytes `json:"Yb"`
		ADa, ADb           hexBytes
		Transcript         hexBytes `json:"transcript_ir"`
		ISK                hexBytes `json:"ISK_IR"`
	}
	LVCat []struct {
		In  []hexBytes
		Out hexBytes
	} `json:"lv_cat"`
	LowOrder struct {
		S      hexBytes
		Points []struct{ U, Q hexBytes }
	} `json:"low_order"`
}

func readDraft(t testing.TB) *draft {
	b, err := os.ReadFile("testdata/cpace-21-x25519-sha512.json")
	if err != nil {
		t.Fatal(err)
	}
	d := new(draft)
	if err := json.Unmarshal(b, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func scalar(t testing.TB, b []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

func TestCPaceDraftVectors(t *testing.T) {
	d := readDraft(t)
	for _, v := range d.LVCat {
		var in [][]byte
		for _, p := range v.In {
			in = append(in, p)
		}
		wantBytes(t, "lv_cat", lvCat(in...), v.Out)
	}
	r := &d.Run
	wantBytes(t, "generator_string", generatorString(r.PRS, r.CI, r.SID), r.GeneratorString)
	g := generator(r.PRS, r.CI, r.SID)
	wantBytes(t, "g", g, r.G)
	ya, yb := scalar(t, r.Scalar1), scalar(t, r.Scalar2)
	for _, c := range []struct {
		what   string
		scalar *ecdh.PrivateKey
		point  []byte
		want   []byte
	}{
		{"Ya", ya, g, r.Share1}, {"Yb", yb, g, r.Share2},
		{"ya*Yb", ya, r.Share2, r.K}, {"yb*Ya", yb, r.Share1, r.K},
	} {
		got, err := mult(c.scalar, c.point)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, c.what, got, c.want)
	}
	wantBytes(t, "transcript_ir", lvCat(r.Share1, r.ADa, r.Share2, r.ADb), r.Transcript)
	isk := intermediateKey(r.SID, r.K, share{r.Share1, r.ADa}, share{r.Share2, r.ADb})
	wantBytes(t, "ISK", isk, r.ISK)
}

func TestCPaceLowOrderPointsAbort(t *testing.T) {
	d := readDraft(t)
	s := scalar(t, d.LowOrder.S)
	aborted := 0
	for i, p := range d.LowOrder.Points {
		got, err := mult(s, p.U)
		if abort := bytes.Equal(p.Q, make([]byte, pointSize)); abort {
			aborted++
			if err == nil {
				t.Errorf("u%x: no abort, %x", i, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("u%x: %v", i, err)
		}
		wantBytes(t, "product", got, p.Q)
	}
	if aborted != 7 || len(d.LowOrder.Points) != 12 {
		t.Errorf("%d of %d points aborted, want 7 of 12", aborted, len(d.LowOrder.Points))
	}
}

// onCurve reports whether u is the coordinate of a point of the curve, rather
// than of its twist.
func onCurve(t testing.TB, u []byte) bool {
	x, err := new(field.Element).SetBytes(u)
	if err != nil {
		t.Fatal(err)
	}
	one := new(field.Element).One()
	e := new(field.Element).Add(x, new(field.Element).Mult32(one, curveA))
	e.Multiply(e, x).Add(e, one)
	e.Multiply(e, x)
	_, square := new(field.Element).SqrtRatio(e, one)
	return square == 1
}

// inPrimeSubgroup reports whether u belongs to the subgroup of prime order L,
// in which 5L-1 times a point is its negative, which has the same u. 5L-1 is a
// scalar that X25519's clamping leaves as it is.
func inPrimeSubgroup(t testing.TB, u []byte) bool {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
	n := l.Sub(l.Mul(l, big.NewInt(5)), big.NewInt(1)).FillBytes(make([]byte, 32))
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		n[i], n[j] = n[j], n[i]
	}
	got, err := mult(scalar(t, n), u)
	return err == nil && bytes.Equal(got, u)
}

func TestGeneratorIsOnTheCurveForEveryPassword(t *testing.T) {
	sid := []byte("session")
	for w := range strings.FieldsSeq(wordList) {
		if g := generator([]byte(w), roles(), sid); !onCurve(t, g) {
			t.Fatalf("generator of %q is on the twist: it can be told from others", w)
		}
	}
}

func TestGeneratorDependsOnEachInput(t *testing.T) {
	seen := make(map[string]bool)
	for _, in := range [][3]string{
		{"a", "b", "c"}, {"x", "b", "c"}, {"a", "x", "c"}, {"a", "b", "x"},
		{"ab", "", "c"}, {"", "ab", "c"}, {"a", "bc", ""}, {strings.Repeat("a", 500), "b", "c"},
	} {
		g := string(generator([]byte(in[0]), []byte(in[1]), []byte(in[2])))
		if seen[g] {
			t.Errorf("%q gives the generator of another input", in)
		}
		seen[g] = true
	}
}

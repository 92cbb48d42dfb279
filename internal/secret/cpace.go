package secret

import (
	"crypto/ecdh"
	"crypto/sha512"
	"encoding/binary"

	"filippo.io/edwards25519/field"
)

// This file is CPACE-X25519-SHA512 of draft-irtf-cfrg-cpace-21, whose sections
// are named here by title because their numbers move. All arithmetic on
// secrets is crypto/ecdh's and field's, both constant time.

const (
	pointSize = 32
	cpaceDSI  = "CPace255"

	// curveA is the coefficient of Curve25519, v^2 = u^3 + A*u^2 + u.
	curveA = 486662
)

// lvCat concatenates the parts, each with its length before it in LEB128
// ("Notation for string operations"). Such a string parses in one way only.
func lvCat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	return b
}

// generatorString is generator_string ("Common function for computing
// generators"). The zero padding makes DSI and password fill "at least the
// first input block of the hash", so that for a short password the time of
// hashing does not depend on its length.
func generatorString(password, ci, sid []byte) []byte {
	dsi, prs := lvCat([]byte(cpaceDSI)), lvCat(password)
	pad := max(0, sha512.BlockSize-1-len(prs)-len(dsi))
	return append(append(dsi, prs...), lvCat(make([]byte, pad), ci, sid)...)
}

// generator maps password, channel identifier and session id to a
// u-coordinate (calculate_generator of G_X25519).
func generator(password, ci, sid []byte) []byte {
	s := generatorString(password, ci, sid)
	defer clear(s)
	h := sha512.Sum512(s)
	defer clear(h[:])
	// SetBytes ignores bit 255 and reduces, as RFC 7748's decodeUCoordinate
	// does; it only fails on another length.
	r, err := new(field.Element).SetBytes(h[:pointSize])
	if err != nil {
		panic("secret: decoding a field element: " + err.Error())
	}
	return elligator2(r).Bytes()
}

// elligator2 maps r to the u-coordinate of a point of the curve, never of its
// twist (RFC 9380 section 6.7.1 with Z = 2, B = 1): v = -A/(1+2r^2) if that is
// on the curve, else -v-A. The division is safe: -1/2 is not a square.
func elligator2(r *field.Element) *field.Element {
	one := new(field.Element).One()
	a := new(field.Element).Mult32(one, curveA)

	v := new(field.Element).Square(r)
	v.Add(v, v)
	v.Add(v, one)
	v.Invert(v)
	v.Multiply(v, a)
	v.Negate(v)

	// v^3 + A*v^2 + v = ((v + A)*v + 1)*v
	e := new(field.Element).Add(v, a)
	e.Multiply(e, v)
	e.Add(e, one)
	e.Multiply(e, v)
	_, onCurve := new(field.Element).SqrtRatio(e, one)

	other := new(field.Element).Add(v, a)
	other.Negate(other)
	return new(field.Element).Select(v, other, onCurve)
}

// mult is scalar_mult and scalar_mult_vfy of G_X25519. It fails where "B MUST
// abort", when the result is the neutral element: then point was one of low
// order, sent to force a key that does not depend on the password.
func mult(scalar *ecdh.PrivateKey, point []byte) ([]byte, error) {
	p, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return scalar.ECDH(p)
}

// share is one side's public message: the share Y and the associated data AD.
type share struct{ y, ad []byte }

// intermediateKey is ISK ("CPace protocol instructions") over transcript_ir,
// 64 bytes.
func intermediateKey(sid, k []byte, a, b share) []byte {
	s := lvCat([]byte(cpaceDSI+"_ISK"), sid, k)
	s = append(s, lvCat(a.y, a.ad, b.y, b.ad)...)
	defer clear(s)
	isk := sha512.Sum512(s)
	return isk[:]
}

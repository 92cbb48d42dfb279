package main

import "qft"

// aloneText says why nobody may have come to a receiver, and where to look.
func aloneText(e qft.Alone) string {
	if !e.Helper && !e.Host {
		return "nobody on this network has answered so far; does the sender still wait, is the code right, and are " +
			"both on the same network (guests are often kept apart)? From elsewhere: --helper on both sides, or CODE@HOST. Still looking"
	}
	text := "nobody has come so far; does the sender still wait, and is the code the one on its screen? "
	if e.Helper {
		text += "Do both sides name the same helper (qft config helper)? "
	}
	return text + "Still waiting"
}

package main

import (
	"fmt"
	"strings"

	"qft"
)

// portsText says by which ports a helper can be reached, and by which not.
func portsText(e qft.HelperPorts) string {
	if len(e.Open)+len(e.TCP) == 0 {
		return fmt.Sprintf("no answer from the helper's machine: not at UDP %s, not by TCP; is it running, is UDP blocked here? Still trying", numbers(e.Blocked))
	}
	var ways []string
	if len(e.Open) > 0 {
		ways = append(ways, "UDP "+numbers(e.Open))
	}
	if len(e.TCP) > 0 {
		ways = append(ways, "TCP "+numbers(e.TCP))
	}
	verb := "gets"
	if len(e.Open)+len(e.TCP) > 1 {
		verb = "get"
	}
	blocked := "UDP seems blocked in this network"
	if len(e.Open) > 0 {
		blocked = "UDP seems partly blocked in this network"
	}
	text := fmt.Sprintf("%s (no answer from the helper's machine at UDP %s); %s %s out", blocked, numbers(e.Blocked), strings.Join(ways, " and "), verb)
	if len(e.Open) == 0 {
		text += ": trying TCP between the two machines, which is slower"
	}
	return text
}

// numbers lists ports: 53, 123 and 443.
func numbers(ports []uint16) string {
	var s strings.Builder
	for i, p := range ports {
		switch {
		case i == 0:
		case i == len(ports)-1:
			s.WriteString(" and ")
		default:
			s.WriteString(", ")
		}
		fmt.Fprint(&s, p)
	}
	return s.String()
}

package main

import (
	"testing"

	"qft"
)

func TestPortsAreSaidInWords(t *testing.T) {
	asked := []uint16{4000, 53, 123, 443, 4277}
	for _, x := range []struct {
		e    qft.HelperPorts
		want string
	}{
		{qft.HelperPorts{Blocked: asked},
			"no answer from the helper's machine: not at UDP 4000, 53, 123, 443 and 4277, not by TCP; is it running, is UDP blocked here? Still trying"},
		{qft.HelperPorts{Blocked: []uint16{4000, 53}, Open: []uint16{443}},
			"UDP seems partly blocked in this network (no answer from the helper's machine at UDP 4000 and 53); UDP 443 gets out"},
		{qft.HelperPorts{Blocked: asked, TCP: []uint16{4000, 443}},
			"UDP seems blocked in this network (no answer from the helper's machine at UDP 4000, 53, 123, 443 and 4277); TCP 4000 and 443 get out: trying TCP between the two machines, which is slower"},
	} {
		if got := portsText(x.e); got != x.want {
			t.Errorf("%+v:\n%s\nwant\n%s", x.e, got, x.want)
		}
	}
}

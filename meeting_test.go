package qft

import (
	"testing"
	"time"

	"qft/internal/lab"
)

func TestCodeBringsAFileAcross(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
	home := func(name string) *lab.Host {
		r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line,
			NAT: &lab.NAT{Mapping: lab.EndpointIndependent, Filtering: lab.AddressPortDependent}})
		return m.Host(r, lab.HostConfig{Name: name + " host"})
	}
	path := m.file("report.pdf", 3<<20)
	s := m.send(home("a"), "", path)
	code := s.code()
	dir := m.folder("to")
	r := m.receive(home("b"), code, dir)
	start := m.Elapsed()
	if err := m.finish(time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if s.err() != nil || r.err() != nil {
		t.Errorf("sender: %v, receiver: %v", s.err(), r.err())
	}
	if err := same(path, dir); err != nil {
		t.Error(err)
	}
	t.Logf("%v: %v", m.Elapsed()-start, s.events)
}

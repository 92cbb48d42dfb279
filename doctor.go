package qft

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"qft/internal/nat"
	"qft/internal/portmap"
	"qft/internal/survey"
	"qft/internal/udp"
)

// DoctorConfig is what Doctor asks.
type DoctorConfig struct {
	// Servers are HOST:PORT of helpers or STUN servers, or HOST of a helper at
	// DirectPort. With none, only this machine and its router are looked at.
	Servers []string

	// Stun are HOST or HOST:PORT of STUN servers, which are asked as well; without
	// a port it is 3478.
	Stun []string

	// Long measures for up to a minute how long an idle mapping lives, instead
	// of 20 s.
	Long bool

	// NoPortMapping leaves the router in peace.
	NoPortMapping bool

	// Waiting is called when all that is quick is known, with how long the
	// rest takes. It may be nil.
	Waiting func(rest time.Duration)
}

var (
	idleTimes     = []time.Duration{10 * time.Second, 20 * time.Second}
	idleTimesLong = []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second, 55 * time.Second}
)

// tcpTime is how long connecting by TCP may take.
const tcpTime = 3 * time.Second

// routersTime is how long routers may take, beside the rest. One that lets each
// of its answers take long would have half a minute otherwise.
const routersTime = 10 * time.Second

// Doctor measures what the network allows. What could not be measured is said
// in the diagnosis; an error is of this machine's socket, of a server's
// address that makes no sense, or that ctx was canceled.
func Doctor(ctx context.Context, cfg DoctorConfig) (Diagnosis, error) {
	x := &examination{cfg: cfg, idle: idleTimes}
	if cfg.Long {
		x.idle = idleTimesLong
	}
	if err := x.open(); err != nil {
		return Diagnosis{}, err
	}
	defer x.close()
	if err := x.lookUp(ctx); err != nil {
		return Diagnosis{}, err
	}
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		var both sync.WaitGroup
		both.Go(func() { x.askRouters(ctx) })
		both.Go(func() { x.connect(ctx) })
		both.Wait()
	}()
	found := x.survey(ctx)
	<-beside
	if ctx.Err() != nil {
		return Diagnosis{}, &Error{Op: "doctor", Kind: KindCanceled, Err: errors.New("interrupted")}
	}
	return x.diagnose(found), nil
}

// examination is one run of Doctor.
type examination struct {
	cfg     DoctorConfig
	idle    []time.Duration
	sockets []*udp.Socket // those of the survey, and one whose port the router is to open
	servers []ServerCheck
	addrs   []netip.AddrPort // of the servers, where there are some
	routers []portmap.Answer
}

// open opens the sockets: two for the survey, one for each idle time, one more.
func (x *examination) open() error {
	for range 2 + len(x.idle) + 1 {
		s, err := listen("doctor", udp.Config{})
		if err != nil {
			x.close()
			return err
		}
		x.sockets = append(x.sockets, s)
	}
	return nil
}

func (x *examination) close() {
	for _, s := range x.sockets {
		s.Close()
	}
}

// lookUp finds the addresses of the servers.
func (x *examination) lookUp(ctx context.Context) error {
	for i, name := range slices.Concat(x.cfg.Servers, x.cfg.Stun) {
		port := uint16(DirectPort)
		if i >= len(x.cfg.Servers) {
			port = stunPort
		}
		found, err := resolve(ctx, "doctor", name, port, x.sockets[0])
		if kind := KindOf(err); err != nil && (kind == KindUsage || kind == KindCanceled) {
			return err
		}
		if err != nil {
			x.servers, x.addrs = append(x.servers, ServerCheck{Name: name, Error: err.Error()}), append(x.addrs, netip.AddrPort{})
			continue
		}
		for _, a := range found {
			if !slices.Contains(x.addrs, a) {
				x.servers, x.addrs = append(x.servers, ServerCheck{Name: name, Address: a.String()}), append(x.addrs, a)
			}
		}
	}
	return nil
}

// askRouters has a port opened that nobody uses, and closed again: one that is
// surveyed would look other than it is.
func (x *examination) askRouters(ctx context.Context) {
	if x.cfg.NoPortMapping {
		return
	}
	s := x.sockets[len(x.sockets)-1]
	v4, v6 := s.Families()
	m := portmap.Start(ctx, portmap.Config{Port: s.Port(), UDP: true, V4: v4, V6: v6, All: true})
	defer m.Close()
	limit := time.NewTimer(routersTime)
	defer limit.Stop()
	select {
	case <-m.Searched():
	case <-limit.C:
	case <-ctx.Done():
	}
	x.routers = m.Answers()
}

// connect tries the servers by TCP: whether they are there at all where UDP is
// silent.
func (x *examination) connect(ctx context.Context) {
	var all sync.WaitGroup
	for i, a := range x.addrs {
		if !a.IsValid() {
			continue
		}
		ports := []uint16{a.Port(), 443}
		if a.Port() == 443 {
			ports = ports[:1]
		}
		x.servers[i].TCP = make([]TCPPort, len(ports))
		for k, port := range ports {
			all.Go(func() {
				x.servers[i].TCP[k] = TCPPort{port, tcpState(ctx, netip.AddrPortFrom(a.Addr(), port))}
			})
		}
	}
	all.Wait()
}

// wsaRefused is WSAECONNREFUSED, which Windows says for ECONNREFUSED.
const wsaRefused = syscall.Errno(10061)

func tcpState(ctx context.Context, to netip.AddrPort) string {
	d := net.Dialer{Timeout: tcpTime}
	c, err := d.DialContext(ctx, "tcp", to.String())
	switch {
	case err == nil:
		c.Close()
		return "connected"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaRefused):
		return "refused"
	}
	return "silent"
}

// arrival is what one of the sockets has received.
type arrival struct {
	local udp.Local
	r     *udp.Received
}

// survey drives the machine over real sockets.
func (x *examination) survey(ctx context.Context) survey.Findings {
	sockets := x.sockets[:len(x.sockets)-1]
	cfg := survey.Config{Local: interfaces(), Idle: x.idle, Rand: rand.Reader}
	for _, s := range sockets {
		cfg.Sockets = append(cfg.Sockets, s.Port())
	}
	for _, a := range x.addrs {
		if a.IsValid() {
			cfg.Servers = append(cfg.Servers, a)
		}
	}
	cfg.V4, cfg.V6 = sockets[0].Families()
	arrivals := make(chan arrival)
	ended := make(chan struct{})
	var readers sync.WaitGroup
	for i, s := range sockets {
		readers.Go(func() { forward(s, udp.Local(i), arrivals, ended) })
	}
	defer readers.Wait()
	defer close(ended)
	m := survey.New(time.Now(), cfg)
	x.drive(ctx, m, arrivals)
	return m.Findings()
}

// forward passes on what a socket receives.
func forward(s *udp.Socket, local udp.Local, to chan<- arrival, ended <-chan struct{}) {
	for {
		select {
		case r, ok := <-s.Incoming():
			if !ok {
				return
			}
			select {
			case to <- arrival{local, r}:
			case <-ended:
				r.Release()
				return
			}
		case <-ended:
			return
		}
	}
}

func (x *examination) drive(ctx context.Context, m *survey.Survey, arrivals <-chan arrival) {
	batch, one := udp.NewBatch(64<<10), udp.NewBatch(2<<10)
	timer := time.NewTimer(0)
	defer timer.Stop()
	began, told := time.Now(), false
	for !m.Done() {
		select {
		case a := <-arrivals:
			for p := range a.r.Packets() {
				p.Local = a.local
				m.Receive(time.Now(), p)
			}
			a.r.Release()
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		batch.Reset()
		m.Send(time.Now(), batch)
		for p := range batch.All() {
			one.Reset()
			one.Add(udp.To(p.Remote), p.Data)
			_ = x.sockets[p.Local].Write(one) // a socket that fails is silent
		}
		if m.Quick() && !told {
			told = true
			x.tellWaiting(m, began)
		}
		if d := m.Deadline(); !d.IsZero() {
			timer.Reset(max(time.Until(d), 0))
		}
	}
}

// tellWaiting says how long the rest takes.
func (x *examination) tellWaiting(m *survey.Survey, began time.Time) {
	rest := slices.Max(x.idle) - time.Since(began)
	if x.cfg.Waiting != nil && !m.Done() && rest > 0 {
		x.cfg.Waiting(rest)
	}
}

func interfaces() []netip.Addr {
	all, err := udp.Interfaces()
	if err != nil {
		return nil
	}
	return all
}

// diagnose puts together what was found.
func (x *examination) diagnose(f survey.Findings) Diagnosis {
	// Lists are empty rather than nil: null is one case more for programs.
	d := Diagnosis{
		V: DiagnosisVersion, IPv4: ipCheck(f.V4), IPv6: ipCheck(f.V6), NAT: natCheck(f),
		Servers: []ServerCheck{}, Routers: []RouterCheck{}, RoutersAsked: !x.cfg.NoPortMapping,
	}
	for i, c := range x.servers {
		d.IPv4.Asked = d.IPv4.Asked || x.addrs[i].Addr().Is4()
		d.IPv6.Asked = d.IPv6.Asked || x.addrs[i].Addr().Is6()
		c.UDP, c.TCP = []UDPPort{}, append([]TCPPort{}, c.TCP...)
		for _, s := range f.Servers {
			if s.Addr == x.addrs[i] {
				c.Helper, c.RTTMS = s.Helper, millis(s.RTT)
				for _, p := range s.Ports {
					c.UDP = append(c.UDP, UDPPort(p))
				}
			}
		}
		d.Servers = append(d.Servers, c)
	}
	for _, a := range x.routers {
		r := RouterCheck{Address: a.Router.String(), Protocol: a.By, Speaks: a.Speaks, Said: a.Said, Opened: []string{}}
		for _, m := range a.Open {
			r.Opened = append(r.Opened, m.Outside.String())
			r.Public = r.Public || m.Public()
		}
		d.Routers = append(d.Routers, r)
	}
	d.Machine = x.machine()
	d.Verdict = conclude(&d)
	return d
}

func ipCheck(f survey.Family) IPCheck {
	c := IPCheck{Local: []string{}, NAT: tri(f.NAT), OtherPorts: tri(f.OtherPorts), MTU: f.MTU, MTUMost: f.MTUMost}
	for _, ip := range f.Local {
		c.Local = append(c.Local, ip.String())
	}
	if f.Outside.IsValid() {
		c.Outside = f.Outside.String()
	}
	return c
}

func natCheck(f survey.Findings) NATCheck {
	words := map[nat.Mapping]string{
		nat.Independent: "independent", nat.Preserving: "preserving", nat.Sequential: "sequential", nat.Random: "random",
	}
	c := NATCheck{
		Mapping: words[f.Mapping.Mapping], Destinations: f.Destinations, KeepsPort: tri(f.KeepsPort), Hairpin: tri(f.Hairpin),
		LivesS: f.Lifetime.AtLeast.Seconds(), LivesLessS: f.Lifetime.Less.Seconds(),
	}
	if c.Mapping == "" {
		c.Mapping = "unknown"
	}
	return c
}

func tri(a survey.Answer) Tri {
	switch a {
	case survey.Yes:
		return Yes
	case survey.No:
		return No
	}
	return Unknown
}

func (x *examination) machine() MachineCheck {
	st := x.sockets[0].Stats()
	return MachineCheck{
		ReceiveBuffer: st.ReadBuffer, SendBuffer: st.WriteBuffer, SendOffload: st.Offload, ReceiveOffload: st.Merging,
		Clock: clockSynchronised(), Hints: append([]string{}, x.sockets[0].Hints()...),
	}
}

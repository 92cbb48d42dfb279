package udp

import (
	"cmp"
	"errors"
	"iter"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// bufferWanted is what each kernel socket asks for in each direction: at
// 1 Gbit/s, 4 MiB bridges a pause of the loop (garbage collection, a busy
// core) of 30 ms.
const bufferWanted = 4 << 20

// Config says how a Socket is opened. The zero value takes every address of
// both families, on a port that the system chooses.
type Config struct {
	Port uint16     // If zero, one that is free in both families.
	Addr netip.Addr // If zero, all addresses; otherwise only this one, and only its family.

	// Addr6 is the only address of IPv6, beside an Addr of IPv4.
	Addr6 netip.Addr

	// Also are further ports on which to receive, each in both families. Their
	// Locals are 1, 2, … in this order.
	Also []uint16

	// Crowd is for a server: small packets of very many remote addresses, of
	// which none sends much. They are received and sent many in a system call
	// where the system can do that, and those of more than 2 KiB are then
	// dropped. There are no trains.
	Crowd bool

	NoOffload bool // Send and receive packets one by one, even where the system can do better.

	ReadBuffer  int // Kernel's receive buffer per family, in bytes. If zero, 4 MiB.
	WriteBuffer int // Kernel's send buffer per family, in bytes. If zero, 4 MiB.
}

// Socket sends and receives batches of UDP packets over IPv4 and IPv6 on one
// port, or on several, and over further IPv4 ports that are opened later. One
// goroutine at a time may call Write, Open, Promote and Shut; everything else
// may be called at any time from anywhere.
type Socket struct {
	cfg     Config
	door           // Local 0
	also    []door // Local 1 and on
	further further
	ears    []*ear

	pool     *pool
	incoming chan *Received
	base     sync.WaitGroup // readers of the ports that Listen opened
	readers  sync.WaitGroup // all others
	closing  chan struct{}
	once     sync.Once

	segmenting atomic.Bool // trains are sent as trains
	counts     counters
	notes      notes
}

// door is the kernel sockets on one port.
type door struct {
	port   uint16
	v4, v6 *family // nil where the machine lacks the family
}

// family is one of the kernel sockets. Its functions are values so that a
// test can stand in for a system that refuses.
type family struct {
	local Local
	conn  *net.UDPConn
	read  func(*Received) error                                          // waits for packets, appends them
	one   func(data []byte, to netip.AddrPort) error                     // sends one packet
	train func(data []byte, to netip.AddrPort, size int) (fromGSO error) // sends data cut every size bytes; nil: cannot
	many  func(b *Batch, i, end int) (n int, err error)                  // sends up to end, n of them before the error; nil: cannot

	writeBy time.Time // write deadline, see patience

	// Of further sockets only.
	await func() error // waits for packets, and leaves them there
	busy  atomic.Bool  // promoted: waits as the others do
	shut  atomic.Bool
}

// Listen opens the socket and starts receiving. If the wanted port is taken in
// either family, the error satisfies errors.Is(err, ErrPortInUse).
func Listen(cfg Config) (*Socket, error) {
	s, err := bind(cfg)
	if err != nil {
		return nil, err
	}
	s.start()
	return s, nil
}

// bind returns a socket that is open but does not receive yet.
func bind(cfg Config) (*Socket, error) {
	s := &Socket{cfg: cfg, pool: newPool(poolSize), incoming: make(chan *Received, poolSize), closing: make(chan struct{})}
	if cfg.Crowd {
		s.pool.slots, s.pool.slotSize = crowdSlots, crowdSlotSize
	}
	s.segmenting.Store(!cfg.NoOffload && !cfg.Crowd)
	var err error
	if s.door, err = s.enter(cfg.Port, 0, cfg); err != nil {
		return nil, err
	}
	for i, p := range cfg.Also {
		d, err := s.enter(p, Local(1+i), cfg)
		if err != nil {
			s.closeDoors()
			return nil, err
		}
		s.also = append(s.also, d)
	}
	return s, nil
}

// enter opens one port.
func (s *Socket) enter(number uint16, l Local, cfg Config) (d door, err error) {
	v4, v6, err := open(cfg.Addr, cfg.Addr6, number)
	if err != nil {
		return d, err
	}
	d.v4 = s.adopt(v4, l, cfg)
	d.v6 = s.adopt(v6, l, cfg)
	d.port = port(cmp.Or(v4, v6))
	return d, nil
}

// adopt makes a family of an open connection, if there is one.
func (s *Socket) adopt(conn *net.UDPConn, l Local, cfg Config) *family {
	if conn == nil {
		return nil
	}
	v6 := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is6()
	s.notes.tuned(tune(conn, v6, cfg))
	f := &family{
		local: l,
		conn:  conn,
		read:  newReader(conn, l, cfg, &s.counts),
		one: func(data []byte, to netip.AddrPort) error {
			_, err := conn.WriteToUDPAddrPort(data, to)
			return err
		},
	}
	if cfg.Crowd && !cfg.NoOffload {
		f.many = newMany(conn, v6)
	}
	if s.segmenting.Load() {
		var err error
		if f.train, err = newTrain(conn); err != nil {
			s.StopOffload(err.Error())
		}
	}
	return f
}

// start begins to receive.
func (s *Socket) start() {
	for f := range s.families() {
		s.base.Go(func() { s.receive(f) })
	}
	go func() {
		s.base.Wait()
		s.endFurther()
		s.readers.Wait()
		close(s.incoming)
	}()
}

// Incoming delivers what arrives. Each Received must be released, or receiving
// stops when the pool is empty. The channel is closed after Close, or when
// every family has failed for good; Err tells which.
func (s *Socket) Incoming() <-chan *Received { return s.incoming }

// Port returns the local port of both families, the first if there are several.
func (s *Socket) Port() uint16 { return s.port }

// Ports returns all local ports, by Local.
func (s *Socket) Ports() []uint16 {
	all := []uint16{s.port}
	for _, d := range s.also {
		all = append(all, d.port)
	}
	return all
}

// families yields the kernel sockets.
func (s *Socket) families() iter.Seq[*family] {
	return func(yield func(*family) bool) {
		for i := range 1 + len(s.also) {
			d := s.at(Local(i))
			if d.v4 != nil && !yield(d.v4) || d.v6 != nil && !yield(d.v6) {
				return
			}
		}
	}
}

// at returns the port of that Local, nil if there is none.
func (s *Socket) at(l Local) *door {
	switch {
	case l == 0:
		return &s.door
	case int(l) <= len(s.also):
		return &s.also[l-1]
	}
	return nil
}

// Families reports through which IP versions the socket can send.
func (s *Socket) Families() (v4, v6 bool) { return s.v4 != nil, s.v6 != nil }

// Err returns the error that ended reception of a family for good, nil if
// there was none. Closing is no error.
func (s *Socket) Err() error {
	s.notes.Lock()
	defer s.notes.Unlock()
	return s.notes.err
}

// Hints returns what a person could change on this machine to make transfers
// faster, one sentence each, with the command to type where there is one.
func (s *Socket) Hints() []string {
	s.notes.Lock()
	defer s.notes.Unlock()
	return slices.Clone(s.notes.hints)
}

// StopOffload makes the socket send packet by packet from now on, and records
// why, once, among the hints. It is for callers who see that packets sent in
// trains are lost on the way while others arrive.
func (s *Socket) StopOffload(why string) {
	if s.segmenting.Swap(false) {
		s.notes.hint("sending packets one by one, without segmentation offload: " + why)
	}
}

// Close ends reception, waits until the readers are gone and Incoming is about
// to be closed, and makes a Write under way fail with net.ErrClosed. What is
// still in Incoming may be read and released afterwards.
func (s *Socket) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closing)
		s.pool.close()
		err = s.closeDoors()
		for _, e := range s.ears {
			err = errors.Join(err, e.close())
		}
		s.endFurther()
	})
	s.base.Wait()
	s.readers.Wait()
	return err
}

func (s *Socket) closeDoors() (err error) {
	for f := range s.families() {
		err = errors.Join(err, f.conn.Close())
	}
	return err
}

func port(conn *net.UDPConn) uint16 {
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

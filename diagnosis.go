package qft

// DiagnosisVersion is the version of a Diagnosis in JSON. Fields may be added
// without a new version; what there is keeps its meaning.
const DiagnosisVersion = 1

// Diagnosis is what a network allows, as far as it could be measured. In JSON
// it is what docs/doctor.md describes.
type Diagnosis struct {
	V       int     `json:"v"`
	Verdict Verdict `json:"verdict"`

	Servers []ServerCheck `json:"servers"`
	IPv4    IPCheck       `json:"ipv4"`
	IPv6    IPCheck       `json:"ipv6"`
	NAT     NATCheck      `json:"nat"` // of IPv4
	Routers []RouterCheck `json:"routers"`
	// RoutersAsked says that routers were to be asked at all.
	RoutersAsked bool         `json:"routers_asked"`
	Machine      MachineCheck `json:"machine"`
}

// Verdict is the diagnosis in plain words.
type Verdict struct {
	Rating Rating   `json:"rating"`
	Text   string   `json:"text"`
	Advice []string `json:"advice"` // what would help, one sentence each
}

// Rating says how many others can be reached directly.
type Rating string

const (
	RatingOpen    Rating = "open"    // everybody, at once
	RatingGood    Rating = "good"    // nearly everybody
	RatingLimited Rating = "limited" // who has an easy network
	RatingBlocked Rating = "blocked" // UDP gets nowhere
	RatingUnknown Rating = "unknown" // too little could be measured
)

// Tri is an answer that there may be none to.
type Tri string

const (
	Unknown Tri = "unknown"
	Yes     Tri = "yes"
	No      Tri = "no"
)

// ServerCheck is one address of a helper or STUN server.
type ServerCheck struct {
	Name    string    `json:"name"` // as it was given
	Address string    `json:"address"`
	Error   string    `json:"error"` // it could not be asked
	Helper  bool      `json:"helper"`
	RTTMS   float64   `json:"rtt_ms"` // 0: it has not answered over UDP
	UDP     []UDPPort `json:"udp"`    // in the order of asking, the given one first
	TCP     []TCPPort `json:"tcp"`
}

// UDPPort is what became of asking at a port. One that does not answer is
// blocked on the way, or nobody listens there.
type UDPPort struct {
	Port     uint16 `json:"port"`
	Answered bool   `json:"answered"`
}

// TCPPort is what became of connecting to a port: "connected", "refused" (the
// machine is there), or "silent".
type TCPPort struct {
	Port  uint16 `json:"port"`
	State string `json:"state"`
}

// IPCheck is one version of IP.
type IPCheck struct {
	Asked   bool     `json:"asked"`   // a server has an address of it
	Local   []string `json:"local"`   // own addresses
	Outside string   `json:"outside"` // as a server sees this machine; empty: none has answered
	NAT     Tri      `json:"nat"`
	// OtherPorts says whether packets get in from other ports than the one
	// that was written to.
	OtherPorts Tri  `json:"other_ports"`
	MTU        int  `json:"mtu"`      // largest packet that got through; 0: not known
	MTUMost    bool `json:"mtu_most"` // nothing larger was tried
}

// NATCheck is what the NAT does, or the firewall where there is none.
type NATCheck struct {
	// Mapping is "independent" (one outside port for every destination),
	// "preserving" (one for each, the inside port where it is free),
	// "sequential", "random", or "unknown".
	Mapping      string  `json:"mapping"`
	Destinations int     `json:"destinations"` // that the mapping follows from
	KeepsPort    Tri     `json:"keeps_port"`
	Hairpin      Tri     `json:"hairpin"`
	LivesS       float64 `json:"lives_s"`      // an idle mapping has lived so long; 0: not known
	LivesLessS   float64 `json:"lives_less_s"` // and not so long; 0: not known
}

// RouterCheck is what a router has said to opening a port.
type RouterCheck struct {
	Address  string   `json:"address"`
	Protocol string   `json:"protocol"` // "PCP", "NAT-PMP", "UPnP"
	Speaks   bool     `json:"speaks"`   // it answers in this protocol
	Opened   []string `json:"opened"`   // outside addresses, for the moment
	Public   bool     `json:"public"`   // one of them is a public address
	Said     string   `json:"said"`     // why it would not; text of the router
}

// MachineCheck is what the machine itself allows.
type MachineCheck struct {
	ReceiveBuffer  int      `json:"receive_buffer"` // bytes granted
	SendBuffer     int      `json:"send_buffer"`
	SendOffload    bool     `json:"send_offload"`    // GSO
	ReceiveOffload bool     `json:"receive_offload"` // GRO
	Clock          Tri      `json:"clock"`           // it is synchronised
	Hints          []string `json:"hints"`           // what could be changed, with the command
}

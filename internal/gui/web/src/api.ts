// What page and program tell each other, made from api.go and diagnosis.go by make web.

// State is all that a page shows. GET /api/state returns it, and the stream
// of GET /api/events begins with it.
export interface State {
  version: string;
  machine: string; // this machine's name
  helper: string; // that is in force; empty: none
  folder: string; // where received things go, if nothing else is chosen
  places: Place[];
  transfers: Transfer[]; // queued, running and ended in this run of the program, in the order of asking
  unfinished: Unfinished[]; // interrupted ones of which a record is kept
  history: Past[]; // the latest first
  settings: Setting[];
  doctor: Doctor;
  pages: number; // that are open
  directories: boolean; // the system can show a folder in its own file manager
}

// Place is where the file dialog may begin; it never leads out of one.
export interface Place {
  name: string;
  path: string;
}

export type Phase = "queued" | "starting" | "waiting" | "meeting" | "asking" | "moving" | "done" | "failed" | "stopped";

// Transfer is one send or receive.
export interface Transfer {
  id: number;
  kind: string; // "send" or "receive"
  phase: Phase;
  began: number;
  ended: number; // 0: not yet
  name: string; // what it is, for people; empty while nobody knows
  invite: Invite; // what the other side has to be told
  notes: string[]; // what happened that a person should know, the latest last, at most 20
  sessions: Session[]; // one, or one for each receiver
  receivers: number; // wanted; -1: any number
  complete: number; // receivers that have it all
  ask: Ask | null; // a question that waits for POST /api/transfers/ID/answer
  folder: string; // receive: where it goes
  dropped: boolean; // its files are read through a page, which has to stay open
  steering: Steering;
  outcome: Outcome; // of one that has ended
}

// Invite is what people pass each other.
export interface Invite {
  code: string; // of a send
  command: string; // to be typed there
  helper: string; // to be set there, if it is not; empty: none
  token: string; // with STUN: to be given to the other side, whose own Ask wants
}

// Steering is what a person can change while it runs.
export interface Steering {
  paused: boolean;
  background: boolean;
  limit: number; // bytes per second on the wire; 0: none
}

// Outcome is what a transfer came to.
export interface Outcome {
  problem: Problem | null; // nil: all is well
  paths: string[]; // what was received is here
  text: string; // that was received
  failed: Failure[]; // files that did not arrive
  failedMore: number;
}

// Session is the connection to one other side.
export interface Session {
  number: number; // from 1; 0: there is only one
  link: Link;
  size: number;
  done: number;
  resumed: number;
  files: number;
  filesDone: number;
  counted: boolean; // Size and Files are final
  file: string;
  rate: number;
  left: number; // 0: not known
  ended: boolean;
  problem: string; // how it ended, if not well
  // Samples are rates, one a second, the latest last, at most 600; only in a
  // State. A page goes on by itself.
  samples: number[];
}

// Link is the path of a session.
export interface Link {
  path: string; // its kind, such as "punched"; empty: none yet
  remote: string;
  rtt: number;
  loss: number; // 0 to 1
  pathRate: number;
  bottleneck: string;
  lostSince: number; // no contact since; 0: there is
  paused: boolean; // by the other side
}

// Ask is a question to the person here.
export interface Ask {
  number: number; // of the question, from 1: the Answer has to name it
  kind: string; // "accept", "conflict", "token"
  proposal: Proposal | null;
  path: string; // conflict: what exists
}

// Proposal is what the other side offers.
export interface Proposal {
  files: number;
  bytes: number;
  counted: boolean;
  items: number;
  names: string[];
  text: boolean;
  stream: boolean;
  room: number; // free bytes where it is to go; 0: not known
}

// Problem is an error as a person should see it.
export interface Problem {
  kind: string; // as in docs/events.md
  what: string; // what happened
  advice: string; // what to do; may be empty
}

// Failure is a file that did not arrive.
export interface Failure {
  path: string;
  why: string;
}

// Unfinished is a transfer that can be continued.
export interface Unfinished {
  id: string;
  kind: string;
  name: string;
  where: string; // folder, or first path
  size: number;
  done: number;
  seen: number;
  phrase: boolean; // it had a phrase of its own, which is asked for
}

// Past is a transfer that has ended.
export interface Past {
  kind: string;
  name: string;
  where: string;
  size: number;
  files: number;
  ended: number;
  took: number;
  ok: boolean;
  detail: string; // the path, or what went wrong
}

// Setting is one line of the configuration.
export interface Setting {
  key: string;
  value: string;
  from: string; // where it was said: a file, a variable, a flag; empty: nowhere
  fixed: boolean; // said by a flag or variable: the file would not count
  default: string;
  usage: string;
  choices: string[]; // if there are only these
}

// Doctor is the diagnosis, if one was asked for.
export interface Doctor {
  running: boolean;
  rest: number; // about how long it still takes
  diagnosis: Diagnosis | null;
  error: Problem | null;
}

// Message is one event of the stream; just one of its parts is set.
export interface Message {
  state?: State;
  transfer?: Transfer; // a changed or new one, without samples
  read?: Read;
  bye?: boolean; // the program ends
}

// Read asks the page that dropped the files of a transfer for parts of them;
// POST /api/reads/ID has them as its body, one behind the other, or
// ?error=TEXT&advice=TEXT.
export interface Read {
  id: number;
  drop: string; // as the page named it
  parts: Part[];
}

// Part is one of a file.
export interface Part {
  file: number; // index in the list
  offset: number;
  length: number;
}

// NewTransfer is the body of POST /api/transfers, which returns the Transfer.
export interface NewTransfer {
  kind: string;
  // send: one of these
  paths: string[];
  text: string;
  drop: Drop | null;
  receivers: number; // 0: one; -1: any number
  name: string;
  exclude: string[];
  gitignore: boolean;
  // receive
  code: string; // or CODE@HOST[:PORT]
  folder: string; // empty: State.Folder
  existing: string; // "ask" (or empty), "overwrite", "rename", "skip", "fail"
  // both
  helper: string; // empty: as set; "none"
  phrase: string; // of the user's own; empty: a code
  stun: string[];
  limit: string; // as qft.ParseRate reads it
  background: boolean;
  archive: boolean;
  queue: boolean; // after all that run now
}

// Drop is files that only a page can read.
export interface Drop {
  id: string; // the page's own choice, 16 or more characters
  page: string; // as GET /api/events?page= named it
  files: DroppedFile[];
}

// DroppedFile is one of them.
export interface DroppedFile {
  path: string; // with slashes; a directory that is empty ends with one
  size: number;
  modified: number;
}

// Change is the body of POST /api/transfers/ID/change; what is nil stays.
export interface Change {
  paused: boolean | null;
  limit: number | null;
  background: boolean | null;
}

// Answer is the body of POST /api/transfers/ID/answer.
export interface Answer {
  number: number; // of the Ask
  accept: boolean;
  existing: string; // to a conflict, as in NewTransfer, "fail" to end it
  all: boolean;
  token: string; // to a question for the other side's token
}

// CodeCheck is what POST /api/code returns for {"text": ...}.
export interface CodeCheck {
  code: string; // as it is understood; empty: it is none yet
  host: string;
  repaired: string[]; // "zebar → zebra"
  problem: string;
  complete: string[]; // what the beginning may go on as, at most 20
}

// Listing is what GET /api/folder?path= returns.
export interface Listing {
  path: string;
  parent: string; // empty: nothing above may be seen
  entries: Entry[]; // folders first, by name
  more: number; // that were left out: at most 5,000 are told
  write: boolean; // things can be put here
}

// Entry is a file or folder.
export interface Entry {
  name: string;
  folder: boolean;
  size: number;
  modified: number;
  hidden: boolean;
}

// Diagnosis is what a network allows, as far as it could be measured. In JSON
// it is what docs/doctor.md describes.
export interface Diagnosis {
  v: number;
  verdict: Verdict;
  servers: ServerCheck[];
  ipv4: IPCheck;
  ipv6: IPCheck;
  nat: NATCheck; // of IPv4
  routers: RouterCheck[];
  // RoutersAsked says that routers were to be asked at all.
  routers_asked: boolean;
  machine: MachineCheck;
}

// Verdict is the diagnosis in plain words.
export interface Verdict {
  rating: Rating;
  text: string;
  advice: string[]; // what would help, one sentence each
}

export type Rating = "open" | "good" | "limited" | "blocked" | "unknown";

export type Tri = "unknown" | "yes" | "no";

// ServerCheck is one address of a helper or STUN server.
export interface ServerCheck {
  name: string; // as it was given
  address: string;
  error: string; // it could not be asked
  helper: boolean;
  rtt_ms: number; // 0: it has not answered over UDP
  udp: UDPPort[]; // in the order of asking, the given one first
  tcp: TCPPort[];
}

// UDPPort is what became of asking at a port. One that does not answer is
// blocked on the way, or nobody listens there.
export interface UDPPort {
  port: number;
  answered: boolean;
}

// TCPPort is what became of connecting to a port: "connected", "refused" (the
// machine is there), or "silent".
export interface TCPPort {
  port: number;
  state: string;
}

// IPCheck is one version of IP.
export interface IPCheck {
  asked: boolean; // a server has an address of it
  local: string[]; // own addresses
  outside: string; // as a server sees this machine; empty: none has answered
  nat: Tri;
  // OtherPorts says whether packets get in from other ports than the one
  // that was written to.
  other_ports: Tri;
  mtu: number; // largest packet that got through; 0: not known
  mtu_most: boolean; // nothing larger was tried
}

// NATCheck is what the NAT does, or the firewall where there is none.
export interface NATCheck {
  // Mapping is "independent" (one outside port for every destination),
  // "preserving" (one for each, the inside port where it is free),
  // "sequential", "random", or "unknown".
  mapping: string;
  destinations: number; // that the mapping follows from
  keeps_port: Tri;
  hairpin: Tri;
  lives_s: number; // an idle mapping has lived so long; 0: not known
  lives_less_s: number; // and not so long; 0: not known
}

// RouterCheck is what a router has said to opening a port.
export interface RouterCheck {
  address: string;
  protocol: string; // "PCP", "NAT-PMP", "UPnP"
  speaks: boolean; // it answers in this protocol
  opened: string[]; // outside addresses, for the moment
  public: boolean; // one of them is a public address
  said: string; // why it would not; text of the router
}

// MachineCheck is what the machine itself allows.
export interface MachineCheck {
  receive_buffer: number; // bytes granted
  send_buffer: number;
  send_offload: boolean; // GSO
  receive_offload: boolean; // GRO
  clock: Tri; // it is synchronised
  hints: string[]; // what could be changed, with the command
}

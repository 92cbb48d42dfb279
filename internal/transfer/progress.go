package transfer

// Progress is what can be shown of a transfer.
type Progress struct {
	Name     string // of the file, safe to print; empty while it is not known
	Size     int64  // of the file, in bytes
	Total    int64  // bytes that this transfer is about: Size less what the sender skips
	Safe     int64  // of Total: verified and written at the receiver, as far as known here
	Resumed  int64  // of Total: there from the start, and not sent again
	Phase    Phase
	Limit    Limit
	Replaced bool // receiver: a partial file of a different offer was given up

	File                 string
	Files, FilesDone     int64
	Counted              bool
	Kept                 int64
	Hashed, Sent, Resent int64
	Failures             []Failure
	Failed               int64
	Sum, FileSum         string
}

// Limit is what holds the transfer up, as far as it can be seen from here.
type Limit byte

const (
	// ByNetwork: the disk here is waiting for the network.
	ByNetwork Limit = iota
	// ByDisk: the network is waiting for the disk here, or for the hashing.
	ByDisk
)

package plant

// Existing says what to do about a file that has the final name of one that
// comes and differs from it. Identical files are left alone whatever it says,
// and directories merge except with Rename.
type Existing byte

const (
	Fail      Existing = iota // Place answers Exists: somebody has to decide
	Overwrite                 // it is replaced; never a directory, nor by one
	Rename                    // what comes gets another name: "a (2).txt"
	Skip                      // what is there stays, what comes is not wanted
	Ask                       // as Fail: Place answers Exists
)

// Config says where things are received, and how.
type Config struct {
	Dir      string   // the directory; must exist
	Name     string   // what a single item is called here; if empty, as its sender calls it
	Existing Existing // what to do about files that exist
	Archive  bool     // owners, extended attributes, setuid and its like are kept as far as allowed
	Checksum bool     // a file of the right size may be the same whatever its time: Claim
	FS       FS       // if nil, Dir on the system's disk; else used for it, and closed by Ground.Close
}

// What is what Place has found about an entry.
type What byte

const (
	Fresh   What = iota // a file of which nothing is here
	Kept                // a file that an earlier run left complete, with the right size and time: ask the journal
	Part                // a file that an earlier run left unfinished: ask the journal
	Same                // identical under the final name: size, time and kind
	Claim               // a file of that size is under the final name; with Config.Checksum
	Exists              // something else has the final name: see Bed.Resolve
	Skipped             // something else has the final name and stays
	Refused             // it cannot be made here: see Why
	Made                // a directory, link or empty file: nothing of it has to come
)

// Place is where an entry goes.
type Place struct {
	What    What
	Path    string // below the target directory, elements joined by '/': the handle for Bed's methods
	Renamed bool   // because something else has the name
	Why     string // of Exists, Skipped and Refused: safe to print
}

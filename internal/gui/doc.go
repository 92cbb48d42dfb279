// Package gui shows transfers in a browser on this machine.
//
// It serves one page on 127.0.0.1, which talks to it in JSON (api.go). A hub
// owns all that pages see; each transfer has a goroutine in which the public
// package sends or receives, and whose events it turns into what is shown.
//
//	page ── requests ──► guard ─► routes ─► hub ◄── events ── transfers ─► qft
//	  ▲                                      │
//	  └───────────── stream of messages ─────┘
//
// # Who is let in
//
// Every program and user of this machine can reach the port, and every web site
// that the browser shows can send requests to it. So a request has to name the host
// as 127.0.0.1 or localhost with the right port (or a site whose name leads here
// could pass for us), must not come from another origin, and must show two things:
// a cookie, which the browser keeps to itself but sends to every server on this
// host, whatever its port; and a token, which the page keeps where only its own
// origin, port included, can read it. The first page gets both for a key that works once. The key is in
// a file that only its owner can read, and the browser is told to open that file:
// arguments of programs are for everybody to see.
//
// The first program of a user keeps a lock; another start of it finds there how
// to ask for a page, and ends. Connections of those who have shown no token give
// way when there are many, and nobody is waited for without a bound.
//
// # Dropped files
//
// A page can read what was dropped on it, and the program cannot: so a drop is
// an fs.FS whose reads are asked of that page, in the stream of messages, and
// answered by further requests. Asking takes longer than reading, so small files
// are asked for together, in the order in which a sender reads them, and large
// ones a mebibyte at a time. A page that was away is asked again; one that
// stays away, is silent, or sends something else than what was asked for fails
// its files only. So does a file that is changed or removed after it was dropped.
// Browsers may tell of no symlinks in a dropped folder, and of no names that are not
// text: these are left out, and the page says so. Pipes and devices come as empty
// files.
//
// # What can be reached
//
// Files are read and written below places only: the home directory, the working
// directory, removable media (on Windows all drives but its own), and what the
// caller adds. Symlinks and junctions are followed before that is judged.
//
// # Disks that do not answer
//
// A mount whose server is gone never answers, and no call to it can be taken
// back. So what is asked of a path is asked in a goroutine of its own and waited
// for with a limit: a place is left out until it answers, a request fails and says
// so. Until then nobody asks for that path, or one below it, again. Only the
// program's own files are not asked for like this.
//
// # Limitations
//
// Whoever runs programs as the same user can do what the page can, and more.
// Other users of the machine can keep pages from being opened, by making
// connections without end, but not those that are. Between judging a path and
// using it, what it leads to can be changed by whoever may write to a folder on
// its way. A page that dropped files has to stay open while they are sent.
package gui

package faulty

// change is a change of names that happens as a whole.
type change struct {
	edits []edit
	empty *node // the directory that was removed, which was empty then
}

// edit gives a key of a directory to an entry, or to none.
type edit struct {
	dir *node
	key string
	to  named // of no node: removed
}

// do makes a change and logs it.
func (d *Disk) do(c change) {
	for _, e := range c.edits {
		apply(e.dir.names, e)
		e.dir.mtime = d.now()
	}
	d.log = append(d.log, c)
}

func apply(names map[string]named, e edit) {
	if e.to.node == nil {
		delete(names, e.key)
	} else {
		names[e.key] = e.to
	}
}

// touches reports whether a change is about a directory.
func (c change) touches(n *node) bool {
	for _, e := range c.edits {
		if e.dir == n {
			return true
		}
	}
	return c.empty == n
}

// keys is a set of names in directories; the empty one stands for any in it.
type keys map[*node]map[string]bool

func (k keys) add(n *node, key string) {
	if k[n] == nil {
		k[n] = make(map[string]bool)
	}
	k[n][key] = true
}

// meets reports whether a change concerns any of the keys, or emptied a
// directory with one.
func (k keys) meets(c change) bool {
	for _, e := range c.edits {
		if k[e.dir][e.key] || k[e.dir][""] {
			return true
		}
	}
	return c.empty != nil && len(k[c.empty]) > 0
}

func (k keys) take(c change) {
	for _, e := range c.edits {
		k.add(e.dir, e.key)
	}
	if c.empty != nil {
		k.add(c.empty, "")
	}
}

// sync makes durable what concerns a directory, and the changes on which these
// build.
func (d *Disk) sync(n *node) {
	need := make(keys)
	wanted := make([]bool, len(d.log))
	for i := len(d.log) - 1; i >= 0; i-- {
		if c := d.log[i]; c.touches(n) || need.meets(c) {
			wanted[i] = true
			need.take(c)
		}
	}
	var left []change
	for i, c := range d.log {
		if wanted[i] {
			c.keep()
		} else {
			left = append(left, c)
		}
	}
	d.log = left
	n.keepMeta()
}

func (c change) keep() {
	for _, e := range c.edits {
		apply(e.dir.safeNames, e)
	}
}

// syncAll makes everything durable.
func (d *Disk) syncAll() {
	for _, c := range d.log {
		c.keep()
	}
	d.log = nil
	d.visit(d.root, make(map[*node]bool), func(n *node) {
		n.keepMeta()
		if n.data != nil {
			n.keepData()
		}
	})
}

// visit calls do for a node and what is below it, each once.
func (d *Disk) visit(n *node, seen map[*node]bool, do func(*node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	do(n)
	for _, e := range n.names {
		d.visit(e.node, seen, do)
	}
}

// Crash takes from the disk what was not durable, as chance wants it, and
// gives it its next life: without a fault, locks and open handles.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	lost := make(keys)
	for _, c := range d.log {
		if !lost.meets(c) && d.rng.IntN(2) == 0 {
			c.keep()
		} else {
			lost.take(c)
		}
	}
	d.log = nil
	d.life++
	d.dead = false
	d.fault, d.calls = Fault{}, 0
	d.used = 0
	d.root.names = d.root.safeNames
	d.visitSafe(d.root, make(map[*node]bool))
}

// visitSafe makes what is durable what there is.
func (d *Disk) visitSafe(n *node, seen map[*node]bool) {
	n.links++
	if seen[n] {
		return
	}
	seen[n] = true
	n.links = 1
	d.settle(n)
	if n.safeNames == nil {
		d.used += n.holds()
		return
	}
	n.names = make(map[string]named, len(n.safeNames))
	for key, e := range n.safeNames {
		n.names[key] = e
	}
	for _, key := range sortedKeys(n.names) {
		d.visitSafe(n.names[key].node, seen)
	}
}

// SPDX-License-Identifier: Apache-2.0

package inventory

// added files a new node and makes room for it.
func (i *Inventory) added(n *node) {
	i.nodes++
	i.order.push(n)
	i.facts += len(n.facts)
	i.changed(n)
	i.makeRoom(n)
}

// makeRoom forgets the least valuable nodes, n not among them, until the
// bounds are kept.
func (i *Inventory) makeRoom(n *node) {
	for i.nodes > i.cfg.MaxNodes || i.facts > i.cfg.MaxEvidenceTotal {
		v := i.order.oldest()
		if v == n { // never the one that is being filled
			if v = n.prev; v == nil {
				for t := n.tier + 1; t < tiers; t++ {
					if v = i.order[t].tail; v != nil {
						break
					}
				}
			}
		}
		if v == nil {
			return
		}
		i.stats.NodesEvicted++
		if v.med {
			i.stats.MedicalEvicted++
		}
		if v.tier == tierEdited {
			i.stats.EditedEvicted++
		}
		i.forget(v)
	}
}

// seen notes the use of a node. Its place in the order changes at most once a
// second of capture time, so that repeats stay cheap.
func (i *Inventory) seen(n *node, t int64) {
	const second = 1e9
	if t-n.last < second && n.last != 0 {
		n.touch(t)
		return
	}
	n.touch(t)
	i.order.front(n)
	if (n.tier == tierFresh || n.tier == tierFreshMedical) && n.last-n.first >= int64(i.cfg.EstablishAfter) {
		i.promote(n)
	}
}

// promote puts a node into the tier that it has earned.
func (i *Inventory) promote(n *node) {
	if n.tier == tierEdited {
		return
	}
	to := tierFresh
	old := n.last-n.first >= int64(i.cfg.EstablishAfter)
	switch {
	case n.med && old:
		to = tierMedical
	case n.med:
		to = tierFreshMedical
	case old:
		to = tierEstablished
	}
	if to > n.tier {
		i.order.move(n, to)
	}
}

// forget removes a node.
func (i *Inventory) forget(n *node) {
	i.order.remove(n)
	i.nodes--
	i.facts -= len(n.facts)
	i.change++
	if !n.ip.IsValid() {
		delete(i.macs, n.mac)
		return
	}
	a := i.addrs[keyOf(n.ip)]
	if a == nil {
		return
	}
	drop := func(s []*node) []*node {
		for k, o := range s {
			if o == n {
				return append(s[:k], s[k+1:]...)
			}
		}
		return s
	}
	a.nodes, a.old = drop(a.nodes), drop(a.old)
	if len(a.nodes)+len(a.old) == 0 {
		delete(i.addrs, keyOf(n.ip))
	}
}

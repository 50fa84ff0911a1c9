// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/platform/store"
)

// File is where an installed index lies, below the data directory.
func File(dir string) string { return filepath.Join(dir, "knowledge", "index.json.gz") }

// Installed returns the index that counts in a data directory, packed: the installed one, or
// the shipped one where there is none or it is newer than what was installed.
func Installed(dir string) (x *Index, print string, updated bool, err error) {
	own, ownPrint := Shipped()
	packed, err := os.ReadFile(File(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return own, ownPrint, false, nil
	}
	if err != nil {
		return nil, "", false, err
	}
	if x, err = Decode(packed); err != nil {
		return nil, "", false, hinted(fmt.Errorf("%s: %w", File(dir), err), "asepsis knowledge update DIR writes it anew; without the file the shipped index counts")
	}
	if !x.Pinned && own.newer(x) {
		return own, ownPrint, false, nil
	}
	return x, Fingerprint(packed), true, nil
}

// newer reports whether an index knows later advisories or a later catalogue than another,
// and no earlier ones.
func (x *Index) newer(than *Index) bool {
	a, b := x.Date(), than.Date()
	c, d := x.Released(), than.Released()
	return (a.After(b) || c.After(d)) && !a.Before(b) && !c.Before(d)
}

// ErrOlder says that an index would replace a newer one.
var ErrOlder = errors.New("is older than what is installed")

// Difference says what an index changes.
type Difference struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"`
	KEV     int      `json:"kev_added"` // CVEs that are newly known to be exploited
}

// Compare says what changes from one index to the next.
func Compare(from, to *Index) Difference {
	d := Difference{Added: []string{}, Changed: []string{}, Removed: []string{}}
	was := map[string]string{}
	for i := range from.Advisories {
		was[from.Advisories[i].ID] = from.Advisories[i].Updated + "\x00" + from.Advisories[i].Revision
	}
	for i := range to.Advisories {
		a := &to.Advisories[i]
		key, ok := was[a.ID]
		switch {
		case !ok:
			d.Added = append(d.Added, a.ID)
		case key != a.Updated+"\x00"+a.Revision:
			d.Changed = append(d.Changed, a.ID)
		}
		delete(was, a.ID)
	}
	for i := range from.Advisories {
		if _, left := was[from.Advisories[i].ID]; left {
			d.Removed = append(d.Removed, from.Advisories[i].ID)
		}
	}
	for cve := range to.KEV.CVEs {
		if _, had := from.KEV.CVEs[cve]; !had {
			d.KEV++
		}
	}
	return d
}

// Install puts an index into a data directory. An index of which a part is older than the
// installed one is refused with ErrOlder unless older is set. One without a KEV catalogue
// keeps the one that is installed.
//
// durable: returns only after fsync of file and directory; at every moment there is a whole
// index, the old or the new one.
func Install(dir string, x *Index, older bool, now time.Time) (Difference, error) {
	have, _, _, err := Installed(dir)
	if err != nil && !older {
		return Difference{}, err
	}
	if err != nil {
		have, _ = Shipped()
	}
	if len(x.KEV.CVEs) == 0 {
		x.KEV = have.KEV
	}
	if !older {
		switch {
		case x.Date().Before(have.Date()):
			return Difference{}, hinted(fmt.Errorf("the newest advisory of %s %w (%s)", x.Date().Format(time.DateOnly), ErrOlder, have.Date().Format(time.DateOnly)), "--allow-older installs it all the same")
		case x.Released().Before(have.Released()):
			return Difference{}, hinted(fmt.Errorf("the KEV catalogue of %s %w (%s)", x.Released().Format(time.DateOnly), ErrOlder, have.Released().Format(time.DateOnly)), "--allow-older installs it all the same")
		}
	}
	x.Pinned, x.Made = older, now.UTC().Format(time.RFC3339)
	if x.Source == "" {
		x.Source = Source
	}
	packed, err := x.Encode()
	if err != nil {
		return Difference{}, err
	}
	if err := os.MkdirAll(filepath.Dir(File(dir)), 0o700); err != nil {
		return Difference{}, err
	}
	return Compare(have, x), durable.Write(File(dir), packed)
}

// stamp tells whether a file is another one.
type stamp struct {
	size int64
	time time.Time
}

// install makes an index that was put into the data directory the one in the store, where
// the API reads it, too.
func (w *Watcher) install(ctx context.Context) error {
	if w.dep.Dir == "" {
		return nil
	}
	st, err := os.Stat(File(w.dep.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now := stamp{st.Size(), st.ModTime()}
	if now == w.installed {
		return nil
	}
	packed, err := os.ReadFile(File(w.dep.Dir))
	if err != nil {
		return err
	}
	if _, err := Decode(packed); err != nil {
		return hinted(fmt.Errorf("%s: %w", File(w.dep.Dir), err), "asepsis knowledge update DIR writes it anew")
	}
	doc, err := w.dep.Store.Document(ctx, KindKnowledge, IDIndex)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if Fingerprint(doc.Body) != Fingerprint(packed) {
		audit := store.Audit{Time: w.dep.Now().UnixNano(), Who: "system", Action: "knowledge.update", Object: "knowledge:" + Fingerprint(packed), Result: "done"}
		if err := w.dep.Store.Commit(ctx, []store.Write{{Kind: KindKnowledge, ID: IDIndex, Expect: store.AnyRevision, Body: packed}, Changed()}, audit); err != nil {
			return err
		}
		w.dep.Log.Info("new knowledge about vulnerabilities is used", "fingerprint", Fingerprint(packed))
	}
	w.installed = now
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package dicom

// UIDOf returns the UID with a keyword of PS3.6 annex A, "CTImageStorage" for example.
func UIDOf(keyword string) (uid string, ok bool) {
	for i := range uidTable {
		if e := &uidTable[i]; e.keyword == keyword && keyword != "" {
			return uidRoot + e.suffix, true
		}
	}
	return "", false
}

// StorageClasses returns the registered storage SOP classes in the order of their UIDs, those that PS3.6 has
// retired last.
func StorageClasses() []string {
	var now, retired []string
	for i := range uidTable {
		e := &uidTable[i]
		if uid := uidRoot + e.suffix; e.kind == UIDSOPClass && IsStorage(uid) {
			if e.retired {
				retired = append(retired, uid)
			} else {
				now = append(now, uid)
			}
		}
	}
	return append(now, retired...)
}

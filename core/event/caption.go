// SPDX-License-Identifier: Apache-2.0

package event

// Classes returns every class that an event can have, in ascending order.
func Classes() []Class {
	out := make([]Class, len(classTables))
	for i := range classTables {
		out[i] = classTables[i].uid
	}
	return out
}

// Name returns the schema's name of the class, "dicom_operation"; "" for an
// unknown one.
func (c Class) Name() string {
	if t := tableOf(c); t != nil {
		return t.name
	}
	return ""
}

// Caption returns the name of the class as people read it, "DICOM Operation"; ""
// for an unknown one.
func (c Class) Caption() string {
	if t := tableOf(c); t != nil {
		return t.caption
	}
	return ""
}

// Activities returns the activity_ids of the class in ascending order.
func (c Class) Activities() []uint8 {
	t := tableOf(c)
	if t == nil {
		return nil
	}
	out := make([]uint8, len(t.activities))
	for i := range t.activities {
		out[i] = t.activities[i].id
	}
	return out
}

// ActivityCaption returns the name of an activity of the class, "C-STORE";
// "Other" for one that the class does not know.
func (c Class) ActivityCaption(id uint8) string {
	if t := tableOf(c); t != nil {
		for i := range t.activities {
			if t.activities[i].id == id {
				return t.activities[i].caption
			}
		}
	}
	return "Other"
}

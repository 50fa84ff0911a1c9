// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/event"
)

func TestClassesAndActivitiesHaveTheSchemasNames(t *testing.T) {
	if !slices.Contains(event.Classes(), event.ClassDICOMOperation) || !slices.IsSorted(event.Classes()) {
		t.Errorf("classes are %v", event.Classes())
	}
	for _, tt := range []struct {
		class          event.Class
		activity       uint8
		name, caption  string
		activityName   string
		activityListed bool
	}{
		{event.ClassDICOMOperation, 2, "dicom_operation", "DICOM Operation", "C-STORE", true},
		{event.ClassDICOMAssociation, 3, "dicom_association", "DICOM Association", "Reject", true},
		{event.ClassDNS, 77, "dns_activity", "DNS Activity", "Other", false},
		{event.Class(1), 1, "", "", "Other", false},
	} {
		if tt.class.Name() != tt.name || tt.class.Caption() != tt.caption || tt.class.ActivityCaption(tt.activity) != tt.activityName {
			t.Errorf("%d/%d is %q, %q, %q", tt.class, tt.activity, tt.class.Name(), tt.class.Caption(), tt.class.ActivityCaption(tt.activity))
		}
		if slices.Contains(tt.class.Activities(), tt.activity) != tt.activityListed {
			t.Errorf("activities of %d are %v", tt.class, tt.class.Activities())
		}
	}
}

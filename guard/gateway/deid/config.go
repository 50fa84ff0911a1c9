// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Config holds the profiles that destinations name.
type Config struct {
	Profiles map[string]Profile `yaml:"profiles" doc:"De-identification profiles by name; a destination names the one that its copies are made by."`
}

// Default has no profile.
func Default() Config { return Config{} }

// Profile says how copies for a kind of destination are made. The zero value is the Basic Profile of PS3.15 annex E without
// options.
type Profile struct {
	Options        []Option      `yaml:"options" doc:"Options of PS3.15 annex E: retain-safe-private, retain-uids, retain-device-identity, retain-institution-identity, retain-patient-characteristics, retain-full-dates or retain-modified-dates, clean-descriptors, clean-structured-content, clean-graphics, clean-pixel-data."`
	Domain         string        `yaml:"domain" doc:"Profiles of one domain replace the same patient, UID and date by the same; between domains nothing can be joined. Empty: the profile's name."`
	Patient        string        `yaml:"patient" doc:"What becomes of the patient's name and ID: pseudonym (keyed, the same for the same patient) or empty. Empty text means pseudonym."`
	Accession      string        `yaml:"accession" doc:"What becomes of the accession number: empty or pseudonym. Empty text means empty."`
	ShiftDays      int           `yaml:"shift_days" doc:"retain-modified-dates: the most days by which a patient's dates are moved into the past. 0 means 1825, five years."`
	OldestAge      int           `yaml:"oldest_age" doc:"retain-patient-characteristics: a patient older than so many years is made one year older than this, as 090Y of all above 89. 0 keeps every age."`
	FreeText       string        `yaml:"free_text" doc:"What becomes of long texts (ST, LT, UT, UC) that the standard's table does not list: clean or keep. Empty text means clean."`
	Words          []string      `yaml:"words" doc:"Words that cleaned descriptors may hold besides those that are built in."`
	SafePrivate    []SafePrivate `yaml:"safe_private" doc:"retain-safe-private: private elements that may stay besides those of PS3.15 table E.3.10-1."`
	BurnedIn       string        `yaml:"burned_in" doc:"Without clean-pixel-data: what becomes of images that say that identification is burned into them: refuse or pass. Empty text means refuse."`
	Unmatched      string        `yaml:"unmatched" doc:"clean-pixel-data: images that no rule of pixels matches: trust (take those that say that nothing is burned in, and CT, MR, PET and NM that say nothing), refuse or pass. Empty text means trust."`
	Encapsulated   string        `yaml:"encapsulated" doc:"clean-pixel-data: compressed images of which a rule wants a part black: refuse (the delivery fails and a person is told) or drop (it is given up silently). Empty text means refuse."`
	StreamMetadata string        `yaml:"stream_metadata" doc:"What becomes of what compressed pixel data says beside the image (comments, EXIF, XMP, thumbnails, user data of video): clean (blanked; what cannot be blanked or followed is refused) or keep. Empty text means clean."`
	Pixels         []PixelRule   `yaml:"pixels" doc:"clean-pixel-data: which parts of which images are blackened. The first rule that matches counts."`
}

// SafePrivate names one private element that identifies nobody.
type SafePrivate struct {
	Creator string `yaml:"creator" doc:"The private creator, exactly."`
	Group   string `yaml:"group" doc:"The group, four hexadecimal digits, odd."`
	Element string `yaml:"element" doc:"The last two hexadecimal digits of the element."`
	VR      string `yaml:"vr" doc:"Its value representation; an element of another is removed."`
}

// PixelRule says what is burned into images that it matches. Every field that is given must match.
type PixelRule struct {
	Name         string   `yaml:"name" doc:"What people call the rule."`
	Modality     string   `yaml:"modality" doc:"Modality, as US. Texts are compared without regard to case; * stands for anything."`
	Manufacturer string   `yaml:"manufacturer" doc:"Manufacturer, as ACME*."`
	Model        string   `yaml:"model" doc:"Manufacturer's model name."`
	Station      string   `yaml:"station" doc:"Station name."`
	SOPClass     string   `yaml:"sop_class" doc:"SOP class UID."`
	ImageType    string   `yaml:"image_type" doc:"Image type, with its backslashes, as DERIVED*."`
	Rows         int      `yaml:"rows" doc:"Height of the image; 0 for any."`
	Columns      int      `yaml:"columns" doc:"Width of the image; 0 for any."`
	Nothing      bool     `yaml:"nothing" doc:"Nothing is burned into these images: they stay as they are."`
	Refuse       bool     `yaml:"refuse" doc:"These images are refused."`
	Black        []Region `yaml:"black" doc:"Rectangles that are blackened, in every frame."`
}

// Region is a rectangle of an image, in pixels.
type Region struct {
	X      int `yaml:"x" doc:"Left edge; negative counts from the right edge of the image."`
	Y      int `yaml:"y" doc:"Upper edge; negative counts from the lower edge of the image."`
	Width  int `yaml:"width" doc:"Width; 0 reaches to the right edge."`
	Height int `yaml:"height" doc:"Height; 0 reaches to the lower edge."`
}

// Bounds of a configuration.
const (
	maxProfiles = 64
	maxWords    = 5000
	maxPrivate  = 2000
	maxRules    = 500
	maxRegions  = 64
	maxEdge     = 65535
	maxShift    = 36500
)

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	if len(c.Profiles) > maxProfiles {
		return config.Invalid("profiles", "", "has %d profiles, more than %d", len(c.Profiles), maxProfiles)
	}
	for name := range c.Profiles {
		if name == "" || len(name) > 64 {
			return config.Invalid("profiles", "as research", "a profile's name has 1 to 64 characters")
		}
	}
	return nil
}

// Validate reports the first field that cannot be used.
func (p Profile) Validate() error {
	if err := p.validateOptions(); err != nil {
		return err
	}
	for _, w := range []struct {
		field, value string
		of           []string
	}{
		{"patient", p.Patient, []string{"pseudonym", "empty"}}, {"accession", p.Accession, []string{"empty", "pseudonym"}}, {"free_text", p.FreeText, []string{"clean", "keep"}},
		{"burned_in", p.BurnedIn, []string{"refuse", "pass"}}, {"unmatched", p.Unmatched, []string{"trust", "refuse", "pass"}}, {"encapsulated", p.Encapsulated, []string{"refuse", "drop"}},
		{"stream_metadata", p.StreamMetadata, []string{"clean", "keep"}},
	} {
		if w.value != "" && !slices.Contains(w.of, w.value) {
			return config.Invalid(w.field, "write "+strings.Join(w.of, " or "), "%.40q is not known", w.value)
		}
	}
	switch {
	case p.ShiftDays < 0 || p.ShiftDays > maxShift:
		return config.Invalid("shift_days", "1825 is five years", "%d is not within 0..%d", p.ShiftDays, maxShift)
	case p.OldestAge < 0 || p.OldestAge > 998:
		return config.Invalid("oldest_age", "89 is what HIPAA's safe harbour asks for", "%d is not within 0..998", p.OldestAge)
	case p.OldestAge > 0 && !slices.Contains(p.Options, RetainPatientCharacteristics):
		return config.Invalid("oldest_age", "add retain-patient-characteristics to the options", "limits an age that is removed")
	case len(p.Domain) > 64:
		return config.Invalid("domain", "", "is longer than 64 characters")
	case len(p.Words) > maxWords:
		return config.Invalid("words", "", "has %d words, more than %d", len(p.Words), maxWords)
	case len(p.SafePrivate) > maxPrivate:
		return config.Invalid("safe_private", "", "has %d elements, more than %d", len(p.SafePrivate), maxPrivate)
	case len(p.Pixels) > maxRules:
		return config.Invalid("pixels", "", "has %d rules, more than %d", len(p.Pixels), maxRules)
	}
	for i, w := range p.Words {
		if n := len(words(w)); n != 1 {
			return config.Invalid(fmt.Sprintf("words[%d]", i), "one word in each line", "%.40q is %d words", w, n)
		}
	}
	return nil
}

func (p Profile) validateOptions() error {
	has := func(o Option) bool { return slices.Contains(p.Options, o) }
	for i, o := range p.Options {
		if slices.Index(p.Options, o) != i {
			return config.Invalid(fmt.Sprintf("options[%d]", i), "", "%s is given twice", o)
		}
	}
	switch {
	case has(RetainFullDates) && has(RetainModifiedDates):
		return config.Invalid("options", "choose one of them", "retain-full-dates and retain-modified-dates exclude each other")
	case len(p.Pixels) > 0 && !has(CleanPixelData):
		return config.Invalid("pixels", "add clean-pixel-data to the options", "has rules that nothing applies")
	case len(p.SafePrivate) > 0 && !has(RetainSafePrivate):
		return config.Invalid("safe_private", "add retain-safe-private to the options", "has elements that nothing keeps")
	}
	return nil
}

// Validate reports the first field that cannot be used.
func (s SafePrivate) Validate() error {
	_, err := s.parse()
	return err
}

func (s SafePrivate) parse() (safeElement, error) {
	var e safeElement
	if s.Creator == "" || len(s.Creator) > 64 || strings.TrimSpace(s.Creator) != s.Creator {
		return e, config.Invalid("creator", "as in the private creator element, GEMS_PARM_01", "%.70q is no private creator", s.Creator)
	}
	if _, err := fmt.Sscanf(s.Group, "%04x", &e.group); err != nil || len(s.Group) != 4 || e.group&1 == 0 || e.group < 9 {
		return e, config.Invalid("group", "four hexadecimal digits in quotes, odd, as \"0043\"", "%.10q is no private group", s.Group)
	}
	if _, err := fmt.Sscanf(s.Element, "%02x", &e.element); err != nil || len(s.Element) != 2 {
		return e, config.Invalid("element", "two hexadecimal digits in quotes, as \"27\"", "%.10q is no element", s.Element)
	}
	if len(s.VR) == 2 {
		e.vr = dicom.VR(s.VR[0])<<8 | dicom.VR(s.VR[1])
	}
	if !e.vr.Known() {
		return e, config.Invalid("vr", "as DS", "%.10q is no value representation", s.VR)
	}
	e.creator = s.Creator
	return e, nil
}

// Validate reports the first field that cannot be used.
func (r PixelRule) Validate() error {
	for field, pattern := range map[string]string{"modality": r.Modality, "manufacturer": r.Manufacturer, "model": r.Model, "station": r.Station, "image_type": r.ImageType} {
		if len(pattern) > 200 {
			return config.Invalid(field, "", "is longer than 200 characters")
		}
	}
	what := 0
	for _, b := range []bool{r.Nothing, r.Refuse, len(r.Black) > 0} {
		if b {
			what++
		}
	}
	switch {
	case r.SOPClass != "" && !dicom.ValidUID(r.SOPClass):
		return config.Invalid("sop_class", "", "%.70q is no UID", r.SOPClass)
	case r.Rows < 0 || r.Rows > maxEdge:
		return config.Invalid("rows", "", "%d is not within 0..%d", r.Rows, maxEdge)
	case r.Columns < 0 || r.Columns > maxEdge:
		return config.Invalid("columns", "", "%d is not within 0..%d", r.Columns, maxEdge)
	case len(r.Black) > maxRegions:
		return config.Invalid("black", "", "has %d rectangles, more than %d", len(r.Black), maxRegions)
	case what != 1:
		return config.Invalid("black", "give rectangles, or nothing: true, or refuse: true", "a rule does one of the three")
	}
	return nil
}

// Validate reports the first field that cannot be used.
func (r Region) Validate() error {
	for field, v := range map[string]int{"x": r.X, "y": r.Y} {
		if v < -maxEdge || v > maxEdge {
			return config.Invalid(field, "", "%d is not within %d..%d", v, -maxEdge, maxEdge)
		}
	}
	for field, v := range map[string]int{"width": r.Width, "height": r.Height} {
		if v < 0 || v > maxEdge {
			return config.Invalid(field, "", "%d is not within 0..%d", v, maxEdge)
		}
	}
	return nil
}

// validate is Validate of the configuration and all that is in it.
func (c Config) validate() error {
	if err := c.Validate(); err != nil {
		return err
	}
	for name, p := range c.Profiles {
		if err := p.Validate(); err != nil {
			return fmt.Errorf("profile %q: %w", name, err)
		}
		for i, o := range p.Options {
			if err := new(Option).UnmarshalText([]byte(o)); err != nil {
				return fmt.Errorf("profile %q: options[%d]: %w", name, i, err)
			}
		}
		for i, s := range p.SafePrivate {
			if err := s.Validate(); err != nil {
				return fmt.Errorf("profile %q: safe_private[%d]: %w", name, i, err)
			}
		}
		for i, r := range p.Pixels {
			if err := r.Validate(); err != nil {
				return fmt.Errorf("profile %q: pixels[%d]: %w", name, i, err)
			}
			for j, b := range r.Black {
				if err := b.Validate(); err != nil {
					return fmt.Errorf("profile %q: pixels[%d].black[%d]: %w", name, i, j, err)
				}
			}
		}
	}
	return nil
}

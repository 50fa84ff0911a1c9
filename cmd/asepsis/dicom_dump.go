// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

func dicomDumpCommand() *cobra.Command {
	var o dicomtool.DumpOptions
	var tags []string
	format := "text"
	c := &cobra.Command{Use: "dump FILE...", Short: "Print what is in DICOM files", Args: wants(1, 1<<20),
		Long: "Print what is in DICOM files: one line for each element, as dcmdump does, or the DICOM JSON model (PS3.18).\n" +
			"FILE may be - for standard input. Text is printed as UTF-8, with control characters escaped.",
		Example: "  asepsis dicom dump ct.dcm\n  asepsis dicom dump -q -P PatientID -P 0008,0018 *.dcm\n  asepsis dicom dump --format json ct.dcm",
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"text", "json"}, format) {
				return unknownFormat(format, "text", "json")
			}
			o.JSON = format == "json"
			for _, t := range tags {
				tag, err := dicomtool.ParseTag(t)
				if err != nil {
					return fmt.Errorf("--search %w", err)
				}
				o.Tags = append(o.Tags, tag)
			}
			return dicomtool.Dump(c.OutOrStdout(), c.ErrOrStderr(), c.InOrStdin(), args, o)
		}}
	f := c.Flags()
	f.StringArrayVarP(&tags, "search", "P", nil, "print only this element, wherever it stands (keyword or tag; may be repeated)")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "no headings")
	f.BoolVarP(&o.Long, "long", "L", false, "print long values in full, to 1 MiB each")
	f.BoolVarP(&o.DataSetOnly, "dataset", "f", false, "FILE is a data set without preamble and file meta information")
	f.StringVar(&format, "format", format, "text or json")
	return c
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/guard/dicomtool"
)

func dicomFindCommand() *cobra.Command {
	var p dicomPeer
	var o dicomtool.FindOptions
	var keys []string
	format := "table"
	c := &cobra.Command{Use: "find HOST:PORT -k KEY[=VALUE]...", Short: "Ask a peer for patients, studies, series, images or worklist items (C-FIND)", Args: wants(1, 2),
		Long: "Ask a peer. Keys are keywords or tags; those with a value must match it, the others are returned.\n" +
			"The level of the query is a key too: QueryRetrieveLevel=SERIES. Without one it is STUDY, or PATIENT with --model patient.",
		Example: "  asepsis dicom find archive:104 -k PatientID -k StudyDate=20260101-20260131\n" +
			"  asepsis dicom find archive:104 -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=1.2.3 -k Modality\n" +
			"  asepsis dicom find ris:104 --model worklist -k PatientName -k ScheduledProcedureStepSequence.Modality=CT",
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "json", "text"}, format) {
				return unknownFormat(format, "table", "text", "json")
			}
			peer, rest, err := p.peer(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return withHint(fmt.Errorf("dicom find: %s is not needed", strings.Join(rest, " ")), c.UseLine())
			}
			for _, k := range keys {
				key, err := dicomtool.ParseKey(k)
				if err != nil {
					return fmt.Errorf("--%w", err)
				}
				o.Keys = append(o.Keys, key)
			}
			complete, err := dicomtool.WriteFound(c.Context(), c.OutOrStdout(), peer, o, format)
			if err == nil && !complete {
				_, err = fmt.Fprintf(c.ErrOrStderr(), "there may be more: the query was cancelled after %d matches (--limit)\n", o.Limit)
			}
			if err != nil {
				return fmt.Errorf("dicom find: %w", err)
			}
			return nil
		}}
	p.flags(c)
	c.Flags().StringVar(&o.Model, "model", "study", "what is asked: study, patient or worklist")
	c.Flags().StringArrayVarP(&keys, "key", "k", nil, "attribute to match or return (may be repeated)")
	c.Flags().IntVar(&o.Limit, "limit", 1000, "cancel after so many matches; 0 for all")
	c.Flags().StringVar(&format, "format", format, "table, text (as dicom dump) or json (DICOM JSON model)")
	return c
}

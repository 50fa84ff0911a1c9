// SPDX-License-Identifier: Apache-2.0

// Command asepsis is security for the connected operating room.
//
// Exit codes: 0 done, nothing at or above the threshold; 1 done, with findings
// at or above --fail-on, or a verification that failed; 2 bad usage, bad input
// or an internal error. Errors go to standard error as "asepsis: what: why",
// and where there is one, a line "hint: what to do".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	tuneMemory()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: tests call it too.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var above *aboveThresholdError
	if errors.As(err, &above) {
		return 1
	}
	_, _ = fmt.Fprintf(errOut, "asepsis: %s\n", oneLine(err))
	if h := hint(err); h != "" {
		_, _ = fmt.Fprintf(errOut, "hint: %s\n", h)
	}
	return 2
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "asepsis",
		Short:         "Security for the connected operating room",
		Long:          "Asepsis sees every device in the theatre, guards every path to the surgeon's eyes,\nproves that what was shown is what was acquired, and tells the right person in time.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withHint(err, "asepsis "+strings.TrimPrefix(c.CommandPath(), "asepsis ")+" --help lists the flags")
	})
	root.AddCommand(upCommand(), analyzeCommand(), sensorCommand(), recorderCommand(), detectCommand(), consoleCommand(), devicesCommand(), eventsCommand(), findingsCommand(), advisoriesCommand(), knowledgeCommand(),
		inventoryCommand(), gatewayCommand(), policyCommand(), caCommand(), enrollCommand(), ledgerCommand(), verifyCommand(), recordCommand(), dicomCommand(), configCommand(), rulesCommand(), versionCommand())
	return root
}

// aboveThresholdError ends the program with code 1 and without a message: the
// output already says what was found.
type aboveThresholdError struct{}

func (*aboveThresholdError) Error() string { return "findings at or above the threshold" }

// hinted is an error with what to do about it.
type hinted struct {
	error
	text string
}

func (h *hinted) Hint() string  { return h.text }
func (h *hinted) Unwrap() error { return h.error }

func withHint(err error, text string) error { return &hinted{err, text} }

// hint returns the innermost advice of an error.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// oneLine puts an error on one line, unless it is an annotated excerpt that
// needs several.
func oneLine(err error) string { return strings.TrimRight(err.Error(), "\n") }

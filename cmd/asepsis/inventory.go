// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/respond/report"
	"github.com/asepsis/asepsis/see/inventory"
)

// inventoryFlags are shared by the commands that work on an inventory file.
type inventoryFlags struct {
	file, config, who string
}

func inventoryCommand() *cobra.Command {
	var f inventoryFlags
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List, correct and export the inventory that analyze --inventory keeps",
		Long: "What a person sets here wins over what is observed, now and later, and is kept with\n" +
			"who and when. DEVICE is an ID, a name, an AE title, a MAC or an IP address.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&f.file, "file", "", "inventory file (required)")
	c.PersistentFlags().StringVar(&f.config, "config", "", "configuration file")
	c.PersistentFlags().StringVar(&f.who, "as", "", "who makes the change; the account's name when empty")
	_ = c.MarkPersistentFlagRequired("file")
	c.AddCommand(f.list(), f.show(), f.export(), f.history(), f.undo(), f.merge(), f.split(),
		f.set("name", "NAME", "Name a device", func(i *inventory.Inventory, id, v string, by inventory.By) error { return i.SetName(id, v, by) }),
		f.set("class", "CLASS", "Say what a device is", func(i *inventory.Inventory, id, v string, by inventory.By) error {
			return i.SetClass(id, device.Class(v), by)
		}),
		f.set("vendor", "VENDOR", "Set the manufacturer", func(i *inventory.Inventory, id, v string, by inventory.By) error { return i.SetVendor(id, v, by) }),
		f.set("model", "MODEL", "Set the model", func(i *inventory.Inventory, id, v string, by inventory.By) error { return i.SetModel(id, v, by) }),
		f.set("theatre", "THEATRE", "Assign a device to a theatre", func(i *inventory.Inventory, id, v string, by inventory.By) error { return i.SetTheatre(id, v, by) }),
		f.set("criticality", "LEVEL", "Set how much care depends on a device: low, medium, high or life-supporting", func(i *inventory.Inventory, id, v string, by inventory.By) error {
			return i.SetCriticality(id, device.Criticality(v), by)
		}),
		f.set("note", "TEXT", "Add a remark to a device", func(i *inventory.Inventory, id, v string, by inventory.By) error { return i.Note(id, v, by) }),
	)
	return c
}

// open reads the file, which must exist here.
func (f *inventoryFlags) open() (*inventory.Inventory, error) {
	if _, err := os.Stat(f.file); err != nil {
		return nil, withHint(fmt.Errorf("inventory: %w", err), "make one with: asepsis analyze --inventory "+f.file+" CAPTURE")
	}
	s, err := loadSettings(f.config)
	if err != nil {
		return nil, err
	}
	return openInventory(f.file, s.Inventory)
}

// find returns the ID of a device that a person named.
func find(inv *inventory.Inventory, what string) (device.Device, error) {
	d, ok := inv.Device(what)
	if !ok {
		return d, withHint(fmt.Errorf("device %q: no device, or more than one, goes by that name", what), "asepsis inventory list shows IDs")
	}
	return d, nil
}

func (f *inventoryFlags) by() inventory.By {
	who := f.who
	if who == "" {
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	return inventory.By{Who: who, At: time.Now().UnixNano()}
}

// change opens the inventory, edits it and saves it.
func (f *inventoryFlags) change(do func(*inventory.Inventory) error) error {
	inv, err := f.open()
	if err != nil {
		return err
	}
	if err := do(inv); err != nil {
		return err
	}
	return saveInventory(f.file, inv)
}

func (f *inventoryFlags) set(verb, what, short string, do func(*inventory.Inventory, string, string, inventory.By) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " DEVICE " + what, Short: short, Args: wants(2, 2),
		Long: short + ". An empty value gives the attribute back to observation.",
		RunE: func(_ *cobra.Command, args []string) error {
			return f.change(func(inv *inventory.Inventory) error {
				d, err := find(inv, args[0])
				if err != nil {
					return err
				}
				return do(inv, d.ID, args[1], f.by())
			})
		},
	}
}

func (f *inventoryFlags) merge() *cobra.Command {
	return &cobra.Command{
		Use: "merge DEVICE DEVICE", Short: "Say that two records are one device", Args: wants(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.change(func(inv *inventory.Inventory) error {
				a, err := find(inv, args[0])
				if err != nil {
					return err
				}
				b, err := find(inv, args[1])
				if err != nil {
					return err
				}
				return inv.Merge(a.ID, b.ID, f.by())
			})
		},
	}
}

func (f *inventoryFlags) split() *cobra.Command {
	return &cobra.Command{
		Use: "split DEVICE ADDRESS...", Short: "Set MACs or IP addresses of a device apart as another device", Args: wants(2, 1<<16),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.change(func(inv *inventory.Inventory) error {
				d, err := find(inv, args[0])
				if err != nil {
					return err
				}
				return inv.Split(d.ID, f.by(), args[1:]...)
			})
		},
	}
}

func (f *inventoryFlags) undo() *cobra.Command {
	return &cobra.Command{
		Use: "undo NUMBER", Short: "Take back a change, by its number in history", Args: wants(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return withHint(fmt.Errorf("change %q: not a number", args[0]), "asepsis inventory history shows the numbers")
			}
			return f.change(func(inv *inventory.Inventory) error { return inv.Undo(n, f.by()) })
		},
	}
}

func (f *inventoryFlags) history() *cobra.Command {
	format := "table"
	c := &cobra.Command{
		Use: "history [DEVICE]", Short: "List what people changed", Args: wants(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			inv, err := f.open()
			if err != nil {
				return err
			}
			id := ""
			if len(args) == 1 {
				d, err := find(inv, args[0])
				if err != nil {
					return err
				}
				id = d.ID
			}
			return writeEdits(c.OutOrStdout(), format, inv.Edits(id))
		},
	}
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

func writeEdits(w io.Writer, format string, edits []inventory.Edit) error {
	switch format {
	case "json":
		if edits == nil {
			edits = []inventory.Edit{}
		}
		return writeJSON(w, edits)
	case "table":
		for _, e := range edits {
			value := e.Value
			if len(e.Keys) > 0 {
				value = strings.TrimSpace(value + " " + strings.Join(e.Keys, " "))
			}
			undone := ""
			if e.UndoneBy != "" {
				undone = "  (taken back by " + e.UndoneBy + ")"
			}
			if _, err := fmt.Fprintf(w, "%4d  %s  %-10s  %-11s  %-18s  %s%s\n", e.Seq, time.Unix(0, e.At).UTC().Format("2006-01-02 15:04"), e.Who, e.Kind, e.Device, value, undone); err != nil {
				return err
			}
		}
		return nil
	}
	return unknownFormat(format, "table", "json")
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (f *inventoryFlags) list() *cobra.Command {
	format := "table"
	c := &cobra.Command{
		Use: "list", Short: "List the devices", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			inv, err := f.open()
			if err != nil {
				return err
			}
			devs := report.Devices(inv.Devices())
			switch format {
			case "json":
				return writeJSON(c.OutOrStdout(), devs)
			case "table":
				return report.WriteDevices(c.OutOrStdout(), devs)
			}
			return unknownFormat(format, "table", "json")
		},
	}
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

func (f *inventoryFlags) show() *cobra.Command {
	format := "table"
	c := &cobra.Command{
		Use: "show DEVICE", Short: "Show one device with all evidence", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			inv, err := f.open()
			if err != nil {
				return err
			}
			d, err := find(inv, args[0])
			if err != nil {
				return err
			}
			switch format {
			case "json":
				return writeJSON(c.OutOrStdout(), report.OfDevice(d))
			case "table":
				return report.WriteDevice(c.OutOrStdout(), report.OfDevice(d))
			}
			return unknownFormat(format, "table", "json")
		},
	}
	c.Flags().StringVar(&format, "format", format, "table or json")
	return c
}

func (f *inventoryFlags) export() *cobra.Command {
	var format, name, site string
	c := &cobra.Command{
		Use: "export", Short: "Export the inventory: CSV, JSON, or for NetBox's import", Args: cobra.NoArgs,
		Long: "csv                one row a device\njson               every device with all evidence\n" +
			"netbox-devices     CSV for NetBox's device import\nnetbox-interfaces  CSV for its interface import\n" +
			"netbox-macs        CSV for its MAC address import\nnetbox-addresses   CSV for its IP address import\n" +
			"netbox-json        bodies for NetBox's REST API, bulk create",
		RunE: func(c *cobra.Command, _ []string) error {
			inv, err := f.open()
			if err != nil {
				return err
			}
			to := exporter(format, site)
			if to == nil {
				return unknownFormat(format, exportFormats...)
			}
			write := func(w io.Writer) error { return to(w, inv.Devices()) }
			if name == "" {
				return write(c.OutOrStdout())
			}
			return writeFile(name, write)
		},
	}
	c.Flags().StringVar(&format, "format", "csv", strings.Join(exportFormats, ", "))
	c.Flags().StringVar(&site, "site", "", "name of the NetBox site that the devices belong to")
	c.Flags().StringVarP(&name, "output", "o", "", "file to write; standard output when empty")
	return c
}

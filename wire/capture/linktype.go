// SPDX-License-Identifier: Apache-2.0

package capture

import "strconv"

// LinkType is a LINKTYPE_ value of the registry at
// https://www.tcpdump.org/linktypes.html: what a frame's first byte is.
type LinkType uint16

// Link types that are named in this project. Raw IP has three numbers: 101 is
// the registered one, 12 and 14 are the DLT_RAW of Linux and of OpenBSD, which
// some writers put into files unchanged.
const (
	LinkNull       LinkType = 0
	LinkEthernet   LinkType = 1
	LinkRawBSD     LinkType = 12
	LinkRawOpenBSD LinkType = 14
	LinkRaw        LinkType = 101
	LinkLoop       LinkType = 108
	LinkLinuxSLL   LinkType = 113
	LinkIPv4       LinkType = 228
	LinkIPv6       LinkType = 229
	LinkLinuxSLL2  LinkType = 276
)

// linkUnknown is of interfaces whose description is damaged.
const linkUnknown LinkType = 65535

// String returns the registry's name without its LINKTYPE_ prefix, for example
// "LINUX_SLL2", or "LINKTYPE_n" for a number without a name here.
func (l LinkType) String() string {
	switch l {
	case LinkNull:
		return "NULL"
	case LinkEthernet:
		return "ETHERNET"
	case LinkRaw, LinkRawBSD, LinkRawOpenBSD:
		return "RAW"
	case LinkLoop:
		return "LOOP"
	case LinkLinuxSLL:
		return "LINUX_SLL"
	case LinkIPv4:
		return "IPV4"
	case LinkIPv6:
		return "IPV6"
	case LinkLinuxSLL2:
		return "LINUX_SLL2"
	}
	if l >= 147 && l <= 162 {
		return "USER" + strconv.Itoa(int(l)-147)
	}
	if name, ok := otherLinkNames[l]; ok {
		return name
	}
	return "LINKTYPE_" + strconv.Itoa(int(l))
}

// otherLinkNames are types that are not decoded but met often enough in files
// from clinical networks (serial, radio, USB, building) to deserve their name
// in a message.
var otherLinkNames = map[LinkType]string{
	3: "AX25", 6: "IEEE802_5", 7: "ARCNET_BSD", 8: "SLIP", 9: "PPP", 10: "FDDI",
	50: "PPP_HDLC", 51: "PPP_ETHER", 100: "ATM_RFC1483", 104: "C_HDLC",
	105: "IEEE802_11", 107: "FRELAY", 114: "LTALK", 117: "PFLOG",
	119: "IEEE802_11_PRISM", 122: "IP_OVER_FC", 127: "IEEE802_11_RADIOTAP",
	129: "ARCNET_LINUX", 143: "DOCSIS", 144: "LINUX_IRDA", 163: "IEEE802_11_AVS",
	165: "BACNET_MS_TP", 166: "PPP_PPPD", 187: "BLUETOOTH_HCI_H4",
	189: "USB_LINUX", 192: "PPI", 195: "IEEE802_15_4_WITHFCS",
	201: "BLUETOOTH_HCI_H4_WITH_PHDR", 204: "PPP_WITH_DIR",
	215: "IEEE802_15_4_NONASK_PHY", 220: "USB_LINUX_MMAPPED",
	227: "CAN_SOCKETCAN", 230: "IEEE802_15_4_NOFCS", 231: "DBUS", 239: "NFLOG",
	240: "NETANALYZER", 242: "IPOIB", 243: "MPEG_2_TS", 247: "INFINIBAND",
	249: "USBPCAP", 251: "BLUETOOTH_LE_LL", 253: "NETLINK",
	254: "BLUETOOTH_LINUX_MONITOR", 256: "BLUETOOTH_LE_LL_WITH_PHDR", 258: "PKTAP",
}

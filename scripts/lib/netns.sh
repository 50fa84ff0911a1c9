# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# netns.sh: a hospital network in a box, for recording captures from real peers.
#
# Source it from a script that runs as root; it needs iproute2, util-linux, ethtool, openvswitch-switch (its user-space
# datapath: no kernel module is needed), tcpdump and wireshark-common. Everything lives in namespaces with a prefix of this
# process and in one temporary directory; an EXIT trap removes all of it, also after a failure or Ctrl-C. NET_KEEP=1 keeps the directory
# with the peers' logs when a recording fails.
#
#   net_up                        makes the switch and the SPAN port, sets the trap. $NET_DIR is a scratch directory.
#   host NAME MAC [ADDR/LEN] [key=value...]
#                                 joins a machine to the switch: own network, mount, host-name and process namespace, a
#                                 private /run, eth0 with MAC. ADDR "-" or none: no address (for DHCP clients).
#                                   vlan=N     access port in VLAN N: frames on the SPAN port carry the tag, as on a trunk
#                                   qinq=N     802.1ad tunnel port: VLAN N becomes the outer tag around the host's own
#                                   addr6=A/L  IPv6 address (IPv6 is off otherwise, so captures hold no stray ND)
#                                   gw=A       default route        dns=A   name server
#                                   mtu=N      MTU                  name=H  host name (default NAME)
#                                   bridge=B   on the switch B instead, made by bridge
#                                   wire=ARGS  a bad cable: arguments to scripts/record/badwire.py between host and switch
#   bridge B                      makes a second switch, which the SPAN port does not see
#   port NAME DEV MAC ADDR/LEN B  gives a machine a second interface, on switch B; with two it may route: router NAME
#   on NAME CMD...                runs CMD on that machine, waits for at most a minute, returns its status
#   start NAME CMD...             runs CMD in the background until the end; output in $NET_DIR/log/NAME-N.log
#   stop NAME                     ends everything that was started on NAME
#   address NAME                  prints the IPv4 address a machine has on eth0
#   wait_port NAME PORT [tcp|udp] waits until something listens there; fails after 20 s
#   wait_for SECONDS CMD...       waits until CMD succeeds; fails after SECONDS
#   capture FILE [FILTER...]      records the SPAN port: each frame that entered the switch, once, from whatever port, tags
#                                 kept. FILE ends in .pcap (microseconds), .ns.pcap (nanoseconds) or .pcapng
#   capture_on NAME IF FILE [TCPDUMP ARGS...]   records an interface of a machine instead
#   capture_end                   waits until the wire is quiet, then ends the recording(s) and checks that frames were
#                                 kept and none dropped
#   net_quiet_peers               sends what peers print to a log; shown only when the recording fails
#   tunnel_open ARGS...           mirrors the SPAN traffic into a tunnel as well: Open vSwitch interface arguments such as
#                                 type=erspan options:remote_ip=192.0.2.2 options:key=7 (ovs-vswitchd.conf.db(5)). The tunnel
#                                 leaves from 192.0.2.1; the machine "collector", 192.0.2.2, receives it
#   tunnel_close                  ends that
#
# The SPAN port is an Open vSwitch mirror with select-all: a frame is copied when it enters the switch, flooding or not, so
# that there are no duplicates. Offloads are off on the machines: segments and checksums are those of a real wire.

set -euo pipefail

NET_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NET_RECORD=$(cd "$NET_LIB/../record" && pwd)
NET_PREFIX="asp$$"
NET_SW="$NET_PREFIX-switch"
NET_DIR=
NET_PORTS=0
NET_LOGS=0
declare -A NET_HOLDER=()
declare -a NET_CAPTURES=() NET_HELPERS=()

net_die() { echo "recording: $*" >&2; exit 1; }
net_say() { if [ -f "$NET_DIR/log/peers" ]; then echo "$*" >&3; else echo "$*"; fi; }

net_need() {
	local c
	for c in "$@"; do
		command -v "$c" >/dev/null || net_die "$c is not installed
hint: run scripts/peers --all"
	done
}

ovs() { ovs-vsctl --db="unix:$NET_DIR/ovs/db.sock" "$@"; }

net_down() {
	local status=$? h
	trap - EXIT INT TERM
	set +e
	for h in "${NET_CAPTURES[@]}"; do kill "${h%%|*}" 2>/dev/null; done
	for h in "${NET_HELPERS[@]}"; do kill "$h" 2>/dev/null; done
	for h in "${!NET_HOLDER[@]}"; do kill -KILL "${NET_HOLDER[$h]}" 2>/dev/null; done
	for h in vswitchd ovsdb; do [ -f "$NET_DIR/ovs/$h.pid" ] && kill "$(cat "$NET_DIR/ovs/$h.pid")" 2>/dev/null; done
	wait 2>/dev/null
	for h in "${!NET_HOLDER[@]}"; do ip netns del "$NET_PREFIX-$h" 2>/dev/null; done
	ip netns del "$NET_SW" 2>/dev/null
	if [ "$status" -ne 0 ] && [ -f "$NET_DIR/log/peers" ]; then tail -n 20 "$NET_DIR/log/peers" >&3; fi
	if [ "$status" -ne 0 ] && [ -n "${NET_KEEP:-}" ]; then
		echo "recording: logs kept in $NET_DIR" >&2
	else
		rm -rf "$NET_DIR"
	fi
	exit "$status"
}

net_up() {
	[ "$(id -u)" = 0 ] || net_die "needs root for network namespaces"
	net_need ip ethtool unshare nsenter ovs-vsctl ovs-vswitchd ovsdb-server tcpdump editcap tshark ss python3
	NET_DIR=$(mktemp -d "${TMPDIR:-/tmp}/asepsis-record.XXXXXX")
	mkdir -p "$NET_DIR/ovs" "$NET_DIR/log"
	chmod 755 "$NET_DIR"
	trap net_down EXIT
	trap 'exit 130' INT TERM
	ip netns add "$NET_SW"
	ip netns exec "$NET_SW" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip -n "$NET_SW" link set lo up
	ip -n "$NET_SW" link add span type veth peer name monitor
	ip -n "$NET_SW" link set span up
	ip -n "$NET_SW" link set monitor up promisc on
	export OVS_RUNDIR="$NET_DIR/ovs" OVS_LOGDIR="$NET_DIR/ovs" OVS_DBDIR="$NET_DIR/ovs"
	ovsdb-tool create "$NET_DIR/ovs/conf.db" /usr/share/openvswitch/vswitch.ovsschema
	ip netns exec "$NET_SW" ovsdb-server "$NET_DIR/ovs/conf.db" --remote="punix:$NET_DIR/ovs/db.sock" \
		--pidfile="$NET_DIR/ovs/ovsdb.pid" --detach --no-chdir --log-file="$NET_DIR/ovs/ovsdb.log" 2>/dev/null
	ovs --no-wait init
	ip netns exec "$NET_SW" ovs-vswitchd "unix:$NET_DIR/ovs/db.sock" --pidfile="$NET_DIR/ovs/vswitchd.pid" \
		--detach --no-chdir --disable-system --log-file="$NET_DIR/ovs/vswitchd.log" 2>/dev/null
	# forward-bpdu: LLDP, CDP and EAPOL reach the mirror and every port, so that one capture shows them.
	ovs add-br br0 -- set bridge br0 datapath_type=netdev other-config:forward-bpdu=true \
		-- add-port br0 span -- --id=@s get port span \
		-- --id=@m create mirror name=span select_all=true output-port=@s -- set bridge br0 mirrors=@m >/dev/null
}

net_quiet_peers() { exec 3>&1 >"$NET_DIR/log/peers" 2>&1; }

host() {
	local name=$1 mac=$2 addr=${3:--} port vlan='' qinq='' addr6='' gw='' dns='' mtu='' hostname=$1 wire='' bridge=br0 ns pid child kv
	shift 2; [ $# -gt 0 ] && shift
	for kv in "$@"; do
		case $kv in
		vlan=*) vlan=${kv#*=} ;; qinq=*) qinq=${kv#*=} ;; addr6=*) addr6=${kv#*=} ;;
		gw=*) gw=${kv#*=} ;; dns=*) dns=${kv#*=} ;; mtu=*) mtu=${kv#*=} ;; name=*) hostname=${kv#*=} ;;
		wire=*) wire=${kv#*=} ;; bridge=*) bridge=${kv#*=} ;;
		*) net_die "host $name: unknown setting $kv" ;;
		esac
	done
	ns="$NET_PREFIX-$name"
	NET_PORTS=$((NET_PORTS + 1))
	port="p$NET_PORTS"
	ip netns add "$ns"
	# shellcheck disable=SC2016 # the inner shell expands
	ip netns exec "$ns" unshare --uts --mount --pid --fork --mount-proc --kill-child --propagation private \
		sh -ec 'hostname "$1"; mount -t tmpfs -o mode=755 tmpfs /run; echo ready >"$2"; exec sleep infinity' \
		sh "$hostname" "$NET_DIR/$name.ready" >/dev/null 2>"$NET_DIR/log/$name-holder.log" &
	pid=$!
	disown "$pid"
	NET_HOLDER[$name]=$pid
	wait_for 10 test -s "$NET_DIR/$name.ready"
	child=$(cat "/proc/$pid/task/$pid/children")
	echo "${child%% *}" >"$NET_DIR/$name.pid"
	ip link add "$port" netns "$NET_SW" type veth peer name eth0 netns "$ns"
	[ -n "$mtu" ] && ip -n "$ns" link set eth0 mtu "$mtu"
	ip -n "$ns" link set eth0 address "$mac"
	ip netns exec "$ns" ethtool -K eth0 tx off rx off tso off gso off gro off >/dev/null 2>&1
	ip netns exec "$NET_SW" ethtool -K "$port" tx off rx off tso off gso off gro off >/dev/null 2>&1
	if [ -z "$addr6" ]; then
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	else
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
			net.ipv6.conf.eth0.router_solicitations=0
	fi
	# Attach before the link comes up, so that the first frame is seen.
	local -a set=()
	[ -n "$vlan" ] && set=(tag="$vlan")
	[ -n "$qinq" ] && set=(vlan_mode=dot1q-tunnel tag="$qinq" other-config:qinq-ethtype=802.1ad)
	if [ -n "$wire" ]; then
		ip -n "$NET_SW" link add "${port}w" type veth peer name "${port}o"
		ip netns exec "$NET_SW" ethtool -K "${port}w" tx off gso off gro off >/dev/null 2>&1 || true
		ip netns exec "$NET_SW" ethtool -K "${port}o" tx off gso off gro off >/dev/null 2>&1 || true
		ip -n "$NET_SW" link set "${port}w" up; ip -n "$NET_SW" link set "${port}o" up; ip -n "$NET_SW" link set "$port" up
		# shellcheck disable=SC2086 # the arguments are words
		ip netns exec "$NET_SW" /usr/bin/python3 "$NET_RECORD/badwire.py" "$port" "${port}w" $wire \
			>"$NET_DIR/log/$name-wire.log" 2>&1 &
		NET_HELPERS+=($!); disown $!
		port="${port}o"
	else
		ip -n "$NET_SW" link set "$port" up
	fi
	ovs add-port "$bridge" "$port" ${set[0]:+"${set[@]}"}
	ip -n "$ns" link set lo up
	ip -n "$ns" link set eth0 up
	[ "$addr" != - ] && ip -n "$ns" addr add "$addr" brd + dev eth0
	[ -n "$addr6" ] && ip -n "$ns" addr add "$addr6" dev eth0 nodad
	[ -n "$gw" ] && ip -n "$ns" route add default via "$gw"
	printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$hostname" >"$NET_DIR/$name.hosts"
	on "$name" mount --bind "$NET_DIR/$name.hosts" /etc/hosts
	printf '%s\n' ${dns:+"nameserver $dns"} >"$NET_DIR/$name.resolv"
	on "$name" mount --bind "$NET_DIR/$name.resolv" "$(readlink -f /etc/resolv.conf)" 2>/dev/null || true
	# Nothing may be multicast out of the wrong door: a machine has one door.
	[ "$addr" != - ] && ip -n "$ns" route add 224.0.0.0/4 dev eth0
	return 0
}

bridge() { ovs add-br "$1" -- set bridge "$1" datapath_type=netdev; }

port() {
	local name=$1 dev=$2 mac=$3 addr=$4 to=$5 ns="$NET_PREFIX-$1" p
	NET_PORTS=$((NET_PORTS + 1))
	p="p$NET_PORTS"
	ip link add "$p" netns "$NET_SW" type veth peer name "$dev" netns "$ns"
	ip -n "$ns" link set "$dev" address "$mac"
	ip netns exec "$ns" ethtool -K "$dev" tx off rx off tso off gso off gro off >/dev/null 2>&1
	ip netns exec "$NET_SW" ethtool -K "$p" tx off rx off tso off gso off gro off >/dev/null 2>&1
	ip -n "$NET_SW" link set "$p" up
	ovs add-port "$to" "$p"
	ip -n "$ns" link set "$dev" up
	ip -n "$ns" addr add "$addr" brd + dev "$dev"
}

router() { ip netns exec "$NET_PREFIX-$1" sysctl -qw net.ipv4.ip_forward=1; }

# net_env: peers see a plain environment, never that of the person who records.
net_env() {
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run LANG=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1 \
		nsenter -t "$(cat "$NET_DIR/$1.pid")" -m -u -n -p --wdns="$PWD" -- "${@:2}"
}

on() {
	[ -f "$NET_DIR/$1.pid" ] || net_die "no machine $1"
	net_env "$1" timeout -k 2 60 "${@:2}"
}

start() {
	local name=$1
	[ -f "$NET_DIR/$name.pid" ] || net_die "no machine $name"
	NET_LOGS=$((NET_LOGS + 1))
	NET_LAST_LOG="$NET_DIR/log/$name-$NET_LOGS.log"
	net_env "$@" >"$NET_LAST_LOG" 2>&1 </dev/null &
	disown $!
}

# stop: every process of the machine's namespace but its first, which holds it.
stop() {
	# shellcheck disable=SC2016 # the inner shell expands
	net_env "$1" sh -c 'kill -TERM -1; for i in 1 2 3 4 5 6 7 8 9 10; do
		ps -e -o pid=,stat= | awk -v me=$$ "\$1 != 1 && \$1 != me && \$2 !~ /Z/ { n++ } END { exit n > 2 }" && exit 0; sleep 0.1; done
		kill -KILL -1; exit 0' 2>/dev/null || true
}

address() { ip -n "$NET_PREFIX-$1" -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4; exit }'; }

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || net_die "gave up waiting for: $*"
		sleep 0.05
	done
}

wait_port() {
	local flag=-t
	[ "${3:-tcp}" = udp ] && flag=-u
	wait_for 20 sh -c "nsenter --net=/run/netns/$NET_PREFIX-$1 ss -Hln $flag 'sport = :$2' | grep -q ."
}

capture_start() { # PID-FILE-TAG COMMAND...
	local file=$1 log="$NET_DIR/capture-${#NET_CAPTURES[@]}-$RANDOM.log"
	shift
	"$@" 2>"$log" &
	NET_CAPTURES+=("$!|$file|$log")
	disown $!
	wait_for 10 grep -q 'listening on' "$log"
}

capture() {
	local file=$1 ns=
	shift
	mkdir -p "$(dirname "$file")"
	case $file in *.ns.pcap) ns=--time-stamp-precision=nano ;; esac
	capture_start "$file" ip netns exec "$NET_SW" tcpdump -i monitor -n -U --immediate-mode -B 32768 -Z root $ns \
		-w "$NET_DIR/raw-$(basename "$file")" "$@"
}

capture_on() {
	local name=$1 dev=$2 file=$3
	shift 3
	mkdir -p "$(dirname "$file")"
	capture_start "$file" ip netns exec "$NET_PREFIX-$name" tcpdump -i "$dev" -n -U --immediate-mode -B 32768 -Z root \
		-w "$NET_DIR/raw-$(basename "$file")" "$@"
}

# net_quiet: no frame reached the SPAN port for 0.4 s.
net_quiet() {
	local was now i same=0
	was=''
	for i in $(seq 100); do
		now=$(ip netns exec "$NET_SW" cat /sys/class/net/monitor/statistics/rx_packets)
		if [ "$now" = "$was" ]; then same=$((same + 1)); else same=0; fi
		[ "$same" -ge 4 ] && return 0
		was=$now
		sleep 0.1
	done
	: "$i"
}

capture_end() {
	local c pid file log raw
	net_quiet
	for c in "${NET_CAPTURES[@]}"; do
		IFS='|' read -r pid file log <<<"$c"
		kill -INT "$pid" 2>/dev/null || true
		wait_for 10 sh -c "! kill -0 $pid"
		raw="$NET_DIR/raw-$(basename "$file")"
		grep -q '^0 packets dropped by kernel' "$log" || net_die "$file: $(grep dropped "$log")"
		case $file in
		*.pcapng) editcap -F pcapng "$raw" "$file" ;;
		*) mv "$raw" "$file" ;;
		esac
		[ "$(tshark -r "$file" -c 1 2>/dev/null | wc -l)" = 1 ] || net_die "$file holds no frame"
		chmod 644 "$file"
		case $file in "$NET_DIR"/*) ;; *) net_say "recorded $(basename "$file"): $(capinfos -TmrQc "$file" | cut -d, -f2 | tr -d '"') frames" ;; esac
	done
	NET_CAPTURES=()
}

tunnel_open() {
	if [ -z "${NET_HOLDER[collector]:-}" ]; then
		bridge underlay
		host collector 0c:c4:7a:0a:ff:02 192.0.2.2/24 bridge=underlay
		ip -n "$NET_SW" addr add 192.0.2.1/24 dev underlay
		ip -n "$NET_SW" link set underlay up
		# Open vSwitch sends once it knows the neighbour.
		OVS_RUNDIR="$NET_DIR/ovs" ovs-appctl -t "$NET_DIR/ovs/ovs-vswitchd.$(cat "$NET_DIR/ovs/vswitchd.pid").ctl" \
			tnl/arp/set underlay 192.0.2.2 0c:c4:7a:0a:ff:02 >/dev/null
	fi
	ovs add-port br0 tunnel -- set interface tunnel "$@" -- --id=@t get port tunnel \
		-- --id=@m create mirror name=tunnel select_all=true output-port=@t -- add bridge br0 mirrors @m >/dev/null
}

tunnel_close() {
	ovs -- --id=@m get mirror tunnel -- remove bridge br0 mirrors @m -- del-port br0 tunnel
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# peers.sh: peers that more than one recording starts. Source after netns.sh, call after net_up.
#
#   dicom_objects DIR             writes the fictional objects, also compressed and deflated, and the worklist entries
#   study PATIENT MODALITY        the UID of a study of them
#   certificates DIR NAME...      an EC P-256 CA (ca.pem) and NAME.pem, NAME.key for each, valid two days
#   orthanc NAME AET SETTINGS     starts Orthanc on a machine with an empty index; SETTINGS are members of its JSON
#                                 configuration. HTTP listens only if SETTINGS has "HttpServerEnabled": true
#   qrscp NAME PORT               starts DCMTK's dcmqrscp, AE title QRSCP, with an empty index

dicom_objects() {
	/usr/bin/python3 "$NET_RECORD/dicom_files.py" "$1"
	dcmcjpeg "$1/ct1.dcm" "$1/ct-jpeg.dcm"
	dcmcrle "$1/ct2.dcm" "$1/ct-rle.dcm"
	dcmconv +td "$1/ct3.dcm" "$1/ct-deflated.dcm"
	dcmconv +tb "$1/mr1.dcm" "$1/mr-be.dcm"
}

study() {
	/usr/bin/python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import dicom_files as f; print(f.uid("study.%s.%s" % (sys.argv[2], sys.argv[3])))' \
		"$NET_RECORD" "$1" "$2"
}

certificates() {
	local dir=$1 n
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$dir/ca.key" -out "$dir/ca.pem" \
		-subj "/O=Lindenhof University Hospital (fictional)/CN=Lindenhof Device CA" 2>/dev/null
	shift
	for n in "$@"; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/$n.key" -out "$dir/$n.csr" \
			-subj "/O=Lindenhof University Hospital (fictional)/CN=$n" 2>/dev/null
		printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$n" >"$dir/$n.ext"
		openssl x509 -req -in "$dir/$n.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
			-extfile "$dir/$n.ext" -out "$dir/$n.pem" 2>/dev/null
	done
	chmod a+r "$dir"/*
}

orthanc() {
	local name=$1 aet=$2 settings=$3 dir="$NET_DIR/orthanc-$1-$RANDOM" port
	mkdir -p "$dir"
	case $settings in *HttpServerEnabled*) ;; *) settings="$settings, \"HttpServerEnabled\": false, \"Plugins\": []" ;; esac
	cat >"$dir/orthanc.json" <<-JSON
		{"Name": "Lindenhof PACS (fictional)", "StorageDirectory": "$dir", "IndexDirectory": "$dir", "DicomAet": "$aet",
		 "RemoteAccessAllowed": true, "AuthenticationEnabled": false, "DefaultEncoding": "Utf8", "SynchronousCMove": true,
		 $settings}
	JSON
	port=$(sed -n 's/.*"DicomPort": \([0-9]*\).*/\1/p' "$dir/orthanc.json" | head -1)
	start "$name" Orthanc "$dir/orthanc.json"
	wait_port "$name" "$port"
	wait_for 20 grep -q 'Orthanc has started' "$NET_LAST_LOG"
}

qrscp() {
	local dir="$NET_DIR/qrscp-$1"
	mkdir -p "$dir/db"
	cat >"$dir/qrscp.cfg" <<-CFG
		NetworkTCPPort = $2
		MaxPDUSize = 16384
		MaxAssociations = 16
		HostTable BEGIN
		HostTable END
		VendorTable BEGIN
		VendorTable END
		AETable BEGIN
		QRSCP $dir/db RW (200, 1024mb) ANY
		AETable END
	CFG
	start "$1" dcmqrscp -c "$dir/qrscp.cfg" "$2"
	wait_port "$1" "$2"
}

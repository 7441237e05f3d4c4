#!/bin/bash
# Two PeerDrive computers on 127.0.0.1, for the harness that times peers with a client of their own: up DIR | put FILE | get FILE.
# put copies FILE into the first one's mount and returns once every byte was read back through the second one's; get reads it there.
# PD: the release binary. Copy this file beside the harness's other peers, as peerdrive_pair.sh.
. "$(dirname "$0")/lib.sh"
start() {
    local n
    for n in 1 2; do
        mkdir -p "$S/d$n" "$S/m$n"
        run_bg n$n "${PD:-$PWD/target/release/peerdrive}" up "$S/m$n" --data "$S/d$n" --no-discovery --panel off \
            --listen 127.0.0.1:2290$n --contribute 40G
        wait_for grep -qx ready "$S/n$n.log"
    done
    if ! pd 2 devices --json | grep -q '"this":false'; then
        pd 2 join "$(pd 1 invite)" --peer 127.0.0.1:22901
    fi
}
pd() { local n=$1; shift; "${PD:-$PWD/target/release/peerdrive}" "$@" --data "$S/d$n"; }
same() { diff -r "$1" "$2" >/dev/null 2>&1; }
put() { cp -r "$1" "$S/m1/"; wait_for same "$1" "$S/m2/$(basename "$1")"; }
get() { cp "$S/m2/$(basename "$1")" "$1"; }
stop() { end n1 n2; unmount "$S/m1"; unmount "$S/m2"; }
main "$@"

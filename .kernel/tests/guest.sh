# The guest: SCTP, networks, modules, files, limits.

cc -O1 -o sctp "$here/tests/sctp.c"
same "SCTP over IPv4" "ok" "$("$run" ./sctp 127.0.0.1 2>&1)"
same "SCTP over IPv6" "ok" "$("$run" ./sctp ::1 2>&1)"
export SCTP_KERNEL_SYSCTL="net.sctp.auth_enable=1 net/sctp/addip_enable=1"
same "sysctls" "1 1" "$("$run" sh -c 'cat /proc/sys/net/sctp/auth_enable /proc/sys/net/sctp/addip_enable' | xargs)"
same "SCTP-AUTH (module hmac)" "ok" "$("$run" ./sctp 127.0.0.1 auth 2>&1)"
SCTP_KERNEL_SYSCTL=net.sctp.no_such=1 "$run" true 2>err
same "a sysctl that does not exist" "125" "$?"
like "is named" "*net.sctp.no_such=1*" "$(cat err)"
unset SCTP_KERNEL_SYSCTL

PATH=$PATH:/usr/sbin:/sbin
cat >network.sh <<'END'
set -e
ip netns add a
ip netns add b
ip link add va netns a type veth peer name vb netns b
for side in a b; do
    ip -n $side link set lo up
    ip -n $side link set v$side up
done
ip -n a addr add 10.9.0.1/24 dev va
ip -n b addr add 10.9.0.2/24 dev vb
tc -n a qdisc add dev va root netem delay 5ms loss 1%
tc -n a qdisc show dev va | grep -o netem
ip netns exec b ./sctp 10.9.0.2
END
if type -P ip >/dev/null && type -P tc >/dev/null; then
    same "namespaces, veth and netem, their modules on demand" "netem ok" "$("$run" sh network.sh 2>&1 | xargs)"
else
    skip "namespaces, veth and netem" "no ip or tc (iproute2)"
fi
if type -P ss >/dev/null; then
    cat >ss.sh <<'END'
./sctp 127.0.0.1 >/dev/null
ss -Sln >/dev/null
grep -o -w sctp_diag /proc/modules | uniq
END
    same "ss, its module on demand" "sctp_diag" "$("$run" sh ss.sh 2>&1)"
else
    skip "ss" "no ss (iproute2)"
fi
same "modules by name" "sch_tbf dummy" "$(SCTP_KERNEL_MODULES="dummy sch-tbf" "$run" grep -o -w -E '^(dummy|sch_tbf)' /proc/modules | xargs)"
SCTP_KERNEL_MODULES=no_such "$run" true 2>err
same "a module that does not exist" "125" "$?"

same "open files" "65536 1048576" "$("$run" bash -c 'ulimit -n; ulimit -Hn' | xargs)"
same "root in the guest" "0" "$("$run" id -u)"
memory=$(SCTP_KERNEL_MEMORY=200M "$run" awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
same "memory" "1" "$((memory > 150 && memory <= 200))"

mkdir outside inside
same "the repository is writable" "yes" "$(cd / && "$run" sh -c 'echo yes >"$1" && cat "$1"' sh "$here/tests/written.$$"; rm -f "$here/tests/written.$$")"
same "the current directory is writable" "yes" "$(cd inside && "$run" sh -c 'echo yes >file'; cat file 2>/dev/null || cat inside/file)"
same "/tmp and TMPDIR are writable" "a b" "$("$run" sh -c 'echo a >"$1"; echo b >"$TMPDIR/b"' sh "$scratch/a"; cat a "$TMPDIR/b" | xargs; rm -f "$TMPDIR/b")"
place=$(mktemp -d /var/tmp/lane-test.XXXXXX)
like "elsewhere is read only" "1 *Read-only file system*" "$("$run" touch "$place/file" 2>err; echo "$? $(cat err)")"
same "SCTP_KERNEL_WRITABLE" "file" "$(SCTP_KERNEL_WRITABLE=/nowhere:$place "$run" touch "$place/file" 2>/dev/null; ls "$place")"
rm -rf "$place"
same "files that are written last are on the host" "$(head -c 5000000 /dev/zero | sha256sum)" "$("$run" sh -c 'head -c 5000000 /dev/zero >inside/big'; sha256sum <inside/big)"
same "the host's new files are seen" "late" "$(rm -f late; (sleep 0.5; echo late >late) & "$run" sh -c 'while ! test -s late; do sleep 0.05; done; cat late')"

same "a run in the guest is the command itself" "sctp-guest" "$("$run" "$run" cat /proc/sys/kernel/hostname)"

# Several runs at once, on all processors.
for i in 1 2 3 4; do
    "$run" sh -c "sleep 0.5; echo $i" >"out$i" &
done
sleep 0.3
for environ in $(grep -slF -- "$scratch/tmp" /proc/[0-9]*/environ); do
    [[ $(readlink "${environ%/environ}/exe") == */linux.uml ]] &&
        awk '/^Cpus_allowed_list/ {print $2}' "${environ%/environ}/status"
done | sort -u >cpus
wait
same "four at once" "1 2 3 4" "$(cat out? | xargs)"
allowed=$(nproc)
same "are spread over the processors, each on one" "$((allowed < 4 ? allowed : 4)) 0" "$(wc -l <cpus) $(grep -c '[-,]' cpus)"
nothing_left "guest"

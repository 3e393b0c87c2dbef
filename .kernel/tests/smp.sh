# The QEMU guest. Streams, signals and files are the same code as in the UML guest; these tests cover
# the rest. They run on request only, because each boot takes seconds.
SCTP_KERNEL=smp
SCTP_KERNEL_TIMEOUT=300
cc -O1 -o sctp "$here/tests/sctp.c"

"$run" true # fetches the kernel
release=$(ls "$cache/smp/linux/lib/modules" | cut -d . -f 1-2)

# One boot for everything that a command can find out by itself.
cat >within.sh <<'END'
uname -r | cut -d . -f 1-2
nproc
echo "$SCTP_KERNEL_GUEST"
./sctp 127.0.0.1
./sctp ::1
pwd
umask
echo "$X"
id -u
touch /usr/of-the-guest 2>/dev/null || echo read-only
echo written >file
cat in-the-folder
END
echo seen >in-the-folder
same "kernel, processors, SCTP, surroundings, files" \
    "$release 2 smp ok ok $scratch 0027 a b 0 read-only seen" \
    "$(umask 0027; X="a b" "$run" sh within.sh 2>&1 | xargs)"
same "its files are the host's" "written" "$(cat file)"

head -c 3000000 /dev/urandom >input
sum=$(sha256sum <input)
out=$("$run" sh -c 'cat; head -c 1000000 input >&2; exit 77' <input 2>err | sha256sum; echo "${PIPESTATUS[0]}")
same "streams: byte for byte there and back, and the status" "$sum 77" "${out//$'\n'/ }"
same "and stderr" "$(head -c 1000000 input | sha256sum)" "$(sha256sum <err)"
same "killed by a signal" "139" "$("$run" sh -c 'kill -SEGV $$' 2>/dev/null; echo $?)"

cat >server.sh <<'END'
trap 'echo drained; exit 6' TERM
echo ready
while :; do sleep 0.1; done
END
: >log
"$run" bash server.sh >log 2>&1 &
pid=$!
for i in {1..600}; do
    grep -qs ready log && break
    sleep 0.2
done
kill -TERM "$pid"
wait "$pid"
same "SIGTERM reaches the command" "6 ready drained" "$? $(xargs <log)"

same "time limit" "124" "$(SCTP_KERNEL_TIMEOUT=25 "$run" sleep 600 2>/dev/null; echo $?)"
"$run" sh -c 'echo c >/proc/sysrq-trigger; sleep 60' 2>err
same "the guest's kernel panics" "125" "$?"
like "its message is shown" "*Kernel panic*" "$(cat err)"

# Where there is no UML, this kind of guest is taken by itself.
mkdir -p no-uml/target/kernel bare
cp -r "$here" no-uml/
cp -r "$cache/smp" no-uml/target/kernel/
printf '#!/bin/sh\necho "E: Unable to locate package user-mode-linux" >&2\nexit 100\n' >bare/apt-get
chmod +x bare/apt-get
if [[ ! -e /proc/net/sctp && ! -x /usr/bin/linux.uml ]]; then
    same "no UML" "smp" "$(env -u CARGO_TARGET_DIR SCTP_KERNEL=auto PATH="$PWD/bare:$PATH" \
        no-uml/.kernel/run sh -c 'echo $SCTP_KERNEL_GUEST' 2>/dev/null)"
fi
same "SCTP_KERNEL_CPUS" "1" "$(SCTP_KERNEL_CPUS=1 "$run" nproc)"

PATH=$PATH:/usr/sbin:/sbin
cat >network.sh <<'END'
set -e
ip netns add a
ip link add va netns a type veth peer name vb
ip link set vb up
ip -n a link set va up
ip -n a link set lo up
ip -n a addr add 10.9.0.1/24 dev va
ip addr add 10.9.0.2/24 dev vb
tc -n a qdisc add dev va root netem delay 5ms
tc -n a qdisc show dev va | grep -o netem
ip netns exec a ./sctp 10.9.0.1
ss -Sln >/dev/null
grep -o -w sctp_diag /proc/modules | uniq
END
if type -P ip >/dev/null && type -P tc >/dev/null && type -P ss >/dev/null; then
    same "veth, netem and sctp_diag, their modules on demand" "netem ok sctp_diag" "$("$run" sh network.sh 2>&1 | xargs)"
else
    skip "veth, netem and sctp_diag" "no ip, tc or ss (iproute2)"
fi

if type -P cargo >/dev/null; then
    (cd "${here%/.kernel}" && cargo test -q --offline -p sctp-tokio --test messages) >log 2>&1
    same "tests of this repository" "0" "$?"
else
    skip "tests of this repository" "no cargo"
fi
export SCTP_KERNEL=uml SCTP_KERNEL_TIMEOUT=30
nothing_left "smp"

# Finding, building and fetching, on copies of the lane in which nothing is built or fetched yet.

# FOLDER: makes a repository with only the lane in it
copy() {
    mkdir -p "$1"
    cp -r "$here" "$1/"
}

# FOLDER: gives it the fetched package
with_package() {
    mkdir -p "$1/target/kernel"
    [[ ! -d $cache/uml ]] || cp -r "$cache/uml" "$1/target/kernel/"
}

# Runs a copy, which has its own target folder.
fresh() {
    env -u CARGO_TARGET_DIR "$@"
}

copy "with spaces"
with_package "with spaces"
same "a path with spaces" "ok" "$(fresh "with spaces/.kernel/run" echo ok 2>&1)"
lane="with spaces/target/kernel/lane"
touch -d '1 hour ago' "$lane"
before=$(stat -c %Y "$lane")
fresh "with spaces/.kernel/run" true
same "changed sources are built again" "1" "$(($(stat -c %Y "$lane") > before))"
before=$(stat -c %Y "$lane")
fresh "with spaces/.kernel/run" true
same "unchanged ones are not" "$before" "$(stat -c %Y "$lane")"
cp -r "with spaces/target" elsewhere
rm elsewhere/kernel/lane
CARGO_TARGET_DIR=$PWD/elsewhere "with spaces/.kernel/run" true
same "CARGO_TARGET_DIR" "lane" "$(cd elsewhere/kernel && echo lane*)"

rm "$lane"
mkdir bare
for tool in bash env mkdir cat rm; do # but no compiler
    ln -s "$(type -P $tool)" bare/
done
fresh PATH="$PWD/bare" "with spaces/.kernel/run" true 2>err
same "no compiler" "125" "$?"
like "is explained" "*C compiler*" "$(cat err)"

SCTP_KERNEL=/no/such/kernel "$run" true 2>err
same "a kernel that does not exist" "125" "$?"
if [[ -d elsewhere/kernel/uml ]]; then
    same "a kernel by its path" "ok" "$(SCTP_KERNEL=$PWD/elsewhere/kernel/uml/usr/bin/linux.uml "$run" echo ok 2>&1)"
fi
if [[ -e /proc/net/sctp ]]; then
    same "the host's kernel" "$(uname -r)" "$(SCTP_KERNEL=host "$run" uname -r)"
    same "the host's kernel by itself" "$(uname -r)" "$(SCTP_KERNEL=auto "$run" uname -r)"
else
    SCTP_KERNEL=host "$run" true 2>err
    same "a host without SCTP" "125" "$?"
    like "advice" "*modprobe sctp*" "$(cat err)"
    same "another kernel by itself" "sctp-guest" "$(SCTP_KERNEL=auto "$run" cat /proc/sys/kernel/hostname)"
fi

copy nowhere
printf '#!/bin/sh\nexit 100\n' >bare/apt-get
chmod +x bare/apt-get
fresh PATH="$PWD/bare:$PATH" nowhere/.kernel/run true 2>err
code=$?
if [[ -x /usr/bin/linux.uml ]]; then
    skip "no package to be had" "it is installed here"
else
    same "no package to be had" "125" "$code"
    like "advice on that" "*could not download*modprobe sctp*" "$(cat err)"

    # CAUSE APT-GET'S-WORDS EXPECTED
    while IFS='|' read -r cause words expected; do
        printf '#!/bin/sh\necho "%s" >&2\nexit 100\n' "$words" >bare/apt-get
        fresh PATH="$PWD/bare:$PATH" nowhere/.kernel/run true 2>err
        like "$cause" "125 *$expected*" "$? $(cat err)"
    done <<'END'
no network|E: Could not resolve 'deb.debian.org'|no network: set http_proxy, or install user-mode-linux
no space|E: Write error - write (28: No space left on device)|no space left*CARGO_TARGET_DIR
a package that cannot be verified|E: The following signatures couldn't be verified: NO_PUBKEY 1|could not verify*debian-archive-keyring
END

    # No UML, as on Ubuntu and arm64: then QEMU is tried, whose packages this apt-get does not have either.
    printf '#!/bin/sh\necho "E: Unable to locate package user-mode-linux" >&2\nexit 100\n' >bare/apt-get
    fresh SCTP_KERNEL=auto PATH="$PWD/bare:$PATH" nowhere/.kernel/run true 2>err
    code=$?
    if [[ ! -e /proc/net/sctp ]]; then
        like "no UML: QEMU is tried" "125 *no User-Mode Linux for this machine*a kernel for QEMU*modprobe sctp*" "$code $(cat err)"
    fi
    fresh PATH="$PWD/bare:$PATH" nowhere/.kernel/run true 2>err
    like "no UML, which was asked for" "125 *no package user-mode-linux*" "$? $(cat err)"
fi

# QEMU was taken once, and UML came later.
if [[ ! -e /proc/net/sctp ]]; then
    copy later
    with_package later
    mkdir -p later/target/kernel/smp
    : >later/target/kernel/smp/instead-of-uml
    same "UML that came later" "uml" "$(fresh SCTP_KERNEL=auto PATH="$PWD/bare:$PATH" \
        later/.kernel/run sh -c 'echo $SCTP_KERNEL_GUEST' 2>&1)"
fi

# The names that the archives had on 2026-11-28.
source "$here/kernels.sh"
picked() {
    pick_kernel "${1##*-}" <"$here/tests/packages/$1" | xargs
}
same "the kernel of Debian 12" "linux-image-6.1.0-50-amd64-unsigned" "$(picked debian-12-amd64)"
same "the kernel of Debian 13" "linux-image-6.12.117+deb13-amd64-unsigned" "$(picked debian-13-amd64)"
same "the kernel of Debian 13 on arm64" "linux-image-6.12.117+deb13-arm64-unsigned" "$(picked debian-13-arm64)"
same "the kernel of Ubuntu 24.04" \
    "linux-image-unsigned-6.8.0-31-generic linux-modules-6.8.0-31-generic linux-modules-extra-6.8.0-31-generic" \
    "$(picked ubuntu-24.04-amd64)"
same "6.12 rather than a newer one" "linux-image-6.12.9-amd64" \
    "$(printf '%s\n' linux-image-6.12.9-amd64 linux-image-6.1.4-amd64 linux-image-6.16.1-amd64 | pick_kernel amd64)"
same "no kernel" "" "$(echo linux-image-amd64 | pick_kernel amd64)"

mkdir no-bash
fresh PATH="$PWD/no-bash" "$PWD/with spaces/.kernel/run" true 2>err
like "no bash" "125 *install bash*" "$? $(cat err)"
touch file
CARGO_TARGET_DIR=$PWD/file "$run" true 2>err
like "a target folder that cannot be written to" "125 .kernel/run: cannot write to $PWD/file/kernel: set CARGO_TARGET_DIR*" "$? $(cat err)"
same "and nothing else is said" "1" "$(wc -l <err)"

if type -P musl-gcc >/dev/null; then
    headers=(-idirafter /usr/include -idirafter "/usr/include/$(cc -dumpmachine)" -idirafter /usr/include/x86_64-linux-gnu)
    musl-gcc "${headers[@]}" -std=gnu11 -static -o lane-musl "$here"/src/*.c 2>err &&
        musl-gcc "${headers[@]}" -shared -fPIC -o musl.so "$here"/preload/ptrace.c 2>>err
    same "musl compiles the lane" "0 " "$? $(cat err)"
else
    skip "musl" "no musl-gcc (musl-tools)"
fi

# NAME COMMAND...: three first runs at once, with apt lists that were never fetched
first_runs() {
    local name=$1 i
    shift
    mkdir -p no-lists
    echo "Dir::State::lists \"$PWD/no-lists\";" >apt.conf
    copy new
    if ((EUID == 0)); then
        chown -R nobody new
    fi
    for i in 1 2 3; do
        fresh APT_CONFIG="$PWD/apt.conf" "$@" new/.kernel/run sh -c "echo $i" >"first$i" 2>err &
    done
    wait
    same "$name" "1 2 3" "$(cat first? | xargs)"
    same "$name: the cache" "fetch.lock fetch.log lane ptrace.so uml" "$(ls new/target/kernel | xargs)"
}

if [[ -n ${SCTP_KERNEL_TEST_OFFLINE:-} || -x /usr/bin/linux.uml ]]; then
    skip "first runs" "they fetch 41 MB"
elif ((EUID == 0)) && type -P setpriv >/dev/null; then
    first_runs "first runs of an ordinary user" setpriv --reuid=nobody --regid=nogroup --clear-groups
else
    first_runs "first runs"
fi
nothing_left "setup"

# Part of boot: finds a kernel for the command. Once all is built and fetched, it starts one short
# process, the probe.
#
# in:  here, root, choice      out: target, lane, kind, kernel, modules

say() {
    echo ".kernel/run: $*" >&2
}

target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$root/$target
target=$target/kernel
lane=$target/lane
kind=uml

lane_is_current() {
    local source
    [[ -x $lane ]] || return
    for source in "$here"/src/* "$here"/preload/*; do
        [[ $source -nt $lane ]] && return 1
    done
    return 0
}

find_compiler() {
    for compiler in cc gcc clang; do
        type -P "$compiler" >/dev/null && return
    done
    say "a C compiler is needed, once (Debian: apt-get install gcc libc6-dev)"
    return 1
}

# Builds lane (supervisor, pid 1 of the guest, its modprobe, the probe) and ptrace.so. The lane is
# static, because a program without a dynamic linker starts faster in the guest.
build_lane() {
    local compiler new=$target/new.$$
    find_compiler || return
    if "$compiler" -shared -fPIC -O2 -o "$new.so" "$here"/preload/ptrace.c &&
        "$compiler" -std=gnu11 -O2 -static -o "$new" "$here"/src/*.c; then
        # The executable last, because its age decides whether to build again.
        mv -f "$new.so" "$target/ptrace.so" && mv -f "$new" "$lane"
    else
        rm -f "$new" "$new.so"
        say "the guest's programs do not build: install libc.a (libc6-dev, glibc-static), or free space in $target"
        return 1
    fi
}

advise() {
    cat "$here/advice.txt" >&2
}

# Uses a kernel in the layout of Debian's package, or with a folder `modules` beside it. A kernel
# with SCTP built in needs no modules.
use_kernel() {
    local folder=${1%/*}
    kernel=$1
    for modules in "$folder/../lib/uml/modules" "$folder/modules" ""; do
        [[ -d $modules ]] && break
    done
    if [[ ! -x $kernel || -d $kernel ]]; then
        say "SCTP_KERNEL=$choice is not auto, host, uml, smp or an executable file"
        return 1
    fi
}

# Prints the kernel of Debian's package, if that is installed or was fetched.
uml_here() {
    local fetched=$target/uml/usr/bin/linux.uml
    if [[ -x /usr/bin/linux.uml && -d /usr/lib/uml/modules ]]; then
        echo /usr/bin/linux.uml
    elif [[ -x $fetched ]]; then
        echo "$fetched"
    else
        return 1
    fi
}

# Uses Debian's package, and fetches it where it is missing. Returns 3 where there is no such package.
find_uml() {
    local uml status=0
    uml=$(uml_here) || { "$here/fetch" "$target" && uml=$(uml_here); } || status=$?
    if ((status == 0)); then
        use_kernel "$uml"
        return
    fi
    ((status == 3)) || advise
    return "$status"
}

# Uses User-Mode Linux or, where there is none (Ubuntu, arm64), the distribution's kernel in QEMU.
find_guest() {
    local status=0
    # UML may have been installed after QEMU was taken.
    if uml_here >/dev/null || [[ ! -e $target/smp/instead-of-uml ]]; then
        find_uml || status=$?
        ((status == 3)) || return "$status"
        say "there is no User-Mode Linux for this machine: using Linux in QEMU, as SCTP_KERNEL=smp does"
    fi
    source "$here/smp.sh" || { advise; return 1; }
    [[ -e $smp/instead-of-uml ]] || {
        : >"$smp/instead-of-uml"
        say "QEMU runs it by $SCTP_KERNEL_ACCEL: a guest starts in seconds"
    }
}

if ! mkdir -p "$target" 2>/dev/null || [[ ! -w $target ]]; then
    say "cannot write to $target: set CARGO_TARGET_DIR to a folder that can be written to"
    return 1
fi
lane_is_current || build_lane || return 1

case $choice in
auto | host)
    # Opening an SCTP socket lets the kernel load its module.
    if "$lane" probe; then
        kernel=host
    elif [[ $choice == auto ]]; then
        find_guest
    else
        say "this kernel has no SCTP, and SCTP_KERNEL=host allows no other"
        advise
        return 1
    fi
    ;;
uml)
    find_uml || {
        (($? != 3)) || say "there is no package user-mode-linux for this machine"
        return 1
    }
    ;;
smp) source "$here/smp.sh" ;;
*) use_kernel "$choice" ;;
esac

# Part of boot, for SCTP_KERNEL=smp: finds the kernel and QEMU, and builds the initramfs.
#
# in:  here, root, target, lane      out: kind, kernel, modules, SCTP_KERNEL_ACCEL

smp=$target/smp

# FILE MODULE...: prints the files of modules and of what they need, from depmod's table. A module that
# is not in the table is built into the kernel.
files_of_modules() {
    awk -v wanted="${*:2}" '
        function take(file, of, i, n) {
            if (file in taken) return
            taken[file]
            print file
            n = split(needs[file], of, " ")
            for (i = 1; i <= n; i++) take(of[i])
        }
        {
            file = $1
            sub(/:$/, "", file)
            name = file
            gsub(/.*\/|\.ko.*/, "", name)
            gsub(/-/, "_", name)
            path[name] = file
            $1 = ""
            needs[file] = $0
        }
        END {
            n = split(wanted, name_, " ")
            for (i = 1; i <= n; i++) if (name_[i] in path) take(path[name_[i]])
        }' "$1"
}

# The initramfs needs 9p, through which the guest reads the host's files. The modules that each run
# needs load faster from there too.
build_initramfs() {
    local new=$target/initramfs.$$ release folder entries file
    release=$(cd "$modules" && echo *)
    folder=run/sctp-kernel/modules
    entries=("init=$lane" "$folder/modules.dep=$modules/$release/modules.dep")
    for file in $(files_of_modules "$modules/$release/modules.dep" virtio_mmio virtio_pci virtio_console \
        9p 9pnet_virtio crc32c_intel crc32c_generic sctp); do
        entries+=("$folder/$file=$modules/$release/$file")
    done
    if "$lane" initramfs "${entries[@]}" >"$new"; then
        mv -f "$new" "$smp/initramfs"
    else
        rm -f "$new"
        return 1
    fi
}

# COMPRESSED UNCOMPRESSED: takes the kernel out of its compressed file (Documentation/arch/x86/boot.rst),
# since the emulated processor needs half a second to decompress it. Needs zstd, and a kernel
# compressed with that; else nothing is made.
uncompress() {
    local setup offset length
    type -P zstd od >/dev/null || return
    setup=$(od -An -tu1 -j497 -N1 "$1")
    read -r offset length < <(od -An -tu4 -j584 -N8 "$1")
    tail -c "+$(((setup + 1) * 512 + offset + 1))" "$1" | head -c "$((length - 4))" | zstd -dc >"$2.new" 2>/dev/null &&
        [[ $(head -c 4 "$2.new") == $'\x7fELF' ]] && mv "$2.new" "$2"
    rm -f "$2.new"
}

# KVM may be there and not work, as on a virtual machine that does not nest. So it is tried, once for
# each kernel of the host. That the try succeeds has not been seen yet.
find_accelerator() {
    local known
    known=$smp/accelerator-$(uname -r)
    SCTP_KERNEL_ACCEL=tcg
    [[ -r /dev/kvm && -w /dev/kvm ]] || return 0
    if [[ ! $known -nt $smp/initramfs ]]; then
        if SCTP_KERNEL_ACCEL=kvm SCTP_KERNEL_TIMEOUT=20 \
            "$lane" run "$root" "$kind" "$kernel" "$modules" "$target" "$PPID" true </dev/null >"$smp/kvm.log" 2>&1; then
            echo kvm >"$known"
        else
            echo tcg >"$known"
        fi
    fi
    SCTP_KERNEL_ACCEL=$(<"$known")
}

find_smp() {
    local program
    program=qemu-system-$(uname -m)
    kind=smp
    [[ -d $smp/linux/lib/modules ]] || "$here/fetch" "$target" smp || return
    kernel=$(echo "$smp"/linux/boot/vmlinuz-*)
    modules=$smp/linux/lib/modules
    if [[ ! -x $smp/qemu/usr/bin/$program ]] && ! type -P "$program" >/dev/null; then
        say "$program is no longer installed: rm -r $smp fetches it at the next run"
        return 1
    fi
    # The initramfs contains the lane.
    if [[ ! $smp/initramfs -nt $lane ]]; then
        [[ $program != *x86_64 ]] || uncompress "$kernel" "$smp/vmlinux"
        build_initramfs || return
    fi
    [[ ! -e $smp/vmlinux ]] || kernel=$smp/vmlinux
    [[ ${SCTP_KERNEL_ACCEL:-} ]] || find_accelerator
    export SCTP_KERNEL_ACCEL
}

find_smp

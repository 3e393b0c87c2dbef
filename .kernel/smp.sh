# Part of boot, for SCTP_KERNEL=smp: finds the kernel and QEMU, and builds the initramfs.
#
# in:  here, target, lane      out: kind, kernel, modules

smp=$target/smp

# The initramfs needs 9p, through which the guest reads the host's files. The modules that each run
# needs load faster from there too.
build_initramfs() {
    local new=$target/initramfs.$$ release folder entries file
    release=$(cd "$modules" && echo *)
    folder=run/sctp-kernel/modules
    entries=("init=$lane" "$folder/modules.dep=$modules/$release/modules.dep")
    for file in fs/netfs/netfs net/9p/9pnet fs/9p/9p net/9p/9pnet_virtio \
        arch/x86/crypto/crc32c-intel crypto/crc32c_generic lib/libcrc32c \
        net/ipv4/udp_tunnel net/ipv6/ip6_udp_tunnel net/sctp/sctp; do
        # The suffix depends on how the package compresses modules. A missing module is built in.
        for file in "$modules/$release/kernel/$file".ko*; do
            [[ -e $file ]] && entries+=("$folder/${file#"$modules/$release/"}=$file")
        done
    done
    if "$lane" initramfs "${entries[@]}" >"$new"; then
        mv -f "$new" "$smp/initramfs"
    else
        rm -f "$new"
        return 1
    fi
}

find_smp() {
    kind=smp
    [[ -d $smp/linux/lib/modules ]] || "$here/fetch" "$target" smp || return
    kernel=$(echo "$smp"/linux/boot/vmlinuz-*)
    modules=$smp/linux/lib/modules
    if [[ ! -x $smp/qemu/usr/bin/qemu-system-x86_64 ]] && ! type -P qemu-system-x86_64 >/dev/null; then
        say "qemu-system-x86_64 is no longer installed: rm -r $smp fetches it at the next run"
        return 1
    fi
    # The initramfs contains the lane.
    [[ $smp/initramfs -nt $lane ]] || build_initramfs
}

find_smp

# Part of fetch: which packages of a distribution have a kernel for QEMU.

# ARCHITECTURE: reads the names of packages that apt offers, and prints those to fetch: a kernel, and
# its modules where they are packages of their own (Ubuntu; SCTP is in "extra" there, if that is one).
# The newest 6.12 is preferred, on which the documents' figures were measured, else the newest. The
# cloud flavour has no 9p; the others are different kernels.
pick_kernel() {
    local names version
    names=$(sort -u)
    version=$(grep -E -e "^linux-image-[0-9][^ ]*-$1(-unsigned)?$" -e '^linux-image-unsigned-[0-9].*-generic$' <<<"$names" |
        grep -v -E -e '-(cloud|rt|16k|64k)-' | sed 's/^linux-image-\(unsigned-\)\?//' | sort -V | awk '
            { newest = $0 }
            /^6\.12\.[0-9]/ { preferred = $0 }
            END { print preferred == "" ? newest : preferred }')
    [[ $version ]] || return
    case $version in
    *-generic)
        echo "linux-image-unsigned-$version"
        grep -x -F -e "linux-modules-$version" -e "linux-modules-extra-$version" <<<"$names"
        ;;
    *) echo "linux-image-$version" ;;
    esac
}

//! Bounds-checked access to the fields of kernel structures.

use crate::ids::AssocId;

/// Bytes of a kernel structure, with accessors that read a field at an offset or return `None`.
///
/// Unlike a cast to a `repr(C)` struct, this needs neither alignment nor `unsafe`, and no length
/// check can be forgotten. A test compares the offsets with `<linux/sctp.h>`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    pub(super) fn i32(self, at: usize) -> Option<i32> {
        self.array(at).map(i32::from_ne_bytes)
    }

    pub(super) fn assoc(self, at: usize) -> Option<AssocId> {
        self.i32(at).map(AssocId::new)
    }

    /// Returns an error cause code.
    ///
    /// Linux leaves the code in network byte order in each notification, contrary to RFC 6458
    /// (`sctp_ulpevent_make_assoc_change`).
    pub(super) fn cause(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }
}

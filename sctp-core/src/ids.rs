//! Identifiers of associations and streams.

use std::fmt;

/// Identifier of an association on its socket (`sctp_assoc_t`, RFC 6458 section 4.1).
///
/// Messages and notifications of a closed association can still be in the receive queue, so a
/// receive may return the identifier of an association that no longer exists. The kernel assigns
/// identifiers in ascending order, and may reuse one long after its association was closed.
///
/// One-to-one sockets ignore the identifier, and so do the send calls of peeled-off sockets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AssocId(i32);

impl AssocId {
    /// Defaults for future associations (`SCTP_FUTURE_ASSOC`).
    #[doc(alias = "SCTP_FUTURE_ASSOC")]
    pub const FUTURE: Self = Self(0);
    /// All existing associations (`SCTP_CURRENT_ASSOC`). Valid for setters only.
    #[doc(alias = "SCTP_CURRENT_ASSOC")]
    pub const CURRENT: Self = Self(1);
    /// All existing and future associations (`SCTP_ALL_ASSOC`). Valid for setters only.
    #[doc(alias = "SCTP_ALL_ASSOC")]
    pub const ALL: Self = Self(2);

    /// Wraps the kernel's number.
    #[must_use]
    pub const fn new(id: i32) -> Self {
        Self(id)
    }

    /// Returns the kernel's number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Debug for AssocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FUTURE => f.write_str("SCTP_FUTURE_ASSOC"),
            Self::CURRENT => f.write_str("SCTP_CURRENT_ASSOC"),
            Self::ALL => f.write_str("SCTP_ALL_ASSOC"),
            Self(id) => write!(f, "AssocId({id})"),
        }
    }
}

impl fmt::Display for AssocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a stream within an association, starting at 0 (RFC 9260 section 1.3).
///
/// The two directions are negotiated separately: outbound stream 3 and inbound stream 3 are
/// different streams, and one can exist without the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId(u16);

impl StreamId {
    /// Wraps a stream number.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        Self(id)
    }

    /// Returns the stream number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u16> for StreamId {
    fn from(id: u16) -> Self {
        Self(id)
    }
}

impl From<StreamId> for u16 {
    fn from(id: StreamId) -> Self {
        id.0
    }
}

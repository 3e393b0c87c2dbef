//! Identifiers of associations and streams.

use std::fmt;

/// Names an association on its socket (`sctp_assoc_t`, RFC 6458 section 4.1).
///
/// Identifiers outlive their association in the receive queue: messages and notifications of
/// an association that has already ended can still be unread. The kernel hands them out in
/// rising order, and may use one again long after its association ended.
///
/// One-to-one sockets ignore the identifier, and so do the send calls of peeled-off ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AssocId(i32);

impl AssocId {
    /// The defaults for associations to come (`SCTP_FUTURE_ASSOC`).
    #[doc(alias = "SCTP_FUTURE_ASSOC")]
    pub const FUTURE: Self = Self(0);
    /// Every association that exists now (`SCTP_CURRENT_ASSOC`); setting only.
    #[doc(alias = "SCTP_CURRENT_ASSOC")]
    pub const CURRENT: Self = Self(1);
    /// Existing associations and those to come (`SCTP_ALL_ASSOC`); setting only.
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

/// Numbers a stream of an association, from 0 (RFC 9260 section 1.3).
///
/// The two directions are negotiated apart: stream 3 outbound and stream 3 inbound are
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

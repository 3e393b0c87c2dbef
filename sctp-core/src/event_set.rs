//! Sets of notification types.

use std::{fmt, ops};

use crate::abi;

/// A set of notification types to subscribe to (`SCTP_EVENT`, RFC 6458 section 6.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventSet(u16);

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:path;)*) => {
        impl EventSet {
            $($(#[$doc])* pub const $name: Self = Self(1 << ($kind - abi::SCTP_ASSOC_CHANGE));)*

            /// All types that this crate can decode except `SCTP_SEND_FAILED`, which
            /// `SCTP_SEND_FAILED_EVENT` replaces.
            pub const ALL: Self = Self(($(Self::$name.0)|*) & !Self::SEND_FAILED_DEPRECATED.0);

            const TABLE: &'static [(Self, u16, &'static str)] =
                &[$((Self::$name, $kind, stringify!($name)),)*];
        }
    };
}

events! {
    /// An association was established, was lost or shut down, restarted, or could not start.
    ASSOC_CHANGE = abi::SCTP_ASSOC_CHANGE;
    /// A path of a multi-homed peer changed its state.
    PEER_ADDR_CHANGE = abi::SCTP_PEER_ADDR_CHANGE;
    /// A message could not be delivered (deprecated form). Prefer [`EventSet::SEND_FAILED`].
    SEND_FAILED_DEPRECATED = abi::SCTP_SEND_FAILED;
    /// The peer reported an error without ending the association.
    REMOTE_ERROR = abi::SCTP_REMOTE_ERROR;
    /// The peer started an orderly shutdown.
    SHUTDOWN = abi::SCTP_SHUTDOWN_EVENT;
    /// The rest of a partially delivered message was lost.
    PARTIAL_DELIVERY = abi::SCTP_PARTIAL_DELIVERY_EVENT;
    /// The peer announced its adaptation layer.
    ADAPTATION = abi::SCTP_ADAPTATION_INDICATION;
    /// An authentication key was activated or freed, or the peer does not support authentication.
    AUTHENTICATION = abi::SCTP_AUTHENTICATION_EVENT;
    /// Everything sent has been acknowledged.
    SENDER_DRY = abi::SCTP_SENDER_DRY_EVENT;
    /// Streams were reset.
    STREAM_RESET = abi::SCTP_STREAM_RESET_EVENT;
    /// The association's sequence numbers were reset.
    ASSOC_RESET = abi::SCTP_ASSOC_RESET_EVENT;
    /// Streams were added.
    STREAM_CHANGE = abi::SCTP_STREAM_CHANGE_EVENT;
    /// A message could not be delivered.
    SEND_FAILED = abi::SCTP_SEND_FAILED_EVENT;
}

impl EventSet {
    /// Number of types.
    pub(crate) const TYPES: usize = Self::TABLE.len();

    /// The empty set, to which a new socket is subscribed.
    pub const NONE: Self = Self(0);

    /// Returns `true` if this set contains every type of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the types in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the types of this set that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns every type, as a set and as the number of the kernel.
    pub(crate) fn each() -> impl Iterator<Item = (Self, u16)> {
        Self::TABLE.iter().map(|(set, kind, _)| (*set, *kind))
    }

    /// Returns the kernel's numbers of the types in the set.
    pub(crate) fn kinds(self) -> impl Iterator<Item = u16> {
        Self::TABLE
            .iter()
            .filter(move |(set, ..)| self.contains(*set))
            .map(|(_, kind, _)| *kind)
    }
}

impl ops::BitOr for EventSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl ops::Sub for EventSet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.difference(other)
    }
}

impl fmt::Debug for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::TABLE
            .iter()
            .filter(|(set, ..)| self.contains(*set))
            .map(|(.., name)| name);
        f.debug_set()
            .entries(names.map(|name| format_args!("{name}").to_string()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_lists_the_types() {
        let set = EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN;
        assert_eq!(format!("{set:?}"), r#"{"ASSOC_CHANGE", "SHUTDOWN"}"#);
        assert_eq!(set.kinds().collect::<Vec<_>>(), [0x8001, 0x8005]);
    }

    #[test]
    fn all_excludes_deprecated_type() {
        assert_eq!(EventSet::ALL.kinds().count(), 12);
        assert!(!EventSet::ALL.contains(EventSet::SEND_FAILED_DEPRECATED));
    }
}

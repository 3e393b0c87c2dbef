//! Which notifications to receive.

use std::{fmt, ops};

use crate::abi;

/// A set of notification types to subscribe to (`SCTP_EVENT`, RFC 6458 section 6.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventSet(u16);

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:path;)*) => {
        impl EventSet {
            $($(#[$doc])* pub const $name: Self = Self(1 << ($kind - abi::SCTP_ASSOC_CHANGE));)*

            /// Every type that this crate can decode but `SCTP_SEND_FAILED`, which
            /// `SCTP_SEND_FAILED_EVENT` replaces.
            pub const ALL: Self = Self(($(Self::$name.0)|*) & !Self::SEND_FAILED_DEPRECATED.0);

            const TABLE: &'static [(Self, u16, &'static str)] =
                &[$((Self::$name, $kind, stringify!($name)),)*];
        }
    };
}

events! {
    /// The association came up, ended, restarted or could not start.
    ASSOC_CHANGE = abi::SCTP_ASSOC_CHANGE;
    /// A path of a multi-homed peer changed its state.
    PEER_ADDR_CHANGE = abi::SCTP_PEER_ADDR_CHANGE;
    /// A message could not be delivered, in the deprecated form; prefer
    /// [`EventSet::SEND_FAILED`].
    SEND_FAILED_DEPRECATED = abi::SCTP_SEND_FAILED;
    /// The peer reported an error without ending the association.
    REMOTE_ERROR = abi::SCTP_REMOTE_ERROR;
    /// The peer began an orderly shutdown.
    SHUTDOWN = abi::SCTP_SHUTDOWN_EVENT;
    /// The rest of a partly delivered message will never come.
    PARTIAL_DELIVERY = abi::SCTP_PARTIAL_DELIVERY_EVENT;
    /// The peer named its adaptation layer.
    ADAPTATION = abi::SCTP_ADAPTATION_INDICATION;
    /// An authentication key became active or free, or the peer does not authenticate.
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
    /// How many types there are.
    pub(crate) const TYPES: usize = Self::TABLE.len();

    /// No notification at all, as on a fresh socket.
    pub const NONE: Self = Self(0);

    /// Whether every type of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the types that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the types of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Lists every type, each as a set of its own with its number.
    pub(crate) fn each() -> impl Iterator<Item = (Self, u16)> {
        Self::TABLE.iter().map(|(set, kind, _)| (*set, *kind))
    }

    /// Lists the kernel's numbers of the types in the set.
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
    fn names_what_is_in_it() {
        let set = EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN;
        assert_eq!(format!("{set:?}"), r#"{"ASSOC_CHANGE", "SHUTDOWN"}"#);
        assert_eq!(set.kinds().collect::<Vec<_>>(), [0x8001, 0x8005]);
    }

    #[test]
    fn all_leaves_out_the_deprecated_one() {
        assert_eq!(EventSet::ALL.kinds().count(), 12);
        assert!(!EventSet::ALL.contains(EventSet::SEND_FAILED_DEPRECATED));
    }
}

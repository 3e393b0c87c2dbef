//! Sets of notification types.

use std::io;

use bitflags::bitflags;

use crate::abi;

bitflags! {
    /// Set of notification types to subscribe to (`SCTP_EVENT`, RFC 6458 section 6.2.2).
    ///
    /// `all()` has all types that this crate can decode except `SCTP_SEND_FAILED`, which
    /// `SCTP_SEND_FAILED_EVENT` replaces. A new socket is subscribed to none, `empty()`. Sockets refuse
    /// a set with unknown bits, which `from_bits_retain` keeps.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EventSet: u16 {
        /// An association was established, restarted, shut down or lost, or could not be
        /// established.
        const ASSOC_CHANGE = bit(abi::SCTP_ASSOC_CHANGE);
        /// The state of a path changed.
        const PEER_ADDR_CHANGE = bit(abi::SCTP_PEER_ADDR_CHANGE);
        /// The peer reported an error without ending the association.
        const REMOTE_ERROR = bit(abi::SCTP_REMOTE_ERROR);
        /// The peer started an orderly shutdown.
        const SHUTDOWN = bit(abi::SCTP_SHUTDOWN_EVENT);
        /// The rest of a partially delivered message was lost.
        const PARTIAL_DELIVERY = bit(abi::SCTP_PARTIAL_DELIVERY_EVENT);
        /// The peer announced its adaptation layer.
        const ADAPTATION = bit(abi::SCTP_ADAPTATION_INDICATION);
        /// An authentication key was activated or freed, or the peer does not support
        /// authentication.
        const AUTHENTICATION = bit(abi::SCTP_AUTHENTICATION_EVENT);
        /// Everything sent has been acknowledged.
        const SENDER_DRY = bit(abi::SCTP_SENDER_DRY_EVENT);
        /// Streams were reset.
        const STREAM_RESET = bit(abi::SCTP_STREAM_RESET_EVENT);
        /// The association's sequence numbers were reset.
        const ASSOC_RESET = bit(abi::SCTP_ASSOC_RESET_EVENT);
        /// Streams were added.
        const STREAM_CHANGE = bit(abi::SCTP_STREAM_CHANGE_EVENT);
        /// A message could not be delivered.
        const SEND_FAILED = bit(abi::SCTP_SEND_FAILED_EVENT);
    }
}

impl EventSet {
    /// A message could not be delivered (deprecated form). Not in `all()`. Prefer
    /// [`EventSet::SEND_FAILED`].
    pub const SEND_FAILED_DEPRECATED: Self = Self::from_bits_retain(bit(abi::SCTP_SEND_FAILED));

    /// Number of types.
    pub(crate) const TYPES: usize =
        1 + (abi::SCTP_SEND_FAILED_EVENT - abi::SCTP_ASSOC_CHANGE) as usize;

    /// Returns every type, as a set and as the number of the kernel.
    pub(crate) fn each() -> impl Iterator<Item = (Self, u16)> {
        (abi::SCTP_ASSOC_CHANGE..=abi::SCTP_SEND_FAILED_EVENT)
            .map(|kind| (Self::from_bits_retain(bit(kind)), kind))
    }

    /// Returns the kernel's numbers of the types in the set, in ascending order.
    pub(crate) fn kinds(self) -> impl Iterator<Item = u16> {
        Self::each()
            .filter(move |(set, _)| self.contains(*set))
            .map(|(_, kind)| kind)
    }

    /// Checks that all bits are types.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown bit.
    pub(crate) fn check(self) -> io::Result<()> {
        let unknown = self.difference(Self::all() | Self::SEND_FAILED_DEPRECATED);
        if unknown.is_empty() {
            return Ok(());
        }
        let text = format!("no notification has the bits {:#x}", unknown.bits());
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

/// Returns the bit of a type.
const fn bit(kind: u16) -> u16 {
    1 << (kind - abi::SCTP_ASSOC_CHANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_lists_the_types() {
        let set = EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN;
        assert_eq!(format!("{set:?}"), "EventSet(ASSOC_CHANGE | SHUTDOWN)");
        assert_eq!(set.kinds().collect::<Vec<_>>(), [0x8001, 0x8005]);
        let unknown = set | EventSet::from_bits_retain(0x8000);
        assert_eq!(
            format!("{unknown:?}"),
            "EventSet(ASSOC_CHANGE | SHUTDOWN | 0x8000)"
        );
    }

    #[test]
    fn unknown_bits_are_refused() {
        let unknown = EventSet::SHUTDOWN | EventSet::from_bits_retain(0x8000);
        let error = unknown.check().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "no notification has the bits 0x8000");
    }

    #[test]
    fn all_excludes_deprecated_type() {
        assert_eq!(EventSet::all().kinds().count(), 12);
        assert!(!EventSet::all().contains(EventSet::SEND_FAILED_DEPRECATED));
        let both = EventSet::all() | EventSet::SEND_FAILED_DEPRECATED;
        assert_eq!(both.kinds().count(), EventSet::TYPES);
    }

    #[test]
    fn sets_change_by_operators() {
        let mut set = EventSet::SHUTDOWN;
        set |= EventSet::SENDER_DRY;
        set -= EventSet::SHUTDOWN;
        assert_eq!(set, EventSet::SENDER_DRY);
        assert_eq!((!set).iter().count(), 11);
    }
}

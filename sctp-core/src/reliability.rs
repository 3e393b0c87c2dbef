//! Partial reliability (PR-SCTP).

use std::time::Duration;

/// Limits how long the kernel tries to deliver a message (RFC 3758, RFC 7496; `SCTP_PRINFO`, RFC
/// 6458 section 5.3.7).
///
/// A message can be abandoned only if the peer supports PR-SCTP. Otherwise every message is
/// reliable.
///
/// # Reliable messages on the same stream
///
/// Keep partially reliable messages longer than one DATA chunk away from reliable ones: send them
/// on a stream of their own, or [unordered](crate::SendInfo::unordered). After an abandoned long
/// message, a receiving Linux kernel does not deliver the following messages of that ordered
/// stream, not even reliable ones. The sender cannot detect the loss: the peer has acknowledged the
/// messages, and the association can still be shut down gracefully.
///
/// # Reports
///
/// Linux reports an abandoned message by [`SendFailed`](crate::SendFailed) only if its lifetime
/// expired before it was first sent. Messages abandoned later, after their retransmissions or in
/// favor of a more important message, are only counted: see
/// [`Socket::pr_assoc_status`](crate::Socket::pr_assoc_status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reliability {
    /// Retransmits the message until it is acknowledged or the association fails. The default.
    #[default]
    Reliable,
    /// Abandons the message once this much time has passed since the send.
    ///
    /// Millisecond resolution. Values below one millisecond are raised to one, and values above
    /// `u32::MAX` milliseconds are lowered to that.
    Lifetime(Duration),
    /// Abandons the message after this many retransmissions; 0 sends it once.
    ///
    /// With 0, Linux can abandon a message longer than one DATA chunk although no packet was lost.
    Retransmissions(u32),
    /// Abandons messages with a numerically larger value when the send buffer is full, to make room
    /// for this one. 0 is the most important.
    Priority(u32),
}

impl Reliability {
    /// Returns `pr_policy` and `pr_value`, or `None` for a reliable message.
    pub(crate) fn to_prinfo(self) -> Option<(u16, u32)> {
        match self {
            Self::Reliable => None,
            Self::Lifetime(time) => {
                let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
                Some((crate::abi::SCTP_PR_SCTP_TTL, millis.max(1)))
            }
            Self::Retransmissions(count) => Some((crate::abi::SCTP_PR_SCTP_RTX, count)),
            Self::Priority(priority) => Some((crate::abi::SCTP_PR_SCTP_PRIO, priority)),
        }
    }

    /// Converts `pr_policy` and `pr_value`. An unknown policy becomes reliable.
    pub(crate) fn from_prinfo(policy: u16, value: u32) -> Self {
        match policy & crate::abi::SCTP_PR_SCTP_MASK {
            crate::abi::SCTP_PR_SCTP_TTL => Self::Lifetime(Duration::from_millis(value.into())),
            crate::abi::SCTP_PR_SCTP_RTX => Self::Retransmissions(value),
            crate::abi::SCTP_PR_SCTP_PRIO => Self::Priority(value),
            _ => Self::Reliable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_round_trip() {
        for reliability in [
            Reliability::Lifetime(Duration::from_millis(7)),
            Reliability::Retransmissions(0),
            Reliability::Priority(9),
        ] {
            let (policy, value) = reliability.to_prinfo().unwrap();
            assert_eq!(Reliability::from_prinfo(policy, value), reliability);
        }
        assert_eq!(Reliability::Reliable.to_prinfo(), None);
    }

    #[test]
    fn lifetimes_are_clamped_to_kernel_range() {
        assert_eq!(
            Reliability::Lifetime(Duration::ZERO).to_prinfo().unwrap().1,
            1
        );
        assert_eq!(
            Reliability::Lifetime(Duration::MAX).to_prinfo().unwrap().1,
            u32::MAX
        );
    }
}

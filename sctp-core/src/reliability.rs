//! Partial reliability of a message (PR-SCTP).

use std::time::Duration;

/// How long the kernel tries to deliver a message (RFC 3758, RFC 7496; `SCTP_PRINFO`,
/// RFC 6458 section 5.3.7).
///
/// Only a peer that supports PR-SCTP can be told to skip a message; toward any other, every
/// message is reliable.
///
/// # Reliable messages on the same stream
///
/// Keep partially reliable messages longer than one DATA chunk away from reliable ones: send them on
/// a stream of their own, or [unordered](crate::SendInfo::unordered). A receiving Linux kernel does
/// not deliver what follows an abandoned long message on its ordered stream, reliable messages
/// included. The sender cannot tell: the peer has acknowledged them, and the association can still
/// end with an orderly shutdown.
///
/// # Reports
///
/// Linux reports a message that it gave up by [`SendFailed`](crate::SendFailed) only if its
/// lifetime was over before it was sent at all. One given up later, after its retransmissions,
/// or for a more important one is merely counted:
/// [`Socket::pr_assoc_status`](crate::Socket::pr_assoc_status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reliability {
    /// Deliver it, or lose the association (the default).
    #[default]
    Reliable,
    /// Give up when this much time has passed since the send. Millisecond resolution; shorter
    /// than one millisecond becomes one, longer than `u32::MAX` milliseconds becomes that.
    Lifetime(Duration),
    /// Give up after this many retransmissions; 0 sends once.
    ///
    /// With 0, Linux can abandon a message longer than one DATA chunk although no packet was lost.
    Retransmissions(u32),
    /// When the send buffer is full, messages with a numerically larger value are given up to
    /// make room for this one; 0 is the most important.
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

    /// Reads `pr_policy` and `pr_value`; a policy that this crate does not know is reliable.
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
    fn round_trips() {
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
    fn lifetimes_are_clamped_to_what_the_kernel_can_hold() {
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

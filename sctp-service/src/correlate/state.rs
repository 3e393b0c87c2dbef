//! Interface of the correlation methods.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use crate::handle::error::Refusal;

/// Number of a call. Also the context of its message, with which the kernel reports a message that
/// it could not send. 0 is the context of messages that are not calls.
pub(crate) type CallId = u32;

/// Map keyed by the number of a call.
pub(crate) type IdMap<V> = HashMap<CallId, V, BuildHasherDefault<IdHasher>>;

/// The correlation of one association, until the peer restarts. The default methods are those of a
/// correlation that does not depend on streams.
pub(crate) trait CorrelationState: Send {
    /// Gives a call its stream or identifier.
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned;

    /// Classifies a message. Only a call that `is_sent` can have a reply. The call stays in flight
    /// until [`finish`](Self::finish).
    fn classify(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Class;

    /// Forgets a call whose reply arrived, or whose request was never sent.
    fn finish(&mut self, call: CallId, stream: StreamId);

    /// Stops waiting for the reply to a sent call. Returns `false` if no further call can be made.
    fn give_up(&mut self, call: CallId, stream: StreamId) -> bool;

    /// Expects the late reply to a call from before a restart of the peer. Returns `false` if that
    /// reply cannot be mistaken for another.
    fn expect_late(&mut self, call: CallId, stream: StreamId) -> bool;

    /// Returns `true` if the number of calls that are waited for is limited by the correlation.
    fn is_bounded(&self) -> bool {
        false
    }

    /// Checks that the reply to a one-way message would not be taken for that of a call.
    fn check_one_way(&self, message: &Message) -> Result<(), Refusal>;

    /// Adapts to a changed number of streams in both directions.
    fn set_streams(&mut self, _streams: u16) {}
}

/// The result of [`CorrelationState::assign`].
pub(crate) enum Assigned {
    /// The message can be sent.
    Now,
    /// The call waits for a stream.
    Later,
    /// The message can never be sent.
    Never(Refusal),
}

/// The class of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The reply to this call.
    Reply(CallId),
    /// A request or notice of the peer.
    Request,
    /// A reply to no call: late or invalid.
    UnknownReply,
    /// A reply after which replies can no longer be matched with calls.
    Unexpected,
}

/// Hasher for numbers of calls, with one multiplication. This end chooses the numbers.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio; the table uses both ends of the result.
        self.0 = (self.0 ^ u64::from(number))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}

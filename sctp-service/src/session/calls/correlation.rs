//! The interface of both ways to correlate.

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::CallId;
use crate::handle::error::Refusal;

/// The correlation of one association, until the peer restarts.
pub(crate) trait CorrelationState: Send {
    /// Gives a call its stream or identifier.
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned;

    /// Classifies a message. Only a call that `is_sent` can have a reply, and stays under way until
    /// [`finish`](Self::finish).
    fn classify(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Class;

    /// Forgets a call whose reply arrived, or whose request was never sent.
    fn finish(&mut self, call: CallId, stream: StreamId);

    /// Stops waiting for the reply to a sent call. Returns `false` if no further call can be made.
    fn give_up(&mut self, call: CallId, stream: StreamId) -> bool;

    /// Returns `true` if the number of calls that are waited for is limited by the correlation.
    fn is_bounded(&self) -> bool;

    /// Checks that the reply to a one-way message would not be taken for that of a call.
    fn check_one_way(&self, message: &Message) -> Result<(), Refusal>;

    /// Adapts to a changed number of streams in both directions.
    fn set_streams(&mut self, streams: u16);
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
    /// A reply to no call: late or made up.
    UnknownReply,
    /// A reply that shows that replies can no longer be told apart.
    Unexpected,
}

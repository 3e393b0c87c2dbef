//! Correlation of replies with their calls.

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    fmt,
    hash::Hash,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use sctp_tokio::{Message, Received};

use crate::{
    ConnectInfo,
    session::calls::{CallId, CorrelationState, Keyed, Streams},
};

/// The way in which replies find their calls.
///
/// SCTP itself has no request identifier. Replies are recognized either by an identifier in the
/// payload, with a [`Correlator`], or by the stream on which they arrive, with [`ByStream`].
#[derive(Clone)]
pub struct Correlation(Kind);

#[derive(Clone)]
enum Kind {
    ByKey(Arc<dyn Fn(&ConnectInfo) -> Box<dyn CorrelationState> + Send + Sync>),
    ByStream(ByStream),
}

impl Correlation {
    /// Correlates by an identifier in the payload.
    ///
    /// The function makes a correlator for each association, and another when the peer restarts.
    pub fn by_key<C: Correlator>(make: impl Fn(&ConnectInfo) -> C + Send + Sync + 'static) -> Self {
        Self(Kind::ByKey(Arc::new(move |info| {
            Box::new(Keyed::new(make(info)))
        })))
    }

    /// Correlates by stream.
    #[must_use]
    pub fn by_stream(streams: ByStream) -> Self {
        Self(Kind::ByStream(streams))
    }

    pub(crate) fn state(&self, info: &ConnectInfo) -> Box<dyn CorrelationState> {
        match &self.0 {
            Kind::ByKey(make) => make(info),
            Kind::ByStream(settings) => Box::new(Streams::new(settings, info)),
        }
    }
}

impl From<ByStream> for Correlation {
    fn from(streams: ByStream) -> Self {
        Self::by_stream(streams)
    }
}

impl fmt::Debug for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::ByKey(_) => f.write_str("Correlator"),
            Kind::ByStream(settings) => settings.fmt(f),
        }
    }
}

/// Reads and writes the identifier of a message, for protocols that have one: Diameter's
/// hop-by-hop identifier, a transaction id, a sequence number.
///
/// Replies may then arrive in any order and on any stream, and either end of an association may
/// send requests. A request goes out on the stream that its [`Message`] names.
///
/// ```
/// use std::error::Error;
///
/// use sctp_service::{Correlator, Identity, Message, Received, Waiting};
///
/// /// Four bytes of identifier, then a byte whose first bit is set in requests, then the rest.
/// struct Header;
///
/// impl Correlator for Header {
///     type Key = [u8; 4];
///
///     fn stamp(&mut self, number: u32, message: &mut Message)
///     -> Result<[u8; 4], Box<dyn Error + Send + Sync>> {
///         let key = number.to_be_bytes();
///         let mut bytes = Vec::from(message.payload.clone());
///         let id = bytes.get_mut(..4).ok_or("too short for a header")?;
///         id.copy_from_slice(&key);
///         message.payload = bytes.into();
///         Ok(key)
///     }
///
///     fn identify(&mut self, received: &Received, _: Waiting<'_, [u8; 4]>) -> Identity<[u8; 4]> {
///         match received.payload.first_chunk() {
///             Some(&[a, b, c, d, flags]) if flags & 0x80 == 0 => Identity::Reply([a, b, c, d]),
///             _ => Identity::Request,
///         }
///     }
/// }
/// ```
pub trait Correlator: Send + 'static {
    /// The identifier that a request and its reply have in common.
    type Key: Clone + Eq + Hash + Send + 'static;

    /// Writes an identifier into a request, or reads the one that is there, and returns it.
    ///
    /// `number` is different for each call of an association or client, until 4 billion calls
    /// later: the simplest identifier. The method may also choose the stream and the PPID of the
    /// message. A key that an unfinished call already has is refused.
    ///
    /// # Errors
    ///
    /// Returns the reason that the message cannot be a request. The call fails with
    /// [`Refusal::Correlator`](crate::Refusal::Correlator).
    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<Self::Key, Box<dyn Error + Send + Sync>>;

    /// Determines if a message is a request of the peer or a reply to a call.
    ///
    /// `waiting` lists the calls that have no reply yet, for replies that carry no identifier. A
    /// reply with the key of no call is late or made up: it is counted, logged at a limited rate,
    /// and discarded.
    fn identify(
        &mut self,
        received: &Received,
        waiting: Waiting<'_, Self::Key>,
    ) -> Identity<Self::Key>;
}

/// The result of [`Correlator::identify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity<K> {
    /// The message is a request of the peer, or a notice that needs no reply.
    Request,
    /// The message is the reply to the call with this key.
    Reply(K),
}

/// The calls that have no reply yet.
pub struct Waiting<'a, K> {
    calls: &'a HashMap<K, CallId>,
    order: &'a VecDeque<(CallId, K)>,
}

impl<'a, K: Eq + Hash> Waiting<'a, K> {
    /// The front of `order` must be a call in `calls`.
    pub(crate) fn new(calls: &'a HashMap<K, CallId>, order: &'a VecDeque<(CallId, K)>) -> Self {
        Self { calls, order }
    }

    /// Returns `true` if a call with this key has no reply yet.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.calls.contains_key(key)
    }

    /// Returns the key of the call that was made first.
    #[must_use]
    pub fn oldest(&self) -> Option<&'a K> {
        self.order.front().map(|(_, key)| key)
    }

    /// Returns the number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns `true` if there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}

impl<K> Clone for Waiting<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Waiting<'_, K> {}

impl<K> fmt::Debug for Waiting<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("len", &self.calls.len())
            .finish_non_exhaustive()
    }
}

/// Correlation by stream: each call has a stream to itself, and its reply arrives on that stream.
///
/// Nothing is added to the payload, and no call waits for the reply to another. The peer must
/// answer each message with one message, on the stream on which it arrived. Servers of this crate
/// do, unless a handler chooses another stream.
///
/// # Streams
///
/// Calls use the streams that exist in both directions, except stream 0, unless
/// [`on`](Self::on) names others. The message of a call is sent on a stream that is chosen for it,
/// ordered, whatever its `SendInfo` says. If both ends make calls, they must use different streams:
/// a message on a stream for calls is a reply, on any other stream a request.
///
/// With the default streams and only one stream negotiated, calls use that one. One-way messages
/// then must be ones that the peer does not answer, and an unsolicited message is taken for a reply.
///
/// # More calls than streams
///
/// Calls wait for a free stream in order. With a [depth](Self::with_depth) above 1 a stream
/// carries several calls at once, and the peer must answer them in order.
///
/// # Unexpected messages
///
/// A message on a stream for calls that has no call under way is a second reply, or the reply to a
/// call on another stream. Replies can no longer be told apart, so the association is aborted with
/// the reason `unexpected reply`, and its calls fail with
/// [`Cause::Uncorrelated`](crate::Cause::Uncorrelated). Streams are used in turn, so that an
/// unexpected message is likely to arrive on an idle one. One that arrives on a busy stream is
/// taken for the reply; to detect it, a protocol needs an identifier and a [`Correlator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStream {
    /// `None` for the default: all but stream 0, or all if there is no other.
    streams: Option<(u16, u16)>,
    depth: usize,
    strict: bool,
}

impl Default for ByStream {
    fn default() -> Self {
        Self {
            streams: None,
            depth: 1,
            strict: true,
        }
    }
}

impl ByStream {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses these streams for calls.
    ///
    /// Streams that were not negotiated in both directions are left out. If none is left, calls
    /// fail with [`Refusal::NoCallStream`](crate::Refusal::NoCallStream).
    #[must_use]
    pub fn on(streams: impl RangeBounds<u16>) -> Self {
        let first = match streams.start_bound() {
            Bound::Included(&first) => Some(first),
            Bound::Excluded(&before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match streams.end_bound() {
            Bound::Included(&last) => Some(last),
            Bound::Excluded(&end) => end.checked_sub(1),
            Bound::Unbounded => Some(u16::MAX),
        };
        // An empty range holds no stream, wherever it is.
        let streams = first.zip(last).unwrap_or((1, 0));
        Self {
            streams: Some(streams),
            ..Self::default()
        }
    }

    /// Sets the maximum number of calls under way on one stream, at least 1.
    ///
    /// Defaults to 1, which works even if the peer answers the calls of one stream out of order.
    /// More is faster where there are few streams; a missing reply then delays the calls behind it.
    #[must_use]
    pub fn with_depth(mut self, calls: usize) -> Self {
        self.depth = calls;
        self
    }

    /// Sets if an unexpected message on a stream for calls aborts the association.
    ///
    /// Defaults to `true`. Otherwise such a message is treated as a request of the peer, and a
    /// second reply goes unnoticed.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Returns the first stream for calls and their number.
    pub(crate) fn range(&self, negotiated: u16) -> (u16, u16) {
        let (first, last) = match self.streams {
            Some(streams) => streams,
            None if negotiated > 1 => (1, u16::MAX),
            None => (0, u16::MAX),
        };
        let end = last.saturating_add(1).min(negotiated);
        (first, end.saturating_sub(first))
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth.max(1)
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_streams_are_those_of_the_range_that_exist() {
        for (streams, negotiated, expected) in [
            (ByStream::new(), 128, (1, 127)),
            (ByStream::new(), 1, (0, 1)),
            (ByStream::on(..), 10, (0, 10)),
            (ByStream::on(2..), 10, (2, 8)),
            (ByStream::on(2..5), 10, (2, 3)),
            (ByStream::on(2..=5), 4, (2, 2)),
            (ByStream::on(20..30), 10, (20, 0)),
            (ByStream::on(5..5), 10, (5, 0)),
            (ByStream::on(..0), 10, (1, 0)),
            (ByStream::on(..=u16::MAX), u16::MAX, (0, u16::MAX)),
        ] {
            assert_eq!(streams.range(negotiated), expected, "{streams:?}");
        }
    }
}

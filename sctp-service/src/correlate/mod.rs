//! Correlation of replies with their calls.

mod by_stream;
mod keyed;
mod placeholder;
mod state;

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    fmt,
    hash::Hash,
    sync::Arc,
};

use sctp_tokio::{Message, Received};

pub use self::by_stream::ByStream;
pub(crate) use self::placeholder::Placeholder;
pub(crate) use self::state::{Assigned, CallId, Class, CorrelationState, IdMap};
use self::{by_stream::Streams, keyed::Keyed};
use crate::ConnectInfo;

/// Method of matching replies with calls.
///
/// SCTP itself has no request identifier. Replies are recognized either by an identifier in the
/// payload, with a [`Correlator`], or by the stream on which they arrive, with [`ByStream`].
#[derive(Clone)]
pub struct Correlation(Kind);

type MakeState = dyn Fn(&ConnectInfo) -> Box<dyn CorrelationState> + Send + Sync;

#[derive(Clone)]
enum Kind {
    ByKey(Arc<MakeState>),
    ByStream(ByStream),
}

impl Correlation {
    /// Correlates by an identifier in the payload.
    ///
    /// The function makes a correlator for each association, and another when the peer restarts. A
    /// reply to a call from before the restart may still arrive, so identifiers should not be
    /// reused after it. The numbers passed to [`Correlator::stamp`] do not restart.
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
/// send requests. A request is sent on the stream of its [`Message`].
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

    /// Writes an identifier into a request, or reads the existing one, and returns it.
    ///
    /// `number` is unique for each call of an association or client until it wraps after 2³² calls,
    /// and can serve as the identifier. The method may also set the stream and the PPID of the
    /// message. A key that an unfinished call already has is refused.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be sent as a request. The call fails with
    /// [`Refusal::Correlator`](crate::Refusal::Correlator).
    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<Self::Key, Box<dyn Error + Send + Sync>>;

    /// Determines if a message is a request of the peer or a reply to a call.
    ///
    /// `waiting` lists the calls without a reply, for replies that carry no identifier. A reply
    /// whose key belongs to no call is late or invalid: it is counted, logged at a limited rate,
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

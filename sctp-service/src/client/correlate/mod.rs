//! Which reply belongs to which call.

mod keyed;
mod streams;

use std::{fmt, hash::Hash, sync::Arc};

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use self::keyed::Keyed;
pub use self::streams::ByStream;
use super::error::Refusal;

/// Takes the identifier of a call from its payload, for protocols that have one: Diameter's
/// hop-by-hop identifier, a transaction id, a sequence number.
///
/// With it, replies may come in any order and on any stream, and server push and requests of the
/// peer's are told from replies. A request goes out on the stream that its
/// [`Message`] names.
///
/// ```
/// use sctp_service::{Message, Received, client::Correlator};
/// use std::error::Error;
///
/// /// Four bytes of identifier, the first bit of the next byte for requests, then the rest.
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
///     fn identify(&mut self, received: &Received) -> Option<[u8; 4]> {
///         let is_request = received.payload.get(4)? & 0x80 != 0;
///         let key = received.payload.get(..4)?.try_into().ok()?;
///         (!is_request).then_some(key)
///     }
/// }
/// ```
pub trait Correlator: Send + 'static {
    /// What a request and its reply have in common.
    type Key: Clone + Eq + Hash + Send + 'static;

    /// Puts an identifier into a request, or reads the one that is there, and returns it.
    ///
    /// `number` is one that no other call of this client had, until 4 billion calls later: the
    /// simplest identifier. A key that an unfinished call has already is refused, as is an
    /// `Err`: [`Refusal::Correlator`].
    ///
    /// # Errors
    ///
    /// Why the message cannot be a request.
    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<Self::Key, Box<dyn std::error::Error + Send + Sync>>;

    /// Reads the identifier of a reply. `None` for what is no reply: it goes to
    /// [`Pushes`](super::Pushes). A reply whose identifier no call has is late or made up, and
    /// is discarded; a warning in the log tells, every ten seconds at most.
    fn identify(&mut self, received: &Received) -> Option<Self::Key>;
}

/// Numbers a call of a client; also the context of its message, by which the kernel names it
/// when it could not be sent.
pub(super) type CallId = u32;

/// Whether a call can go out now.
pub(super) enum Assigned {
    Now,
    Later,
    Never(Refusal),
}

/// What an incoming message is.
pub(super) enum Found {
    /// The reply to this call, if anybody still waits for it.
    Reply(CallId),
    /// A message that nobody asked for.
    Push,
    /// A reply that nobody waits for any more.
    Late,
    /// It can be nothing: replies can no longer be told apart.
    Stray,
}

/// Which reply belongs to which call, within one association.
pub(super) trait Correlation: Send {
    /// Gives a call its place, and makes its message ready to go out.
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned;

    /// Tells what a message is, and finishes the call of a reply. Only a call that `is_sent` can
    /// have a reply.
    fn find(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Found;

    /// The request of a call never went out on this stream: no reply will come.
    fn withdraw(&mut self, call: CallId, stream: StreamId);

    /// The reply to a call is no longer waited for. Answers whether there still is a way to
    /// make calls.
    fn give_up(&mut self, call: CallId, stream: StreamId) -> bool;

    /// Whether it allows only so many calls to be under way, with those given up.
    fn is_bounded(&self) -> bool;

    /// Whether a one-way message may go out as it is.
    fn check_one_way(&self, message: &Message) -> Result<(), Refusal>;

    /// There are more streams now.
    fn set_streams(&mut self, streams: u16);
}

/// Makes the correlation of each association, given its number of streams.
#[derive(Clone)]
pub(super) struct Factory {
    make: Arc<dyn Fn(u16) -> Box<dyn Correlation> + Send + Sync>,
    /// `None` for a correlator.
    by_stream: Option<ByStream>,
}

impl Factory {
    pub(super) fn by_stream(settings: ByStream) -> Self {
        Self {
            make: Arc::new(move |streams| Box::new(settings.correlation(streams))),
            by_stream: Some(settings),
        }
    }

    pub(super) fn keyed<C: Correlator>(make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(move |_| Box::new(Keyed::new(make()))),
            by_stream: None,
        }
    }

    pub(super) fn make(&self, streams: u16) -> Box<dyn Correlation> {
        (self.make)(streams)
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by_stream {
            Some(settings) => settings.fmt(f),
            None => f.write_str("Correlator"),
        }
    }
}

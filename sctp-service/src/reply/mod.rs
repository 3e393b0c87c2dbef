//! Replies of a service.

mod channel;
mod into_reply;
mod message;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use sctp_tokio::Received;

pub use channel::{ReplyClosed, ReplySender};
pub use into_reply::{IntoReply, ReplyPart, Unordered};
pub use message::{ReplyInfo, ReplyMessage};

use crate::{Request, Shutdown};

/// Further messages of a reply. An error closes the association.
pub(crate) type ReplyStream = Pin<Box<dyn Stream<Item = Result<ReplyMessage, Shutdown>> + Send>>;

/// Reply of a service: any number of messages, and optionally the shutdown of the association.
///
/// Most handlers do not use this type directly: their results are converted with [`IntoReply`].
///
/// ```
/// use sctp_service::{Message, Reply, Shutdown};
///
/// let none = Reply::none();
/// let one = Reply::new("pong"); // on the request's stream, with its PPID
/// let two = Reply::new("part 1").with_message("part 2");
/// let elsewhere = Reply::new(Message::new("hello").on_stream(7));
/// let last = Reply::new("goodbye").with_shutdown(Shutdown::AfterAck);
/// let last_but_finish = Reply::new("no more requests").then_drain();
/// # let _ = (none, one, two, elsewhere, last, last_but_finish);
/// ```
///
/// # Destination
///
/// A payload (`Bytes`, `&'static str`, `String`, `Vec<u8>`) is sent on the stream of the request,
/// with the same payload protocol identifier and ordering. A [`Message`](crate::Message) is sent
/// according to its own `SendInfo`. A [`ReplyInfo`] sets single fields, as does a tuple such as
/// `(Ppid, T)`: see [`IntoReply`].
///
/// The two directions can have different numbers of streams. Linux asks for 10 outbound streams by
/// default, and [`SocketBuilder`](sctp_tokio::SocketBuilder) for 128, unless
/// [`InitMsg`](sctp_tokio::options::InitMsg) is set. If the stream of the request does not exist in
/// the direction of the reply, the reply is sent on stream 0, unless
/// [`Config::reply_stream`](crate::Config::reply_stream) is set otherwise. If a handler chooses a
/// stream that does not exist, the association is aborted with the reason `no stream to reply on`.
#[derive(Default)]
#[must_use = "a reply is sent only if the service returns it"]
pub struct Reply {
    first: Option<ReplyMessage>,
    rest: Vec<ReplyMessage>,
    stream: Option<ReplyStream>,
    ending: Option<Ending>,
}

/// End of the association that a reply requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Requests that have arrived are served first, and so are calls in flight.
    Drain,
    Shutdown(Shutdown),
    /// No ending; the request is reported as not served.
    Unserved(Box<Unserved>),
}

/// A request that a service did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unserved {
    pub(crate) received: Received,
    pub(crate) reason: &'static str,
}

impl Reply {
    /// Creates a reply without messages, which leaves the association open.
    pub const fn none() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
            stream: None,
            ending: None,
        }
    }

    /// Creates a reply with one message.
    pub fn new(message: impl Into<ReplyMessage>) -> Self {
        Self {
            first: Some(message.into()),
            ..Self::none()
        }
    }

    /// Creates a reply from a stream of messages, each sent as it becomes available.
    ///
    /// The request is in flight until the stream ends, so the next request on the same SCTP stream
    /// waits unless requests are [unordered](crate::RequestOrder::Unordered). The stream is polled
    /// only while the [reply queue](crate::Config::reply_queue) has room, and is dropped when the
    /// association closes.
    pub fn stream<S>(messages: S) -> Self
    where
        S: Stream<Item: Into<ReplyMessage>> + Send + 'static,
    {
        Self {
            stream: Some(Box::pin(message::Infallible { inner: messages })),
            ..Self::none()
        }
    }

    /// Creates a reply from a stream of messages that may close the association: the first `Err`
    /// ends the reply with its [`Shutdown`].
    pub fn try_stream<S, M>(messages: S) -> Self
    where
        S: Stream<Item = Result<M, Shutdown>> + Send + 'static,
        M: Into<ReplyMessage>,
    {
        Self {
            stream: Some(Box::pin(message::Fallible { inner: messages })),
            ..Self::none()
        }
    }

    /// Creates a reply from a channel that holds up to `capacity` messages, at least 1.
    ///
    /// For handlers whose reply is sent by another task: return the reply, and pass the sender to
    /// the task. The request is in flight until the last sender is dropped.
    #[must_use = "the reply must be returned, and the sender used"]
    pub fn channel(capacity: usize) -> (ReplySender, Self) {
        let (sender, stream) = channel::channel(capacity);
        (
            sender,
            Self {
                stream: Some(Box::pin(stream)),
                ..Self::none()
            },
        )
    }

    /// Adds a message after the existing ones, and before a stream.
    ///
    /// If the reply has a [`Shutdown::Abort`], the message is discarded: see
    /// [`with_shutdown`](Self::with_shutdown).
    pub fn with_message(mut self, message: impl Into<ReplyMessage>) -> Self {
        if self.is_abort() {
            return self;
        }
        match self.first {
            None => self.first = Some(message.into()),
            Some(_) => self.rest.push(message.into()),
        }
        self
    }

    /// Closes the association after this reply. Requests in flight are dropped.
    ///
    /// Replaces an earlier shutdown or [drain](Self::then_drain).
    ///
    /// With [`Shutdown::Abort`] the messages of the reply are **discarded**: an ABORT discards
    /// unsent data, so it would be a race whether they reach the peer. To send a message first, use
    /// [`Shutdown::AfterAck`], or put the text into the reason.
    pub fn with_shutdown(mut self, shutdown: Shutdown) -> Self {
        if shutdown.is_abort() {
            self = Self::none();
        }
        self.ending = Some(Ending::Shutdown(shutdown));
        self
    }

    /// Drains the association after this reply, as
    /// [`AssociationHandle::graceful_shutdown`](crate::AssociationHandle::graceful_shutdown) does.
    ///
    /// Requests that have arrived are served, requests and calls in flight finish, and then the
    /// association is shut down. After [`Config::drain_timeout`](crate::Config::drain_timeout) it
    /// is aborted with the reason `drain timed out`. This corresponds to GOAWAY in HTTP/2.
    ///
    /// Has no effect on a reply with a [shutdown](Self::with_shutdown).
    pub fn then_drain(mut self) -> Self {
        self.ending.get_or_insert(Ending::Drain);
        self
    }

    /// Creates a reply that returns an unserved request, for this reason.
    pub(crate) fn unserved(request: Request, reason: &'static str) -> Self {
        let (parts, payload) = request.into_parts();
        let received = Received::new(payload, parts.info);
        Self {
            ending: Some(Ending::Unserved(Box::new(Unserved { received, reason }))),
            ..Self::none()
        }
    }

    /// Changes the destination of each message, those of a stream included.
    pub(crate) fn map_info(mut self, change: impl Fn(&mut ReplyInfo) + Send + 'static) -> Self {
        for message in self.first.iter_mut().chain(&mut self.rest) {
            change(&mut message.info);
        }
        self.map_stream(|inner| Box::pin(message::Changed { inner, change }))
    }

    /// Returns the messages in order, without those of a stream.
    pub fn messages(&self) -> impl Iterator<Item = &ReplyMessage> {
        self.first.iter().chain(&self.rest)
    }

    /// Returns `true` if further messages come from a stream.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// Returns the shutdown that follows this reply, if one does.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        match &self.ending {
            Some(Ending::Shutdown(shutdown)) => Some(shutdown),
            _ => None,
        }
    }

    /// Returns `true` if the association is [drained](Self::then_drain) after this reply.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.ending == Some(Ending::Drain)
    }

    fn is_abort(&self) -> bool {
        self.shutdown().is_some_and(Shutdown::is_abort)
    }

    /// Wraps the stream, if there is one.
    pub(crate) fn map_stream(mut self, map: impl FnOnce(ReplyStream) -> ReplyStream) -> Self {
        self.stream = self.stream.map(map);
        self
    }

    /// Takes the reply apart for the session.
    pub(crate) fn into_parts(self) -> ReplyParts {
        ReplyParts {
            first: self.first,
            rest: self.rest,
            stream: self.stream,
            ending: self.ending,
        }
    }
}

/// Parts of a reply. The first message is stored inline, so that a reply with one message needs no
/// allocation.
pub(crate) struct ReplyParts {
    pub(crate) first: Option<ReplyMessage>,
    pub(crate) rest: Vec<ReplyMessage>,
    pub(crate) stream: Option<ReplyStream>,
    pub(crate) ending: Option<Ending>,
}

impl<M: Into<ReplyMessage>> FromIterator<M> for Reply {
    fn from_iter<I: IntoIterator<Item = M>>(messages: I) -> Self {
        let mut messages = messages.into_iter().map(Into::into);
        Self {
            first: messages.next(),
            rest: messages.collect(),
            ..Self::none()
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("messages", &self.messages().collect::<Vec<_>>())
            .field("streaming", &self.is_streaming())
            .field("ending", &self.ending)
            .finish()
    }
}

/// Polls the next message of a stream.
pub(crate) fn poll_next(
    stream: &mut ReplyStream,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<ReplyMessage, Shutdown>>> {
    stream.as_mut().poll_next(cx)
}

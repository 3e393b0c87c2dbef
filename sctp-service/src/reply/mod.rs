//! What a service answers with.

mod channel;
mod into_reply;
mod message;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

pub use channel::{ReplyClosed, ReplySender};
pub use into_reply::IntoReply;
pub use message::ReplyMessage;

use crate::Shutdown;

/// The rest of a reply, one message after the other; an error ends the association.
pub(crate) type ReplyStream = Pin<Box<dyn Stream<Item = Result<ReplyMessage, Shutdown>> + Send>>;

/// What a service answers with: any number of messages, sent in order, and then perhaps a
/// [`Shutdown`].
///
/// Most handlers never name it: they return what they have, and [`IntoReply`] makes a reply of
/// it.
///
/// ```
/// use sctp_service::{Message, Reply, Shutdown};
///
/// let none = Reply::none();
/// let one = Reply::new("pong"); // on the request's stream, with its PPID
/// let two = Reply::new("part 1").with_message("part 2");
/// let elsewhere = Reply::new(Message::new("hello").on_stream(7));
/// let last = Reply::new("goodbye").with_shutdown(Shutdown::AfterAck);
/// # let _ = (none, one, two, elsewhere, last);
/// ```
///
/// # Where messages go
///
/// A payload (`Bytes`, `&'static str`, `String`, `Vec<u8>`) goes out on the stream that the
/// request came on, with its payload protocol identifier, ordered or not as it was. The two
/// directions are negotiated apart: a peer can have more streams than there are to answer on
/// (Linux asks for 10, [`SocketBuilder`](sctp_tokio::SocketBuilder) for 128, unless
/// [`InitMsg`](sctp_tokio::options::InitMsg) says otherwise). A reply then goes out on stream 0, unless
/// [`Config::reply_stream`](crate::Config::reply_stream) says otherwise. A
/// [`Message`](crate::Message) goes where its own `SendInfo` says; a stream that does not exist aborts
/// the association with the reason `no stream to reply on`. Payloads are resolved by the
/// driver, which still has the request: had [`IntoReply`] to do it, every layer that makes up a
/// reply (on a timeout, say) would have to keep a part of the request until then.
#[derive(Default)]
#[must_use = "a reply is sent only if the service returns it"]
pub struct Reply {
    first: Option<ReplyMessage>,
    rest: Vec<ReplyMessage>,
    stream: Option<ReplyStream>,
    shutdown: Option<Shutdown>,
}

impl Reply {
    /// Answers nothing, and lets the association live on.
    pub const fn none() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
            stream: None,
            shutdown: None,
        }
    }

    /// Answers one message.
    pub fn new(message: impl Into<ReplyMessage>) -> Self {
        Self {
            first: Some(message.into()),
            ..Self::none()
        }
    }

    /// Answers with a stream of messages, sent as they come.
    ///
    /// The call lasts until the stream ends: it counts as in flight, and where requests of a
    /// stream are served in order, the next one waits for it. The stream is polled only while
    /// the send queue has room, so it needs no bound of its own. It is dropped when the
    /// association ends.
    pub fn stream<S>(messages: S) -> Self
    where
        S: Stream<Item: Into<ReplyMessage>> + Send + 'static,
    {
        Self {
            stream: Some(Box::pin(message::Infallible { inner: messages })),
            ..Self::none()
        }
    }

    /// Answers with a stream of messages that may end the association: the first `Err` is the
    /// reply's last item and its [`Shutdown`].
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

    /// Answers with what is pushed into a channel that holds up to `capacity` messages, at
    /// least 1.
    ///
    /// For handlers that hand the answering to a task: return the reply, keep the sender. The
    /// call lasts until the last sender is dropped.
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

    /// Adds a message behind those that are there, and before a stream if there is one.
    ///
    /// On a reply that ends with [`Shutdown::Abort`] it is discarded: see
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

    /// Ends the association after this reply; the last one set holds.
    ///
    /// With [`Shutdown::Abort`] the reply's messages are **discarded here**. An ABORT discards
    /// what is unsent, so whether they went out would be a race; a reply that cannot be relied
    /// on is better not sent. To say something first, use [`Shutdown::AfterAck`], or put it
    /// into the reason.
    pub fn with_shutdown(mut self, shutdown: Shutdown) -> Self {
        if shutdown.is_abort() {
            self = Self::none();
        }
        self.shutdown = Some(shutdown);
        self
    }

    /// Returns the messages that are known already, in order; those of a stream are not.
    pub fn messages(&self) -> impl Iterator<Item = &ReplyMessage> {
        self.first.iter().chain(&self.rest)
    }

    /// Whether more messages come from a stream.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// Returns how the association ends after this reply, if it does.
    #[must_use]
    pub fn shutdown(&self) -> Option<&Shutdown> {
        self.shutdown.as_ref()
    }

    fn is_abort(&self) -> bool {
        self.shutdown.as_ref().is_some_and(Shutdown::is_abort)
    }

    /// Puts something around the stream, if there is one.
    pub(crate) fn map_stream(mut self, map: impl FnOnce(ReplyStream) -> ReplyStream) -> Self {
        self.stream = self.stream.map(map);
        self
    }

    /// Takes it apart for the driver.
    pub(crate) fn into_parts(self) -> ReplyParts {
        ReplyParts {
            first: self.first,
            rest: self.rest,
            stream: self.stream,
            shutdown: self.shutdown,
        }
    }
}

/// A reply taken apart. Its first message has its place in the struct, so that the common reply
/// needs no allocation.
pub(crate) struct ReplyParts {
    pub(crate) first: Option<ReplyMessage>,
    pub(crate) rest: Vec<ReplyMessage>,
    pub(crate) stream: Option<ReplyStream>,
    pub(crate) shutdown: Option<Shutdown>,
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
            .field("shutdown", &self.shutdown)
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

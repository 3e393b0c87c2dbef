//! Conversion of a handler's result into a reply.

use std::{borrow::Cow, convert::Infallible};

use bytes::{Bytes, BytesMut};
use sctp_core::{AbortReason, Ppid, Reliability, StreamId};
use sctp_tokio::Message;

use super::{Reply, ReplyInfo, ReplyMessage};
use crate::{Shutdown, sealed::Sealed};

/// Converts the result of a handler into a [`Reply`].
///
/// | result | sent |
/// |---|---|
/// | `()` | nothing |
/// | `Bytes`, `BytesMut`, `Vec<u8>`, `Box<[u8]>`, `&'static [u8]`, `&'static [u8; N]` | one message on the request's stream, with its PPID |
/// | `String`, `Box<str>`, `&'static str`, `Cow<'static, str>` | the same |
/// | [`Message`] | one message, to its own destination |
/// | `Vec<M>`, `[M; N]` of the above | several, in order |
/// | `(Ppid, T)`, `(StreamId, T)`, `(Unordered, T)`, `(Reliability, T)` | the messages of `T`, with this changed |
/// | `(A, B, T)`, `(A, B, C, T)` | the messages of `T`, changed by several of the above |
/// | [`Shutdown`], [`AbortReason`] | nothing; the association is closed |
/// | `(T, Shutdown)`, `(T, Option<Shutdown>)` | the messages of `T`; then the association is closed, unless the option is `None` |
/// | `Option<T>` | the messages of `T`, or nothing |
/// | `Result<T, E>` | the messages of `T` or `E` |
/// | [`Reply`] | the reply itself |
///
/// To reply with the items of an iterator, collect it: `messages.collect::<Reply>()`.
///
/// ```
/// use sctp_service::{IntoReply, Payload, Ppid, StreamId};
///
/// /// Replies to S1AP with NGAP, on the stream of the request.
/// async fn translate(Payload(s1ap): Payload) -> impl IntoReply {
///     (Ppid::NGAP, s1ap)
/// }
///
/// /// Replies to the request, and sends a notice on stream 1.
/// async fn two_streams() -> impl IntoReply {
///     [(StreamId::new(0), "done"), (StreamId::new(1), "a notice")]
/// }
/// # let _ = sctp_service::handler::handler_fn(translate);
/// # let _ = sctp_service::handler::handler_fn(two_streams);
/// ```
///
/// Implement it for your own errors, to decide in one place what the peer receives:
///
/// ```
/// use sctp_service::{IntoReply, Reply, Shutdown};
///
/// enum Refused {
///     UnknownSubscriber,
///     Database(std::io::Error),
/// }
///
/// impl IntoReply for Refused {
///     fn into_reply(self) -> Reply {
///         match self {
///             Self::UnknownSubscriber => "unknown subscriber".into_reply(),
///             Self::Database(_) => Shutdown::abort("internal error").into_reply(),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a reply",
    label = "not a reply",
    note = "return `()`, `Bytes`, `String`, `Message`, `Shutdown`, `(reply, Shutdown)`, `Option`, `Result` or `Reply`",
    note = "or implement `IntoReply` for `{Self}`"
)]
pub trait IntoReply {
    /// Converts the value.
    fn into_reply(self) -> Reply;
}

/// Change of the destination of a reply, as the first part of a tuple.
///
/// Applies to all messages of the reply in the tuple, including those with their own destination.
/// The trait cannot be implemented outside of this crate.
pub trait ReplyPart: Copy + Send + 'static {
    /// Changes the destination of one message.
    #[doc(hidden)]
    fn apply(self, info: &mut ReplyInfo, _: Sealed);
}

/// Delivery of a reply outside the order of its stream: `(Unordered, T)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Unordered;

impl IntoReply for Reply {
    fn into_reply(self) -> Reply {
        self
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Reply {
        Reply::none()
    }
}

impl IntoReply for Infallible {
    fn into_reply(self) -> Reply {
        match self {}
    }
}

impl IntoReply for Shutdown {
    fn into_reply(self) -> Reply {
        Reply::none().with_shutdown(self)
    }
}

impl IntoReply for AbortReason {
    fn into_reply(self) -> Reply {
        Shutdown::Abort(self).into_reply()
    }
}

macro_rules! one_message {
    ($($message:ty),*) => {$(
        impl IntoReply for $message {
            fn into_reply(self) -> Reply {
                Reply::new(self)
            }
        }
    )*};
}

one_message!(
    Bytes,
    BytesMut,
    &'static str,
    &'static [u8],
    String,
    Vec<u8>,
    Box<[u8]>,
    Box<str>,
    Cow<'static, str>,
    Cow<'static, [u8]>,
    Message,
    ReplyMessage
);

impl<const N: usize> IntoReply for &'static [u8; N] {
    fn into_reply(self) -> Reply {
        Reply::new(self)
    }
}

macro_rules! parts {
    ($($part:ty => |$value:ident, $info:ident| $change:expr;)*) => {$(
        impl ReplyPart for $part {
            fn apply(self, $info: &mut ReplyInfo, _: Sealed) {
                let $value = self;
                $change;
            }
        }

        impl<T: IntoReply> IntoReply for ($part, T) {
            fn into_reply(self) -> Reply {
                changed(self.1, self.0)
            }
        }

        impl<M: Into<ReplyMessage>> From<($part, M)> for ReplyMessage {
            fn from((part, message): ($part, M)) -> Self {
                let mut message = message.into();
                part.apply(&mut message.info, Sealed(()));
                message
            }
        }
    )*};
}

parts! {
    Ppid => |ppid, info| info.ppid = Some(ppid);
    StreamId => |stream, info| info.stream = Some(stream);
    Unordered => |_unordered, info| info.unordered = Some(true);
    Reliability => |reliability, info| info.reliability = reliability;
}

fn changed(reply: impl IntoReply, part: impl ReplyPart) -> Reply {
    reply
        .into_reply()
        .map_info(move |info| part.apply(info, Sealed(())))
}

impl<A: ReplyPart, B: ReplyPart, T: IntoReply> IntoReply for (A, B, T) {
    fn into_reply(self) -> Reply {
        let (a, b, reply) = self;
        changed(changed(reply, b), a)
    }
}

impl<A: ReplyPart, B: ReplyPart, C: ReplyPart, T: IntoReply> IntoReply for (A, B, C, T) {
    fn into_reply(self) -> Reply {
        let (a, b, c, reply) = self;
        changed((b, c, reply), a)
    }
}

impl<M: Into<ReplyMessage>> IntoReply for Vec<M> {
    fn into_reply(self) -> Reply {
        self.into_iter().collect()
    }
}

impl<M: Into<ReplyMessage>, const N: usize> IntoReply for [M; N] {
    fn into_reply(self) -> Reply {
        self.into_iter().collect()
    }
}

/// `(reply, Shutdown)`, and `(reply, Option<Shutdown>)` for handlers that close the association
/// only sometimes.
impl<T: IntoReply, S: Into<Option<Shutdown>>> IntoReply for (T, S) {
    fn into_reply(self) -> Reply {
        let (reply, shutdown) = (self.0.into_reply(), self.1.into());
        match shutdown {
            Some(shutdown) => reply.with_shutdown(shutdown),
            None => reply,
        }
    }
}

impl<T: IntoReply> IntoReply for Option<T> {
    fn into_reply(self) -> Reply {
        self.map_or_else(Reply::none, T::into_reply)
    }
}

impl<T: IntoReply, E: IntoReply> IntoReply for Result<T, E> {
    fn into_reply(self) -> Reply {
        match self {
            Ok(reply) => reply.into_reply(),
            Err(reply) => reply.into_reply(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(reply: &Reply) -> Vec<&[u8]> {
        reply
            .messages()
            .map(|message| &message.payload[..])
            .collect()
    }

    #[test]
    fn payload_takes_its_destination_from_the_request() {
        let reply = "pong".into_reply();
        assert_eq!(payloads(&reply), [b"pong"]);
        assert!(
            reply
                .messages()
                .all(|message| message.info == ReplyInfo::default())
        );
    }

    #[test]
    fn message_keeps_its_destination() {
        let reply = Message::new("pong").on_stream(7).into_reply();
        let info = &reply.messages().next().unwrap().info;
        assert_eq!(info.stream, Some(StreamId::new(7)));
        assert_eq!(info.unordered, Some(false));
    }

    #[test]
    fn several_messages_keep_their_order() {
        assert_eq!(payloads(&["a", "b", "c"].into_reply()), [b"a", b"b", b"c"]);
        assert_eq!(
            payloads(&vec![Message::new("a"), Message::new("b")].into_reply()),
            [b"a", b"b"]
        );
        assert_eq!(payloads(&vec![1u8, 2].into_reply()), [&[1u8, 2][..]]);
    }

    #[test]
    fn both_sides_of_a_result_are_sent() {
        let ok: Result<&str, Shutdown> = Ok("fine");
        let err: Result<&str, Shutdown> = Err(Shutdown::abort("no"));
        assert_eq!(payloads(&ok.into_reply()), [b"fine"]);
        assert_eq!(err.into_reply().shutdown(), Some(&Shutdown::abort("no")));
        assert_eq!(payloads(&None::<&str>.into_reply()), [] as [&[u8]; 0]);
    }

    #[test]
    fn abort_discards_messages_of_its_reply() {
        let reply = ("unsent", Shutdown::abort("bye"))
            .into_reply()
            .with_message("unsent too");
        assert_eq!(payloads(&reply), [] as [&[u8]; 0]);
        let kept = ("sent", Shutdown::AfterAck).into_reply();
        assert_eq!(payloads(&kept), [b"sent"]);
    }

    #[test]
    fn payload_types_keep_their_bytes() {
        let replies = [
            b"abc".into_reply(),
            BytesMut::from("abc").into_reply(),
            Cow::Borrowed("abc").into_reply(),
            Cow::<[u8]>::Owned(b"abc".to_vec()).into_reply(),
            Box::<[u8]>::from(&b"abc"[..]).into_reply(),
            Box::<str>::from("abc").into_reply(),
        ];
        for reply in replies {
            assert_eq!(payloads(&reply), [b"abc"]);
        }
    }

    #[test]
    fn parts_change_single_fields() {
        let parts = |reply: Reply| {
            let info = reply.messages().next().unwrap().info.clone();
            (info.ppid, info.stream, info.unordered)
        };
        let (ppid, stream) = (Ppid::NGAP, StreamId::new(3));
        assert_eq!(parts((ppid, "x").into_reply()), (Some(ppid), None, None));
        assert_eq!(
            parts((stream, "x").into_reply()),
            (None, Some(stream), None)
        );
        assert_eq!(
            parts((ppid, stream, Unordered, "x").into_reply()),
            (Some(ppid), Some(stream), Some(true))
        );
        let message = Message::new("x").on_stream(7).with_ppid(1);
        assert_eq!(
            parts((ppid, message).into_reply()),
            (Some(ppid), Some(StreamId::new(7)), Some(false))
        );
        let several = [(stream, "a"), (StreamId::new(4), "b")].into_reply();
        assert_eq!(payloads(&several), [b"a", b"b"]);
        let ended = ((ppid, "bye"), Shutdown::AfterAck).into_reply();
        assert_eq!(ended.shutdown(), Some(&Shutdown::AfterAck));
    }

    #[test]
    fn shutdown_replaces_a_drain_and_stays() {
        assert!(Reply::none().then_drain().is_draining());
        let reply = Reply::none()
            .then_drain()
            .with_shutdown(Shutdown::AfterAck)
            .then_drain();
        assert_eq!(reply.shutdown(), Some(&Shutdown::AfterAck));
    }
}

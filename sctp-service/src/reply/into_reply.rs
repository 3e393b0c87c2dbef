//! What can be answered with.

use std::convert::Infallible;

use bytes::Bytes;
use sctp_core::AbortReason;
use sctp_tokio::Message;

use super::{Reply, ReplyMessage};
use crate::Shutdown;

/// What a handler can return.
///
/// | returned | sent |
/// |---|---|
/// | `()` | nothing |
/// | `Bytes`, `&'static str`, `String`, `Vec<u8>` | one message on the request's stream, with its PPID |
/// | [`Message`] | one message, where it says itself |
/// | `Vec<M>`, `[M; N]` of the above | several, in order |
/// | [`Shutdown`], [`AbortReason`] | nothing; the association ends |
/// | `(T, Shutdown)`, `(T, Option<Shutdown>)` | what `T` sends; then the association ends, or may |
/// | `Option<T>` | what `T` sends, or nothing |
/// | `Result<T, E>` | what `T` or `E` sends |
/// | [`Reply`] | all of it |
///
/// For an iterator, collect it: `messages.collect::<Reply>()`.
///
/// Errors of your own implement it, and decide in one place what the peer is told:
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
    message = "`{Self}` is nothing that can be sent as a reply",
    label = "not a reply",
    note = "return `()`, `Bytes`, `String`, `Message`, `Shutdown`, `(reply, Shutdown)`, `Option`, `Result` or `Reply`",
    note = "or implement `IntoReply` for `{Self}`"
)]
pub trait IntoReply {
    /// Makes the reply.
    fn into_reply(self) -> Reply;
}

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
    &'static str,
    &'static [u8],
    String,
    Vec<u8>,
    Message,
    ReplyMessage
);

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

/// `(reply, Shutdown)`, and `(reply, Option<Shutdown>)` for handlers that end the association
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
    fn payload_leaves_its_way_to_the_request() {
        let reply = "pong".into_reply();
        assert_eq!(payloads(&reply), [b"pong"]);
        assert!(reply.messages().all(|message| message.info.is_none()));
    }

    #[test]
    fn message_says_itself_where_it_goes() {
        let reply = Message::new("pong").on_stream(7).into_reply();
        let info = reply.messages().next().unwrap().info.clone().unwrap();
        assert_eq!(info.stream.get(), 7);
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
    fn either_side_of_a_result_is_sent() {
        let ok: Result<&str, Shutdown> = Ok("fine");
        let err: Result<&str, Shutdown> = Err(Shutdown::abort("no"));
        assert_eq!(payloads(&ok.into_reply()), [b"fine"]);
        assert_eq!(err.into_reply().shutdown(), Some(&Shutdown::abort("no")));
        assert_eq!(payloads(&None::<&str>.into_reply()), [] as [&[u8]; 0]);
    }

    #[test]
    fn abort_discards_the_messages_beside_it() {
        let reply = ("unsent", Shutdown::abort("bye"))
            .into_reply()
            .with_message("unsent too");
        assert_eq!(payloads(&reply), [] as [&[u8]; 0]);
        let kept = ("sent", Shutdown::AfterAck).into_reply();
        assert_eq!(payloads(&kept), [b"sent"]);
    }
}

//! One message of a reply.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use sctp_core::SendInfo;
use sctp_tokio::Message;

use crate::Shutdown;

/// One message of a [`Reply`](crate::Reply): a payload, and where it goes unless that follows
/// from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyMessage {
    /// The user data. SCTP cannot send an empty message; replying one aborts the association
    /// with the reason `internal error`.
    pub payload: Bytes,
    /// Where it goes and how; `None` answers the request: its stream, its payload protocol
    /// identifier, ordered or not as it was.
    pub info: Option<SendInfo>,
}

impl ReplyMessage {
    /// Fills in what follows from the request.
    pub(crate) fn resolve(self, request: &SendInfo) -> Message {
        let info = self.info.unwrap_or_else(|| request.clone());
        Message::new(self.payload).with_info(info)
    }
}

impl From<Message> for ReplyMessage {
    fn from(message: Message) -> Self {
        Self {
            payload: message.payload,
            info: Some(message.info),
        }
    }
}

macro_rules! from_payload {
    ($($payload:ty),*) => {$(
        impl From<$payload> for ReplyMessage {
            fn from(payload: $payload) -> Self {
                Self { payload: payload.into(), info: None }
            }
        }
    )*};
}

from_payload!(Bytes, &'static str, &'static [u8], String, Vec<u8>);

pin_project! {
    /// A stream that cannot end the association.
    pub(super) struct Infallible<S> {
        #[pin]
        pub(super) inner: S,
    }
}

impl<S: Stream<Item: Into<ReplyMessage>>> Stream for Infallible<S> {
    type Item = Result<ReplyMessage, Shutdown>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project()
            .inner
            .poll_next(cx)
            .map(|next| next.map(|message| Ok(message.into())))
    }
}

pin_project! {
    /// A stream that can end the association.
    pub(super) struct Fallible<S> {
        #[pin]
        pub(super) inner: S,
    }
}

impl<S, M> Stream for Fallible<S>
where
    S: Stream<Item = Result<M, Shutdown>>,
    M: Into<ReplyMessage>,
{
    type Item = Result<ReplyMessage, Shutdown>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project()
            .inner
            .poll_next(cx)
            .map(|next| next.map(|message| message.map(Into::into)))
    }
}

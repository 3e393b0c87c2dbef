//! Messages of a reply.

use std::{
    borrow::Cow,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use pin_project_lite::pin_project;
use sctp_core::{Ppid, Reliability, SendInfo, StreamId};
use sctp_tokio::Message;

use super::ReplyStream;
use crate::Shutdown;

/// A message of a [`Reply`](crate::Reply): a payload, and the parts of its destination that differ
/// from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyMessage {
    /// User data. SCTP has no empty messages: an empty payload aborts the association with the
    /// reason `internal error`.
    pub payload: Bytes,
    /// Destination and delivery.
    pub info: ReplyInfo,
}

/// Destination and delivery of a [`ReplyMessage`].
///
/// Fields that are `None` are taken from the request. By default the reply is sent on the same
/// stream as the request, with the same payload protocol identifier and ordering. A [`Message`]
/// sets every field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReplyInfo {
    /// Outbound stream.
    pub stream: Option<StreamId>,
    /// Payload protocol identifier.
    pub ppid: Option<Ppid>,
    /// Delivery outside the order of the stream.
    pub unordered: Option<bool>,
    /// Limit on the effort to deliver the message. Defaults to reliable.
    pub reliability: Reliability,
    /// Request for an immediate acknowledgement (RFC 7053). Defaults to `false`.
    pub sack_immediately: bool,
    /// Shared key that authenticates the message (RFC 4895). Defaults to the active key.
    pub auth_key: Option<u16>,
    /// Context that is returned if the message cannot be sent. An association with a
    /// [correlation](crate::Serve::with_correlation) uses its own.
    pub context: u32,
}

impl ReplyMessage {
    /// Fills in the fields that are taken from the request.
    pub(crate) fn resolve(self, request: &SendInfo) -> Message {
        let info = SendInfo::on_stream(self.info.stream.unwrap_or(request.stream))
            .with_ppid(self.info.ppid.unwrap_or(request.ppid))
            .with_unordered(self.info.unordered.unwrap_or(request.unordered))
            .with_reliability(self.info.reliability)
            .with_sack_immediately(self.info.sack_immediately)
            .with_context(self.info.context);
        let info = match self.info.auth_key {
            Some(key) => info.with_auth_key(key),
            None => info,
        };
        Message::new(self.payload).with_info(info)
    }
}

impl From<Message> for ReplyMessage {
    fn from(message: Message) -> Self {
        Self {
            payload: message.payload,
            info: message.info.into(),
        }
    }
}

impl From<SendInfo> for ReplyInfo {
    fn from(info: SendInfo) -> Self {
        Self {
            stream: Some(info.stream),
            ppid: Some(info.ppid),
            unordered: Some(info.unordered),
            reliability: info.reliability,
            sack_immediately: info.sack_immediately,
            auth_key: info.auth_key,
            context: info.context,
        }
    }
}

macro_rules! from_payload {
    ($($payload:ty => |$value:ident| $bytes:expr;)*) => {$(
        impl From<$payload> for ReplyMessage {
            fn from($value: $payload) -> Self {
                Self { payload: $bytes, info: ReplyInfo::default() }
            }
        }
    )*};
}

from_payload! {
    Bytes => |payload| payload;
    BytesMut => |payload| payload.freeze();
    &'static str => |payload| payload.into();
    &'static [u8] => |payload| payload.into();
    String => |payload| payload.into();
    Vec<u8> => |payload| payload.into();
    Box<[u8]> => |payload| payload.into();
    Box<str> => |payload| String::from(payload).into();
    Cow<'static, str> => |payload| match payload {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    };
    Cow<'static, [u8]> => |payload| match payload {
        Cow::Borrowed(bytes) => bytes.into(),
        Cow::Owned(bytes) => bytes.into(),
    };
}

impl<const N: usize> From<&'static [u8; N]> for ReplyMessage {
    fn from(payload: &'static [u8; N]) -> Self {
        payload[..].into()
    }
}

pin_project! {
    /// Stream of messages that cannot close the association.
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
    /// Stream of messages that can close the association.
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

pin_project! {
    /// Stream that changes messages.
    pub(super) struct Changed<F> {
        pub(super) inner: ReplyStream,
        pub(super) change: F,
    }
}

impl<F: Fn(&mut ReplyInfo)> Stream for Changed<F> {
    type Item = Result<ReplyMessage, Shutdown>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        this.inner.as_mut().poll_next(cx).map(|next| {
            next.map(|message| {
                message.map(|mut message| {
                    (this.change)(&mut message.info);
                    message
                })
            })
        })
    }
}

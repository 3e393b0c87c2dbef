//! A reply's stream whose messages are counted as they come.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::instruments::Instruments;
use crate::{
    Shutdown,
    reply::{ReplyMessage, ReplyStream},
};

pub(super) struct Counted {
    inner: ReplyStream,
    instruments: Arc<Instruments>,
}

impl Counted {
    pub(super) fn new(inner: ReplyStream, instruments: Arc<Instruments>) -> Self {
        Self { inner, instruments }
    }
}

impl Stream for Counted {
    type Item = Result<ReplyMessage, Shutdown>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.inner.as_mut().poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(message))) => self.instruments.message(message),
            Poll::Ready(Some(Err(shutdown))) => self.instruments.termination(shutdown),
            Poll::Ready(None) | Poll::Pending => {}
        }
        next
    }
}

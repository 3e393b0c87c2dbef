//! Sending and receiving on an association, by its halves.

use std::{
    collections::VecDeque,
    io::IoSlice,
    task::{Context, Poll},
};

use sctp_core::SendInfo;

use crate::{Association, End, Event, Message, Received, RecvError, SendError};
#[cfg(doc)]
use crate::{RecvHalf, SendHalf};

/// Receiving.
impl Association {
    /// Receives the next whole message; see [`RecvHalf::recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.recv().await
    }

    /// Receives the next thing that happens; see [`RecvHalf::next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.next_event().await
    }

    /// Receives a whole message that is already there; see [`RecvHalf::try_recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::try_recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        self.receiver.try_recv()
    }

    /// Receives what is already there; see [`RecvHalf::try_next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::try_next_event`].
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        self.receiver.try_next_event()
    }

    /// Polls for the next whole message; see [`RecvHalf::poll_recv`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.receiver.poll_recv(cx)
    }

    /// Polls for the next thing that happens; see [`RecvHalf::poll_next_event`].
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.receiver.poll_next_event(cx)
    }

    /// Polls for the end while messages are not received; see [`RecvHalf::poll_ended`].
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.receiver.poll_ended(cx)
    }
}

/// Sending.
impl Association {
    /// Sends one message; see [`SendHalf::send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// Sends one message if there is room now; see [`SendHalf::try_send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send`].
    pub fn try_send(&self, message: &Message) -> Result<(), SendError> {
        self.sender.try_send(message)
    }

    /// Polls to send one message; see [`SendHalf::poll_send`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send`].
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send(cx, message)
    }

    /// Sends the messages of a queue; see [`SendHalf::send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent those that have left the queue, and no others.
    pub async fn send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.send_queue(queue).await
    }

    /// Polls to send the messages of a queue; see [`SendHalf::poll_send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_queue`].
    pub fn poll_send_queue(
        &self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send_queue(cx, queue)
    }

    /// Sends the messages of a queue as long as there is room now; see
    /// [`SendHalf::try_send_queue`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send_queue`].
    pub fn try_send_queue(&self, queue: &mut VecDeque<Message>) -> Result<(), SendError> {
        self.sender.try_send_queue(queue)
    }

    /// Sends one message from several places; see [`SendHalf::send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_vectored`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has sent nothing.
    pub async fn send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.send_vectored(info, payload).await
    }

    /// Sends one message from several places if there is room now; see
    /// [`SendHalf::try_send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::try_send_vectored`].
    pub fn try_send_vectored(
        &self,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.sender.try_send_vectored(info, payload)
    }

    /// Polls to send one message from several places; see [`SendHalf::poll_send_vectored`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::send_vectored`].
    pub fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> Poll<Result<(), SendError>> {
        self.sender.poll_send_vectored(cx, info, payload)
    }

    /// Waits until everything that was sent is acknowledged; see [`SendHalf::flushed`].
    ///
    /// # Errors
    ///
    /// As [`SendHalf::flushed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has changed nothing.
    pub async fn flushed(&self) -> Result<(), SendError> {
        self.sender.flushed().await
    }
}

//! The receiving half of an association.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use sctp_core::{AssocId, Part, RecvInfo, Socket, errno};
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep},
};

use crate::{
    End, Event, Received, RecvError,
    arrival::Arrival,
    assembly::Assembler,
    hung_up::HungUp,
    receive::{abort_on_close, has_message, receive},
    shared::Shared,
};

/// How often the association's state is looked at while nobody reads: the end is queued behind
/// the unread messages, and on a peeled-off socket nothing else tells.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// The receiving half of an [`Association`](crate::Association), made by
/// [`split`](crate::Association::split).
///
/// Dropping it does not end the association; but once the receive buffer is full the peer can
/// send nothing more, and the end of the association goes unheard. If messages were unread, the
/// association is aborted when the last [`SendHalf`](crate::SendHalf) is dropped.
pub struct RecvHalf {
    pub(crate) shared: Arc<Shared>,
    pub(crate) assembler: Assembler,
    pub(crate) parts: VecDeque<Part>,
    /// The end has been read, and is told once everything queued behind it has been: reports of
    /// failed sends come after it.
    pub(crate) pending_end: Option<End>,
    /// An error of the socket that the queue has not explained yet.
    pub(crate) pending_error: Option<io::Error>,
    pub(crate) status_timer: Option<Pin<Box<Sleep>>>,
    /// Whether the peer of a one-to-one socket has shut down, so that reads are empty.
    pub(crate) hung_up: HungUp,
    /// The kernel has no such association any more, and nothing has told of its end yet.
    pub(crate) gone: bool,
    /// The stream of messages has ended.
    pub(crate) stream_ended: bool,
}

impl RecvHalf {
    pub(crate) fn new(shared: Arc<Shared>, assembler: Assembler, parts: VecDeque<Part>) -> Self {
        Self {
            shared,
            assembler,
            parts,
            pending_end: None,
            pending_error: None,
            status_timer: None,
            hung_up: HungUp::No,
            gone: false,
            stream_ended: false,
        }
    }

    /// Receives the next whole message; `None` after an orderly end. Notifications are passed
    /// over; [`RecvHalf::next_event`] tells them.
    ///
    /// # Errors
    ///
    /// [`RecvError::Ended`] when the association was aborted or lost, and what
    /// [`RecvHalf::next_event`] says.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn recv(&mut self) -> Result<Option<Received>, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next whole message; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, RecvError>> {
        self.poll_recv_mut(cx)
            .map_ok(|message| message.map(|(payload, info)| Received::new(payload, info)))
    }

    /// The same, with a payload that can be changed in place.
    pub(crate) fn poll_recv_mut(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(BytesMut, RecvInfo)>, RecvError>> {
        loop {
            return Poll::Ready(match ready!(self.poll_arrival(cx))? {
                Arrival::Message(payload, info) => Ok(Some((payload, info))),
                Arrival::Event(Event::Ended(end)) if end.is_orderly() => Ok(None),
                Arrival::Event(Event::Ended(end)) => Err(RecvError::Ended(end)),
                Arrival::Event(_) => continue,
            });
        }
    }

    /// Receives a whole message that is already there; `None` after an orderly end.
    ///
    /// # Errors
    ///
    /// `Io` with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and as
    /// [`RecvHalf::recv`].
    pub fn try_recv(&mut self) -> Result<Option<Received>, RecvError> {
        loop {
            return match self.try_next_event()? {
                Event::Message(message) => Ok(Some(message)),
                Event::Notification(_) => continue,
                Event::Ended(end) if end.is_orderly() => Ok(None),
                Event::Ended(end) => Err(RecvError::Ended(end)),
            };
        }
    }

    /// Receives the next thing that happens. After [`Event::Ended`] it answers the same again.
    ///
    /// # Errors
    ///
    /// [`RecvError::TooLarge`] when the peer exceeded the message limit, and was aborted for it;
    /// [`RecvError::Io`] for anything unexpected that the kernel says. Asking again goes on: with
    /// the end, if the association is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call has taken nothing.
    pub async fn next_event(&mut self) -> Result<Event, RecvError> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    /// Polls for the next thing that happens; the waker of the last task to ask is kept.
    ///
    /// # Errors
    ///
    /// As [`RecvHalf::next_event`].
    pub fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.poll_arrival(cx).map_ok(Event::from)
    }

    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, RecvError>> {
        // A receive takes part in cooperative scheduling, but is needed once for a batch.
        if !self.parts.is_empty() || self.is_over() || self.shared.end().is_some() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        loop {
            if let Some(arrival) = self.next_queued() {
                return Poll::Ready(arrival);
            }
            if let Some(end) = self.shared.end() {
                return Poll::Ready(Ok(Arrival::Event(Event::Ended(end.clone()))));
            }
            let shared = Arc::clone(&self.shared);
            let Some(io) = shared.io() else {
                return Poll::Ready(Ok(Arrival::Event(self.reached_end())));
            };
            if let Some(event) = ready!(self.poll_hung_up(cx, io.socket())) {
                return Poll::Ready(Ok(Arrival::Event(event)));
            }
            // Over, or failing: what is still queued is read without waiting, for nothing more
            // will ever wake this task.
            let over = self.is_over();
            let parts = &mut self.parts;
            let result = if over {
                receive(io.socket(), parts).map(drop)
            } else {
                ready!(io.poll_receive(cx, parts))
            };
            if let Some(event) = self.after_receive(result) {
                return Poll::Ready(event.map(Arrival::Event));
            }
        }
    }

    /// Receives what is already there.
    ///
    /// # Errors
    ///
    /// `Io` with [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing, and as
    /// [`RecvHalf::next_event`].
    pub fn try_next_event(&mut self) -> Result<Event, RecvError> {
        loop {
            if let Some(arrival) = self.next_queued() {
                return arrival.map(Event::from);
            }
            if let Some(end) = self.shared.end() {
                return Ok(Event::Ended(end.clone()));
            }
            let shared = Arc::clone(&self.shared);
            let Some(socket) = shared.socket() else {
                return Ok(self.reached_end());
            };
            if let Some(result) = self.try_hung_up(socket) {
                return result;
            }
            let settled = !self.is_over();
            match receive(socket, &mut self.parts).map(drop) {
                Err(error) if settled && error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(RecvError::Io(error));
                }
                result => {
                    if let Some(event) = self.after_receive(result) {
                        return event;
                    }
                }
            }
        }
    }

    /// What to say after a receive, if anything yet.
    fn after_receive(&mut self, result: io::Result<()>) -> Option<Result<Event, RecvError>> {
        match result {
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Ok(self.reached_end())),
            // An ICMP error, told of because of `IP_RECVERR`. The association goes on, and decides by
            // its own count when to give up (RFC 9260 section 8.1).
            Err(error) if is_network_error(&error) && !self.has_ended() => None,
            Err(error) if is_network_error(&error) => {
                // Reported before what is still queued, and only once: remember it, and read on.
                if self.pending_error.replace(error).is_some() {
                    return Some(Ok(self.reached_end()));
                }
                None
            }
            Err(error) => Some(Err(RecvError::Io(error))),
        }
    }

    /// Whether the kernel has no such association any more.
    fn has_ended(&self) -> bool {
        match self.shared.socket() {
            Some(socket) => is_gone(socket, self.shared.id),
            None => true,
        }
    }

    /// Polls for the end while messages are *not* received: for a server that has all it can do,
    /// and still must not work for a peer that has gone. Finds out within a second. What is
    /// queued stays queued; when it hides how the association ended, the answer is
    /// [`End::Unread`].
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Some(end) = self.shared.end() {
                return Poll::Ready(end.clone());
            }
            if self.has_ended() {
                return Poll::Ready(End::Unread);
            }
            let timer = self
                .status_timer
                .get_or_insert_with(|| Box::pin(sleep(STATUS_INTERVAL)));
            ready!(timer.as_mut().poll(cx));
            timer.as_mut().reset(Instant::now() + STATUS_INTERVAL);
        }
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        let is_unread = has_message(&self.parts) || !self.assembler.is_empty();
        if let (true, None, Some(socket)) = (is_unread, self.shared.end(), self.shared.socket()) {
            // The kernel takes them for read, and would let the peer believe so. Nobody could be
            // told of an error.
            let _ = abort_on_close(socket);
        }
    }
}

/// Whether the kernel has no such association any more.
pub(crate) fn is_gone(socket: &Socket, assoc: AssocId) -> bool {
    matches!(socket.status(assoc), Err(error) if error.raw_os_error() == Some(errno::EINVAL))
}

/// Whether an error of a receive is about the network: the association's end, unless it goes on.
pub(crate) fn is_network_error(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use crate::{Association, SctpListener};

    use super::*;

    #[tokio::test]
    async fn network_error_of_a_live_association_is_not_its_end() {
        let mut listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addrs().unwrap()[0];
        let mut client = Association::connect(peer).await.unwrap();
        let server = listener.accept().await.unwrap();
        let error = || Err(io::ErrorKind::HostUnreachable.into());
        for _ in 0..2 {
            assert!(client.receiver.after_receive(error()).is_none());
        }
        server.send("goes on").await.unwrap();
        let message = client.recv().await.unwrap().unwrap();
        assert_eq!(message.payload, "goes on");
        assert!(client.end().is_none());
    }
}

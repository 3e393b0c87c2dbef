//! Transport of an association on a shared socket.

use std::{
    collections::VecDeque,
    fmt, io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sctp_core::{AbortReason, AssocId};
use sctp_tokio::{Association, End, EndpointSender, Event, Message, RecvError, SendError};
use tokio::sync::Notify;

use super::inbox::Inbox;
use crate::{ConnectInfo, Transport, TransportStats, timer::Timer};

/// Interval of checks of the unacknowledged chunks of one association, since the readiness of a
/// shared socket does not indicate the state of a single association.
const STATUS_INTERVAL: Duration = Duration::from_millis(5);

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// An association on the socket of an [`Endpoint`](sctp_tokio::Endpoint).
///
/// The transport receives from a bounded queue that the endpoint's task fills, and sends on the
/// shared socket. When the association falls behind in either direction, it is peeled off to a
/// socket of its own, and continues there without interruption.
pub struct EndpointTransport {
    assoc: AssocId,
    info: ConnectInfo,
    sender: EndpointSender,
    inbox: Arc<Inbox>,
    /// Notifies the endpoint's task that the shared send buffer is full.
    stalled: Arc<Notify>,
    waiting: Option<Waiting>,
    own: Option<Association>,
    status_timer: Timer,
    end: Option<End>,
}

impl EndpointTransport {
    pub(super) fn new(
        assoc: AssocId,
        info: ConnectInfo,
        sender: EndpointSender,
        inbox: Arc<Inbox>,
        stalled: Arc<Notify>,
    ) -> Self {
        Self {
            assoc,
            info,
            sender,
            inbox,
            stalled,
            waiting: None,
            own: None,
            status_timer: Timer::default(),
            end: None,
        }
    }

    /// Switches to the association's own socket, if it has been peeled off.
    fn take_own(&mut self) {
        if self.own.is_none() {
            self.own = self.inbox.lock().own.take();
        }
    }

    /// Waits until the status of the association may be checked again.
    fn poll_status_interval(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.status_timer.is_set() {
            self.status_timer.set_in(STATUS_INTERVAL);
        }
        match self.status_timer.poll_elapsed(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Sends on the shared socket. Returns `None` if the association was peeled off.
    fn try_send_shared(&mut self, queue: &mut VecDeque<Message>) -> Option<Result<(), SendError>> {
        // Under the lock: the endpoint's task holds it while it moves the association away.
        let contents = self.inbox.lock();
        if contents.own.is_some() {
            return None;
        }
        let result = self.sender.try_send_queue(self.assoc, queue);
        Some(match result {
            Err(SendError::Closed(End::Unread) | SendError::NoAssociation) => Err(
                SendError::Closed(contents.end.clone().unwrap_or(End::Unread)),
            ),
            result => result,
        })
    }
}

impl Transport for EndpointTransport {
    fn connect_info(&self) -> ConnectInfo {
        let streams = match &self.own {
            Some(own) => Some((own.inbound_streams(), own.outbound_streams())),
            None => self.sender.streams(self.assoc),
        };
        match streams {
            Some((inbound, outbound)) => self.info.clone().with_streams(inbound, outbound),
            None => self.info.clone(),
        }
    }

    fn max_message(&self) -> Option<usize> {
        match &self.own {
            Some(own) => own.max_message(),
            None => self.sender.send_buffer_size().ok(),
        }
    }

    fn stats(&self) -> io::Result<TransportStats> {
        // Under the lock: the endpoint's task holds it while it moves the association away.
        let contents = self.inbox.lock();
        match self.own.as_ref().or(contents.own.as_ref()) {
            Some(own) => Transport::stats(own),
            None => TransportStats::read(self.sender.socket(), self.assoc),
        }
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Ok(Event::Closed(end.clone())));
        }
        if let Some(event) = ready!(self.inbox.poll_pop(cx, self.own.is_some())) {
            if let Event::Closed(end) = &event {
                self.end = Some(end.clone());
            }
            return Poll::Ready(Ok(event));
        }
        self.take_own();
        let Some(own) = &mut self.own else {
            return Poll::Pending;
        };
        let event = ready!(own.poll_next_event(cx));
        if let Ok(Event::Closed(end)) = &event {
            self.end = Some(end.clone());
        }
        Poll::Ready(event)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Some(end) = &self.end {
            return Poll::Ready(end.clone());
        }
        self.take_own();
        if self.own.is_none() {
            if let Some(end) = ready!(self.inbox.poll_closed(cx)) {
                return Poll::Ready(end);
            }
            // It was moved away just now.
            self.take_own();
        }
        match &mut self.own {
            Some(own) => own.poll_closed(cx),
            None => Poll::Pending,
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            self.take_own();
            if let Some(own) = &mut self.own {
                self.waiting = None;
                return own.poll_send_queue(cx, queue);
            }
            if let Some(waiting) = &mut self.waiting {
                let waited = ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
                if let Err(error) = waited {
                    queue.pop_front();
                    return Poll::Ready(Err(SendError::Io(error)));
                }
            }
            match self.try_send_shared(queue) {
                None => {}
                Some(Err(SendError::Full)) => {
                    self.stalled.notify_one();
                    let sender = self.sender.clone();
                    self.waiting = Some(Box::pin(async move { sender.writable().await }));
                }
                Some(result) => return Poll::Ready(result),
            }
        }
    }

    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            self.take_own();
            if let Some(own) = &mut self.own {
                return own.poll_flushed(cx);
            }
            match self.sender.socket().status(self.assoc) {
                Ok(status) if status.unacknowledged_chunks == 0 => return Poll::Ready(Ok(())),
                Ok(_) => {}
                // It has ended, or was moved away just now.
                Err(_) => {
                    self.take_own();
                    if self.own.is_some() {
                        continue;
                    }
                    let end = self.inbox.lock().end.clone();
                    return Poll::Ready(Err(SendError::Closed(end.unwrap_or(End::Unread))));
                }
            }
            ready!(self.poll_status_interval(cx));
        }
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.take_own();
        match &self.own {
            Some(own) => own.start_shutdown(),
            None => self.sender.start_shutdown(self.assoc),
        }
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.take_own();
        match &self.own {
            Some(own) => own.abort(reason),
            None => self.sender.abort(self.assoc, reason),
        }
    }
}

/// Shuts the association down, since a shared socket cannot be closed.
impl Drop for EndpointTransport {
    fn drop(&mut self) {
        let mut contents = self.inbox.lock();
        contents.closed = true;
        let events = mem::take(&mut contents.events);
        let (own, waker) = (contents.own.take(), contents.waker.take());
        let shared = self.own.is_none() && own.is_none();
        if shared && self.end.is_none() && contents.end.is_none() {
            // Under the lock, or it could be moved away in between. An error means that it has just
            // ended, which is what was wanted.
            let _ = self.sender.start_shutdown(self.assoc);
        }
        drop(contents);
        // These may wake other tasks, or drop them.
        drop((events, own, waker));
    }
}

impl fmt::Debug for EndpointTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointTransport")
            .field("connect_info", &self.info)
            .field("own_socket", &self.own.is_some())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

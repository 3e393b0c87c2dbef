//! The task that reads a shared socket and sorts what arrives by association.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::poll_fn,
    io,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sctp_core::{AbortReason, AssocChangeState, AssocId, ErrorCauses, Notification, errno};
use sctp_tokio::{End, Endpoint, EndpointEvent, Event, RecvError, Side};
use tokio::{
    select,
    sync::{Notify, mpsc},
    task::consume_budget,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{inbox::Inbox, shared::EndpointTransport};
use crate::{ConnectInfo, abort_reasons, log_limit::LogLimiter, timer::Timer};

/// Abort reason for a peer that sends faster than it is served, while there is no descriptor or
/// epoll watch left to give it a socket of its own.
const QUEUE_FULL: AbortReason = AbortReason::from_static("receive queue full");

/// Time for which the shared send buffer may be full before the association that fills it most is
/// moved away.
const STALL_TIME: Duration = Duration::from_millis(50);

/// Interval between looks whether the shared receive buffer is full of what cannot be received.
const STUFFED_INTERVAL: Duration = Duration::from_millis(250);

/// Time to look for associations that came up before the socket stopped listening.
/// Only peers that send faster than this task reads make it take that long.
const HAND_OVER_TIME: Duration = Duration::from_secs(1);

/// Pause after an error of receiving, which may last.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Reads an endpoint on behalf of all its associations.
///
/// It never waits for one of them: an association that does not take its messages, or whose peer
/// does not read, is peeled off to a socket of its own. So a shared socket is shared by those who
/// keep up, and the kernel's flow control meets those who do not.
pub(super) struct Demux {
    endpoint: Endpoint,
    inboxes: HashMap<AssocId, Arc<Inbox>>,
    /// `None` once the socket has stopped listening and all that came up was handed over.
    incoming: Option<mpsc::Sender<EndpointTransport>>,
    /// Cancelled when the socket has stopped listening.
    stopped: CancellationToken,
    stalled: Arc<Notify>,
    /// Time at which the association that fills the send buffer is to be found.
    relieve: Timer,
    receive_failures: LogLimiter,
    peel_off_failures: LogLimiter,
}

impl Demux {
    pub(super) fn new(
        endpoint: Endpoint,
        incoming: mpsc::Sender<EndpointTransport>,
        stopped: CancellationToken,
    ) -> Self {
        let stalled = Arc::new(Notify::new());
        Self {
            endpoint,
            inboxes: HashMap::new(),
            incoming: Some(incoming),
            stopped,
            stalled,
            relieve: Timer::default(),
            receive_failures: LogLimiter::default(),
            peel_off_failures: LogLimiter::default(),
        }
    }

    /// Runs until nobody listens any more and the last association has left.
    pub(super) async fn run(mut self) {
        let mut looks = interval(STUFFED_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let listening = self
                .incoming
                .as_ref()
                .is_some_and(|incoming| !incoming.is_closed());
            if !listening && self.inboxes.is_empty() {
                return;
            }
            let stalled = Arc::clone(&self.stalled);
            let is_stalled = self.relieve.is_set();
            let relieve = &mut self.relieve;
            // Nothing in here may read the clock for each event.
            select! {
                event = self.endpoint.next_event() => match event {
                    Ok(event) => self.sort(event).await,
                    Err(error) => self.receive_failed(&error).await,
                },
                () = closed(self.incoming.as_ref()), if listening => {}
                () = self.stopped.cancelled(), if self.incoming.is_some() => {
                    self.hand_over().await;
                }
                _ = looks.tick(), if !self.inboxes.is_empty() => self.unstuff(),
                () = stalled.notified(), if !is_stalled => {
                    self.relieve.set_in(STALL_TIME);
                }
                () = elapsed(relieve), if is_stalled => self.relieve(),
            }
        }
    }

    /// Sorts what the kernel has, so that the associations that came up are accepted, and has the
    /// listener know that there are no more.
    async fn hand_over(&mut self) {
        let begin = Instant::now();
        while begin.elapsed() < HAND_OVER_TIME {
            match self.endpoint.try_next_event() {
                Ok(event) => self.sort(event).await,
                Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.receive_failed(&error).await,
            }
            consume_budget().await;
        }
        self.incoming = None;
    }

    /// Reports an error that may last. Memory comes back; until then, others have their turn.
    async fn receive_failed(&self, error: &RecvError) {
        if let Some(occurrences) = self.receive_failures.record() {
            tracing::error!(%error, occurrences, "receiving on a shared socket failed");
        }
        sleep(RECEIVE_PAUSE).await;
    }

    async fn sort(&mut self, EndpointEvent { assoc, event, .. }: EndpointEvent) {
        if is_up(&event) {
            return self.came_up(assoc).await;
        }
        let ended = matches!(event, Event::Closed(_));
        let Entry::Occupied(entry) = self.inboxes.entry(assoc) else {
            tracing::debug!(%assoc, ?event, "an event of an association that is not served");
            return;
        };
        let full = entry.get().push(event);
        if ended {
            entry.remove();
        } else if full {
            self.peel_off(assoc);
        }
    }

    async fn came_up(&mut self, assoc: AssocId) {
        let sender = self.endpoint.sender();
        let (inbound, outbound) = sender.streams(assoc).unwrap_or_default();
        let info = ConnectInfo::new(assoc)
            // It may have ended already; that comes next.
            .with_peer_addrs(sender.peer_addrs(assoc).unwrap_or_default())
            .with_local_addrs(sender.socket().local_addrs(assoc).unwrap_or_default())
            .with_streams(inbound, outbound);
        let inbox = Arc::new(Inbox::default());
        let stalled = Arc::clone(&self.stalled);
        let transport = EndpointTransport::new(assoc, info, sender, Arc::clone(&inbox), stalled);
        self.inboxes.insert(assoc, inbox);
        let refused = match &self.incoming {
            Some(incoming) => incoming
                .send(transport)
                .await
                .err()
                .map(|refused| refused.0),
            None => Some(transport),
        };
        if let Some(mut transport) = refused {
            // Dropped without a word it would only be shut down.
            let _ = crate::Transport::abort(&mut transport, &abort_reasons::SERVER_SHUTTING_DOWN);
        }
    }

    /// Gives an association a socket of its own.
    fn peel_off(&mut self, assoc: AssocId) {
        let Some(inbox) = self.inboxes.get(&assoc) else {
            return;
        };
        // Held throughout: the transport must not send on the shared socket in between.
        let mut contents = inbox.lock();
        match self.endpoint.peel_off(assoc) {
            Ok(own) => {
                tracing::debug!(%assoc, "an association fell behind and was given a socket of its own");
                let task = contents.move_to(own);
                drop(contents);
                if let Some(task) = task {
                    task.wake();
                }
                self.inboxes.remove(&assoc);
            }
            // It has ended. What is left of it has arrived already, and ends with its end.
            Err(error) if error.raw_os_error() == Some(errno::EINVAL) => {}
            Err(error) => {
                if let Some(occurrences) = self.peel_off_failures.record() {
                    tracing::warn!(
                        %assoc,
                        %error,
                        occurrences,
                        "cannot give an association its own socket, aborting it"
                    );
                }
                // The reactor may refuse the new socket after the association has moved to it. Then
                // the end is not an event of the endpoint.
                let has_left = self.endpoint.sender().streams(assoc).is_none();
                if let Err(error) = self.endpoint.abort(assoc, &QUEUE_FULL) {
                    tracing::debug!(%assoc, %error, "cannot abort");
                }
                if has_left {
                    let task = contents.push(Event::Closed(End::Aborted {
                        by: Side::Local,
                        causes: ErrorCauses::default(),
                    }));
                    drop(contents);
                    if let Some(task) = task {
                        task.wake();
                    }
                    self.inboxes.remove(&assoc);
                }
            }
        }
    }

    /// Finds the association that fills the shared receive buffer with fragments of messages whose
    /// other fragments do not come, and moves it away: nothing of it can be received, and while the
    /// buffer is full the kernel drops what the others send.
    fn unstuff(&mut self) {
        let socket = self.endpoint.socket();
        let (Ok(room), Ok(size)) = (socket.recv_buffer_free(), socket.recv_buffer_size()) else {
            return;
        };
        if room > size / 2 {
            return;
        }
        let pending = |assoc: &AssocId| {
            socket
                .status(*assoc)
                .map_or(0, |status| status.pending_chunks)
        };
        let loads = self.inboxes.keys().map(|assoc| (pending(assoc), *assoc));
        if let Some((1.., assoc)) = loads.max() {
            self.peel_off(assoc);
        }
    }

    /// Finds the association that has most in the shared send buffer, and moves it away.
    fn relieve(&mut self) {
        let socket = self.endpoint.socket();
        let load = |assoc: &AssocId| {
            socket
                .status(*assoc)
                .map_or(0, |status| status.unacknowledged_chunks)
        };
        let loads = self.inboxes.keys().map(|assoc| (load(assoc), *assoc));
        if let Some((1.., assoc)) = loads.max() {
            self.peel_off(assoc);
        }
    }
}

/// Resolves when the listener is dropped.
async fn closed(incoming: Option<&mpsc::Sender<EndpointTransport>>) {
    if let Some(incoming) = incoming {
        incoming.closed().await;
    }
}

async fn elapsed(timer: &mut Timer) {
    poll_fn(|cx| match timer.poll_elapsed(cx) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn is_up(event: &Event) -> bool {
    match event {
        Event::Notification(Notification::AssocChange(change)) => {
            change.state == AssocChangeState::CommUp
        }
        _ => false,
    }
}

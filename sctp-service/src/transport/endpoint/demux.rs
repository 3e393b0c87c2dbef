//! Task that reads a shared socket and distributes events to associations.

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

/// Abort reason for an association that falls behind while no descriptor or epoll watch is left for
/// a socket of its own.
const QUEUE_FULL: AbortReason = AbortReason::from_static("receive queue full");

/// Time for which the shared send buffer may be full before the association that uses most of it is
/// peeled off.
const STALL_TIME: Duration = Duration::from_millis(50);

/// Interval of checks whether incomplete messages fill the shared receive buffer.
const STUFFED_INTERVAL: Duration = Duration::from_millis(250);

/// Time limit for handing over associations that were established before the socket stopped
/// listening. Reached only if peers send faster than this task reads.
const HAND_OVER_TIME: Duration = Duration::from_secs(1);

/// Pause after a receive error, which may persist.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Reads an endpoint on behalf of all its associations.
///
/// The task never waits for a single association: one that does not take its messages, or whose
/// peer does not read, is peeled off to a socket of its own. The shared socket then serves only
/// associations that keep up, and flow control applies to the others individually.
pub(super) struct Demux {
    endpoint: Endpoint,
    inboxes: HashMap<AssocId, Arc<Inbox>>,
    /// `None` once the socket has stopped listening and all established associations were handed
    /// over.
    incoming: Option<mpsc::Sender<EndpointTransport>>,
    /// Cancelled when the socket has stopped listening.
    stopped: CancellationToken,
    stalled: Arc<Notify>,
    /// Deadline after which the association that fills the send buffer is peeled off.
    stall_timer: Timer,
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
            stall_timer: Timer::default(),
            receive_failures: LogLimiter::default(),
            peel_off_failures: LogLimiter::default(),
        }
    }

    /// Runs until the listener is dropped and the last association has left the socket.
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
            let is_stalled = self.stall_timer.is_set();
            let stall_timer = &mut self.stall_timer;
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
                _ = looks.tick(), if !self.inboxes.is_empty() => self.peel_off_largest_receiver(),
                () = stalled.notified(), if !is_stalled => {
                    self.stall_timer.set_in(STALL_TIME);
                }
                () = elapsed(stall_timer), if is_stalled => self.peel_off_largest_sender(),
            }
        }
    }

    /// Distributes the events that the kernel has queued, so that all established associations are
    /// accepted, and then notifies the listener that there are no more.
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

    /// Reports a receive error that may persist, and pauses.
    async fn receive_failed(&self, error: &RecvError) {
        if let Some(occurrences) = self.receive_failures.record() {
            tracing::error!(%error, occurrences, "cannot receive on shared socket");
        }
        sleep(RECEIVE_PAUSE).await;
    }

    async fn sort(&mut self, EndpointEvent { assoc, event, .. }: EndpointEvent) {
        if is_up(&event) {
            return self.came_up(assoc).await;
        }
        let ended = matches!(event, Event::Closed(_));
        let Entry::Occupied(entry) = self.inboxes.entry(assoc) else {
            tracing::debug!(%assoc, ?event, "discarding event of unserved association");
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

    /// Peels an association off to a socket of its own.
    fn peel_off(&mut self, assoc: AssocId) {
        let Some(inbox) = self.inboxes.get(&assoc) else {
            return;
        };
        // Held throughout: the transport must not send on the shared socket in between.
        let mut contents = inbox.lock();
        match self.endpoint.peel_off(assoc) {
            Ok(own) => {
                tracing::debug!(%assoc, "association fell behind, peeled off");
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
                        "cannot peel off association, aborting"
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

    /// Peels off the association that fills the shared receive buffer with fragments of incomplete
    /// messages. These cannot be received, and while the buffer is full the kernel drops data of
    /// the other associations.
    fn peel_off_largest_receiver(&mut self) {
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

    /// Peels off the association that uses most of the shared send buffer.
    fn peel_off_largest_sender(&mut self) {
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

//! Association without a transport, for testing one service.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use sctp_tokio::{End, Message};
use tokio_util::sync::CancellationToken;

use super::{
    mock::request,
    transport::{FIRST, numbered, received},
};
use crate::{
    AssociationHandle, Config, Request, Shutdown,
    handle::{HandleState, StateOwner, Submission, Waiter},
};

/// Records what a service does with the [`AssociationHandle`] of its requests.
///
/// For tests with tower's `oneshot` of services that send, call the peer, or close the association.
/// Everything is accepted, and nothing waits.
///
/// ```
/// use sctp_service::{AssociationHandle, Shutdown, handler::handler_fn, testing::Recorder};
/// use sctp_tokio::Message;
/// use tower::ServiceExt;
///
/// async fn attach(peer: AssociationHandle, name: String) -> &'static str {
///     let _ = peer.send(Message::new(format!("welcome, {name}")).on_stream(1)).await;
///     match peer.request("who else?").await {
///         Ok(reply) if reply.payload == "nobody" => "attached",
///         _ => "refused",
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let recorder = Recorder::new();
/// let serving = tokio::spawn(handler_fn(attach).oneshot(recorder.request("ann")));
///
/// let call = recorder.next_call().await;
/// assert_eq!(call.message().payload, "who else?");
/// call.reply("nobody");
/// let Ok(Ok(reply)) = serving.await else { panic!("it failed") };
/// assert_eq!(reply.messages().next().unwrap().payload, "attached");
///
/// let sent = recorder.sent();
/// assert_eq!((&sent[0].payload[..], sent[0].info.stream.get()), (&b"welcome, ann"[..], 1));
/// assert_eq!(recorder.shutdown(), None);
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    state: Arc<StateOwner>,
    recorded: Arc<Mutex<Recorded>>,
}

#[derive(Default)]
struct Recorded {
    sent: Vec<Message>,
    calls: VecDeque<RecordedCall>,
    shutdown: Option<Shutdown>,
    expects_shutdown: bool,
}

impl Recorder {
    /// Creates an association that accepts everything.
    #[must_use]
    pub fn new() -> Self {
        // More than a test sends, and less than a semaphore can count.
        let config = Config::new()
            .with_outbound_queue(1 << 24)
            .with_outbound_queue_bytes(1 << 28)
            .with_max_calls(1 << 24)
            .with_call_timeout(None);
        let state = HandleState::new(
            CancellationToken::new(),
            numbered(FIRST),
            Arc::new(config),
            None,
            true,
        );
        state.open();
        Self {
            state: Arc::new(StateOwner::new(state)),
            recorded: Arc::default(),
        }
    }

    /// Creates a request from a message, as if the peer had sent it.
    #[must_use]
    pub fn request(&self, message: impl Into<Message>) -> Request {
        let (mut parts, payload) = request(message).into_parts();
        parts.connect_info = numbered(FIRST);
        Request::from_parts(parts, payload).with_association(self.handle())
    }

    /// Returns the handle of the association.
    #[must_use]
    pub fn handle(&self) -> AssociationHandle {
        AssociationHandle::new(Arc::clone(&**self.state))
    }

    /// Returns the messages that were sent since the last call of this method, in order, except
    /// those of calls.
    #[must_use]
    pub fn sent(&self) -> Vec<Message> {
        std::mem::take(&mut self.look().sent)
    }

    /// Waits for the next call of the service.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe. Only one task may wait at a time.
    pub async fn next_call(&self) -> RecordedCall {
        poll_fn(|cx| {
            self.state.register(cx.waker());
            match self.look().calls.pop_front() {
                Some(call) => Poll::Ready(call),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Returns the shutdown that was requested through a handle.
    #[must_use]
    pub fn shutdown(&self) -> Option<Shutdown> {
        self.look().shutdown.clone()
    }

    /// Returns `true` if a handle [leaves the SHUTDOWN to the peer](AssociationHandle::expect_shutdown).
    #[must_use]
    pub fn expects_shutdown(&self) -> bool {
        self.look().expects_shutdown
    }

    /// Returns `true` if a handle has begun a graceful shutdown.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.drain().is_cancelled()
    }

    /// Closes the association, as if by the peer or the network.
    ///
    /// Handles accept nothing from now on, and calls in flight fail.
    pub fn close(&self, end: End) {
        let calls = std::mem::take(&mut self.look().calls);
        self.state.end(Some(end), None);
        drop(calls);
    }

    fn look(&self) -> MutexGuard<'_, Recorded> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.state.take();
        for submission in taken.submitted {
            match submission {
                Submission::OneWay { message, .. } => recorded.sent.push(message),
                Submission::Call {
                    message, waiter, ..
                } => recorded.calls.push_back(RecordedCall { message, waiter }),
            }
        }
        recorded.expects_shutdown |= taken.expects_shutdown;
        if taken.shutdown.is_some() {
            recorded.shutdown = taken.shutdown.map(|shutdown| *shutdown);
        }
        recorded
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// Call of a service to the peer, returned by [`Recorder::next_call`].
///
/// Dropping it fails the call.
#[must_use = "the call fails when it is dropped"]
pub struct RecordedCall {
    message: Message,
    waiter: Waiter,
}

impl RecordedCall {
    /// Returns the message of the call.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Completes the call with a reply.
    pub fn reply(self, message: impl Into<Message>) {
        let reply = received(message.into(), numbered(FIRST).assoc());
        self.waiter.finish(Ok(reply));
    }
}

impl fmt::Debug for RecordedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedCall")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

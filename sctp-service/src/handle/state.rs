//! State shared by the session of an association and its handles.

use std::{
    collections::VecDeque,
    mem,
    ops::Deref,
    sync::{Arc, PoisonError, Weak, atomic::AtomicU64},
    task::Waker,
    time::Duration,
};

use sctp_core::AbortReason;
use sctp_tokio::{End, Message, Received, SendError, Side};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    call::{Abandon, Call, SendWaiter, Ticket, Waiter, task_gone},
    error::{CallError, Cause, Refusal},
    observer::Observer,
    room::{CallRoom, Place, Room},
    silence::Silence,
};
use crate::{
    Config, ConnectInfo, Shutdown,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    timer::later,
};

/// Next identifier, for all servers of the process.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// State of one association, until its end or its peer's restart. It holds neither transport nor
/// task, so whoever keeps it keeps nothing of them.
pub(crate) struct HandleState {
    id: u64,
    /// Cancelled when the server is to shut down.
    drain: CancellationToken,
    info: ConnectInfo,
    config: Arc<Config>,
    /// The longest message that the transport can send, where it knows.
    max_message: Option<usize>,
    /// The current number of outbound streams, which may have grown.
    outbound_streams: AtomicU16,
    /// Replies can be told from requests, so that calls can be made.
    is_correlated: bool,
    /// Somebody watches for silence of the peer.
    is_watched: AtomicBool,
    /// There is something in `core` that the session has not seen. It looks here and not there: with
    /// every poll, and mostly there is nothing.
    pending: AtomicBool,
    /// The session has made its service.
    opened: AtomicBool,
    /// Nothing more is accepted. A copy of what `core` says, for those who look often.
    closed: AtomicBool,
    /// Further calls are better made elsewhere: this end drains, or the peer has announced its
    /// SHUTDOWN.
    is_leaving: AtomicBool,
    /// The time at which the association came up.
    since: Instant,
    core: Mutex<Core>,
}

struct Core {
    phase: Phase,
    submitted: VecDeque<Submission>,
    /// A call was dropped since the session looked last.
    has_dropped_calls: bool,
    shutdown: Option<Box<Shutdown>>,
    /// The peer has announced its SHUTDOWN: no call is accepted. `true` until the session has it.
    expects_shutdown: bool,
    peer_leaves: bool,
    silence: Option<Box<Silence>>,
    /// The reason that this end gave in an ABORT. Boxed, since few associations have one.
    abort_reason: Option<Box<AbortReason>>,
    room: Option<Arc<Room>>,
    session: Option<Waker>,
    /// Set from the first restart of the peer on.
    latest: Option<Latest>,
}

/// The state that an association has after restarts of the peer. All its states share this place, so
/// that an old one keeps none of the later ones.
type Latest = Arc<Mutex<Weak<HandleState>>>;

enum Phase {
    /// Only the handshake speaks.
    Handshaking,
    Open,
    /// Nothing more is accepted, since this end or the peer shuts down.
    ShuttingDown(Side),
    /// `None` if the task was dropped.
    Over(Option<Box<End>>),
    /// The peer has restarted, and the association goes on with this state.
    Restarted(Latest),
}

/// Sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Waits until the handshake has ended.
    Handle,
    Handshake,
}

/// Submissions since the session looked last.
pub(crate) struct Taken {
    pub(crate) submitted: VecDeque<Submission>,
    pub(crate) has_dropped_calls: bool,
    pub(crate) shutdown: Option<Box<Shutdown>>,
    pub(crate) expects_shutdown: bool,
}

/// A message that a handle handed in.
pub(crate) enum Submission {
    OneWay {
        message: Message,
        /// `None` if the message has room in the queue of the handles, and nobody waits.
        waiter: Option<SendWaiter>,
    },
    Call {
        message: Message,
        waiter: Waiter,
        deadline: Option<Instant>,
    },
}

/// The number of submissions that the session never took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Untaken {
    pub(crate) sends: usize,
    pub(crate) calls: usize,
}

impl Submission {
    /// Fails a call or message that was not sent.
    fn discard(self, error: &CallError) {
        match self {
            Self::OneWay { waiter, .. } => {
                if let Some(waiter) = waiter {
                    waiter.finish(Err(error.clone()));
                }
            }
            Self::Call { waiter, .. } => waiter.finish(Err(error.clone())),
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }

    /// Returns `true` if it is of a client, and not of a handle, which a restart closes.
    fn is_of_client(&self) -> bool {
        match self {
            Self::OneWay { waiter, .. } => waiter.is_some(),
            Self::Call { waiter, .. } => waiter.room.is_none(),
        }
    }
}

impl HandleState {
    pub(crate) fn new(
        drain: CancellationToken,
        info: ConnectInfo,
        config: Arc<Config>,
        max_message: Option<usize>,
        is_correlated: bool,
    ) -> Arc<Self> {
        let core = Core {
            phase: Phase::Handshaking,
            submitted: VecDeque::new(),
            has_dropped_calls: false,
            shutdown: None,
            expects_shutdown: false,
            peer_leaves: false,
            silence: None,
            abort_reason: None,
            room: None,
            session: None,
            latest: None,
        };
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            drain,
            outbound_streams: AtomicU16::new(info.outbound_streams()),
            info,
            config,
            max_message,
            is_correlated,
            is_watched: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            since: Instant::now(),
            core: Mutex::new(core),
        })
    }

    pub(crate) fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn info(&self) -> &ConnectInfo {
        &self.info
    }

    pub(super) async fn send(&self, message: Message, speaker: Speaker) -> Result<(), SendError> {
        self.check(&message)?;
        let room = self.room_for(speaker).await?;
        let place = room.acquire(message.payload.len()).await;
        self.accept(message, place)
    }

    pub(super) fn try_send(&self, message: Message) -> Result<(), SendError> {
        self.check(&message)?;
        let Some(room) = self.room(Speaker::Handle)? else {
            return Err(SendError::Io(std::io::ErrorKind::WouldBlock.into()));
        };
        let place = room.try_acquire(message.payload.len())?;
        self.accept(message, place)
    }

    /// Refuses what the transport would refuse, while there is somebody to tell.
    fn check(&self, message: &Message) -> Result<(), SendError> {
        let (len, stream) = (message.payload.len(), message.info.stream);
        let negotiated = self.outbound_streams.load(Ordering::Relaxed);
        if len == 0 {
            Err(SendError::Empty)
        } else if let Some(limit) = self.max_message.filter(|max| len > *max) {
            Err(SendError::TooLarge { len, limit })
        } else if stream.get() >= negotiated {
            Err(SendError::InvalidStream { stream, negotiated })
        } else {
            Ok(())
        }
    }

    /// Returns the room for messages, or `None` while only the handshake has it.
    fn room(&self, speaker: Speaker) -> Result<Option<Arc<Room>>, SendError> {
        let mut core = self.lock();
        core.phase.check()?;
        let is_early = speaker == Speaker::Handle && matches!(core.phase, Phase::Handshaking);
        Ok((!is_early).then(|| core.room(&self.config)))
    }

    /// Waits until the handshake has ended, and returns the room for messages.
    async fn room_for(&self, speaker: Speaker) -> Result<Arc<Room>, SendError> {
        loop {
            if let Some(room) = self.room(speaker)? {
                return Ok(room);
            }
            let room = self.lock().room(&self.config);
            let mut opened = std::pin::pin!(room.opened.notified());
            // Before the look, or an end of the handshake between the two would go unnoticed.
            opened.as_mut().enable();
            if self.is_handshaking() {
                opened.await;
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        matches!(self.lock().phase, Phase::Handshaking)
    }

    fn accept(&self, message: Message, place: Option<Place<'_>>) -> Result<(), SendError> {
        let mut core = self.lock();
        core.phase.check()?;
        // Room is closed when `phase` says so already, so without a place it has failed.
        let Some(place) = place else {
            return Err(SendError::ShuttingDown);
        };
        place.keep();
        core.submitted.push_back(Submission::OneWay {
            message,
            waiter: None,
        });
        self.wake(core);
        Ok(())
    }

    /// Makes a call, and waits for its reply.
    pub(super) async fn request(
        self: Arc<Self>,
        message: Message,
        within: Option<Duration>,
        speaker: Speaker,
    ) -> Result<Received, CallError> {
        self.check_call(&message)?;
        self.check_correlated()?;
        let deadline = within.map(|within| later(Instant::now(), within));
        let len = message.payload.len();
        let admitted = async { self.room_for(speaker).await.ok()?.acquire_call(len).await };
        let (permit, room) = self
            .admitted(admitted, deadline)
            .await?
            .ok_or_else(|| self.call_refused())?;
        self.submit(message, permit, room, deadline).await
    }

    /// Makes a call that has a place.
    pub(super) fn call_with(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
    ) -> Call {
        let room = match self.check_call(&message).and_then(|()| self.call_room()) {
            Ok(room) => room,
            Err(error) => return Call::failed(error),
        };
        let len = message.payload.len();
        let is_open = !self.is_handshaking();
        if is_open && let Some(room) = room.try_acquire_for_call(len) {
            return self.submit(message, permit, room, None);
        }
        let state = Arc::clone(self);
        Call::admitting(async move {
            let admitted = async {
                let room = state.room_for(Speaker::Handle).await.ok()?;
                room.acquire_for_call(len).await
            };
            let room = state
                .admitted(admitted, None)
                .await?
                .ok_or_else(|| state.call_refused())?;
            state.submit(message, permit, room, None).await
        })
    }

    /// Returns the places of calls.
    pub(super) fn call_places(&self) -> Result<Arc<Semaphore>, CallError> {
        Ok(Arc::clone(self.call_room()?.calls()))
    }

    /// Returns the error of a call that is no longer accepted.
    pub(super) fn call_refused(&self) -> CallError {
        let cause = match &self.lock().phase {
            Phase::ShuttingDown(Side::Peer) => Cause::ShutDown,
            Phase::Handshaking | Phase::Open | Phase::ShuttingDown(_) => Cause::Closed,
            Phase::Over(Some(end)) => Cause::from(&**end),
            Phase::Over(None) => Cause::Closed,
            Phase::Restarted(_) => Cause::Restarted,
        };
        CallError::not_sent(cause)
    }

    /// Waits for room, as long as the call may take.
    async fn admitted<R>(
        &self,
        admitted: impl Future<Output = R>,
        deadline: Option<Instant>,
    ) -> Result<R, CallError> {
        let timeout = || {
            self.config
                .call_timeout
                .map(|time| later(Instant::now(), time))
        };
        match deadline.or_else(timeout) {
            Some(deadline) => timeout_at(deadline, admitted)
                .await
                .map_err(|_| CallError::not_sent(Cause::TimedOut)),
            None => Ok(admitted.await),
        }
    }

    fn submit(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
        room: CallRoom,
        deadline: Option<Instant>,
    ) -> Call {
        let mut core = self.lock();
        if core.phase.check().is_err() || core.peer_leaves {
            drop(core);
            return Call::failed(self.call_refused());
        }
        let (reply, result) = oneshot::channel();
        core.submitted.push_back(Submission::Call {
            message,
            waiter: Waiter {
                reply,
                permit,
                room: Some(room),
            },
            deadline,
        });
        self.wake(core);
        let task: Arc<Self> = Arc::clone(self);
        Call::waiting(result, Ticket::new(task))
    }

    /// Makes a call of a client; after a restart, on the association as it is now.
    pub(crate) fn call_of_client(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
        deadline: Option<Instant>,
    ) -> Call {
        let (reply, result) = oneshot::channel();
        let task = self.submit_of_client(Submission::Call {
            message,
            waiter: Waiter {
                reply,
                permit,
                room: None,
            },
            deadline,
        });
        Call::waiting(result, Ticket::new(task))
    }

    /// Sends a one-way message of a client, and waits until the transport has taken it.
    pub(crate) async fn send_of_client(
        self: &Arc<Self>,
        message: Message,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), CallError> {
        let (done, result) = oneshot::channel();
        let task = self.submit_of_client(Submission::OneWay {
            message,
            waiter: Some(SendWaiter { done, permit }),
        });
        // Dropped after the channel, by which the session finds the message to take back.
        let mut ticket = Ticket::new(task);
        let result = result.await;
        ticket.finish();
        result.unwrap_or_else(|_| Err(task_gone()))
    }

    /// Returns the state that has it, or has refused it.
    fn submit_of_client(self: &Arc<Self>, submission: Submission) -> Arc<Self> {
        let mut core = self.lock();
        if core.phase.check().is_ok() && self.takes_calls() {
            core.submitted.push_back(submission);
            self.wake(core);
            return Arc::clone(self);
        }
        let next = core.phase.next();
        drop(core);
        match next {
            Some(next) => next.submit_of_client(submission),
            None => {
                submission.discard(&self.call_refused());
                Arc::clone(self)
            }
        }
    }

    fn call_room(&self) -> Result<Arc<Room>, CallError> {
        self.check_correlated()?;
        let mut core = self.lock();
        if core.phase.check().is_err() || core.peer_leaves {
            drop(core);
            return Err(self.call_refused());
        }
        Ok(core.room(&self.config))
    }

    fn check_correlated(&self) -> Result<(), CallError> {
        match self.is_correlated {
            true => Ok(()),
            false => Err(CallError::refused(Refusal::NoCorrelation)),
        }
    }

    /// Refuses what the transport would refuse. The stream may still be chosen.
    fn check_call(&self, message: &Message) -> Result<(), CallError> {
        match self.check(message) {
            Ok(()) | Err(SendError::InvalidStream { .. }) => Ok(()),
            Err(error) => Err(CallError::refused(Refusal::Send(error))),
        }
    }

    pub(super) fn shutdown(&self, shutdown: Shutdown) -> Result<(), SendError> {
        let mut core = self.lock();
        let room = match core.phase.check() {
            Ok(()) => self.close_core(&mut core, Side::Local),
            Err(SendError::ShuttingDown) if shutdown == Shutdown::AfterAck => return Ok(()),
            Err(SendError::ShuttingDown) => None,
            Err(error) => return Err(error),
        };
        if !matches!(core.shutdown.as_deref(), Some(Shutdown::Abort(_))) {
            core.shutdown = Some(Box::new(shutdown));
        }
        self.wake(core);
        if let Some(room) = room {
            room.close();
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns the state that the association has after restarts of the peer, if it is not this one.
    pub(crate) fn next(&self) -> Option<Arc<Self>> {
        self.lock().phase.next()
    }

    /// Returns the end of the association.
    pub(crate) fn ended(&self) -> Option<End> {
        self.lock().phase.end().and_then(|end| end.cloned())
    }

    /// Records the reason of an abort by this end.
    pub(crate) fn note_abort(&self, reason: &AbortReason) {
        self.lock().abort_reason = Some(Box::new(reason.clone()));
    }

    pub(super) fn abort_reason(&self) -> Option<AbortReason> {
        self.lock().abort_reason.as_deref().cloned()
    }

    /// Returns `true` once the session has made its service.
    pub(crate) fn is_opened(&self) -> bool {
        self.opened.load(Ordering::Acquire)
    }

    /// Returns the time since the association came up.
    pub(crate) fn lasted(&self) -> Duration {
        self.since.elapsed()
    }

    /// Leaves SHUTDOWN to the peer.
    pub(super) fn expect_shutdown(&self) {
        let mut core = self.lock();
        if core.phase.check().is_err() || core.peer_leaves {
            return;
        }
        core.peer_leaves = true;
        core.expects_shutdown = true;
        self.note_drain();
        let room = core.room.clone();
        self.wake(core);
        if let Some(room) = room {
            room.calls().close();
            changed(&room);
        }
    }

    /// Begins to drain the association. Does nothing if it has ended or the peer has restarted: the
    /// association that there is then is another.
    pub(crate) fn begin_drain(&self) {
        if self.lock().phase.end().is_some() {
            return;
        }
        self.note_drain();
        // The lock is released by now: this wakes, and waking may run anything.
        self.drain.cancel();
    }

    /// Has further calls be made elsewhere.
    pub(crate) fn note_drain(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    /// Returns `true` while further calls are to be made on this association: no end has begun, this
    /// end does not drain, and the peer has not announced its SHUTDOWN. The handshake may not have
    /// ended yet.
    pub(crate) fn takes_calls(&self) -> bool {
        !self.is_leaving.load(Ordering::Acquire) && !self.is_closed()
    }

    /// Returns `true` if the association is open for new work.
    pub(super) fn is_open(&self) -> bool {
        self.is_opened() && self.takes_calls() && !self.drain.is_cancelled()
    }

    /// Has an observer told of what happens from now on. Returns `false` if the association has ended.
    pub(crate) fn observe(&self, observer: Arc<dyn Observer>) -> bool {
        let mut core = self.lock();
        if core.phase.end().is_some() {
            return false;
        }
        core.room(&self.config).observers().push(observer);
        true
    }

    /// Begins to watch for silence.
    pub(super) fn watch(&self) {
        let mut core = self.lock();
        let silence = core.silence.get_or_insert_with(|| Box::new(Silence::new()));
        silence.watchers += 1;
        if silence.watchers == 1 {
            self.is_watched.store(true, Ordering::Relaxed);
            // A session that rests says only now if it reads.
            self.wake(core);
        }
    }

    pub(super) fn unwatch(&self) {
        let mut core = self.lock();
        let Some(silence) = &mut core.silence else {
            return;
        };
        silence.watchers -= 1;
        if silence.watchers == 0 {
            core.silence = None;
            self.is_watched.store(false, Ordering::Relaxed);
        }
    }

    /// Returns the time at which the peer was last heard of, or could have been.
    pub(super) fn last_heard(&self) -> Option<Instant> {
        let core = self.lock();
        let silence = core.silence.as_ref()?;
        // Nobody holds a peer back that is gone.
        let is_heard = silence.is_reading || core.phase.end().is_some();
        Some(match is_heard {
            true => silence.last_heard,
            false => Instant::now(),
        })
    }

    /// Has the session look here.
    pub(super) fn notify(&self) {
        self.wake(self.lock());
    }

    pub(super) async fn closed(&self) -> Option<End> {
        loop {
            let room = {
                let mut core = self.lock();
                if let Some(end) = core.phase.end() {
                    return end.cloned();
                }
                core.room(&self.config)
            };
            let mut ended = std::pin::pin!(room.ended.notified());
            // Before the look, or an end between the two would go unnoticed.
            ended.as_mut().enable();
            let is_over = self.lock().phase.end().is_some();
            if !is_over {
                ended.await;
            }
        }
    }

    /// Tells the session. It may be running already: a wake-up too many is harmless.
    fn wake(&self, core: MutexGuard<'_, Core>) {
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let session = core.session.clone();
        // Released before waking, which may run anything.
        drop(core);
        if let Some(session) = session {
            session.wake();
        }
    }

    /// Accepts nothing more. What it returns is to be closed when the lock is released: that wakes
    /// those who wait, and waking may run anything.
    #[must_use]
    fn close_core(&self, core: &mut Core, by: Side) -> Option<Arc<Room>> {
        core.phase = Phase::ShuttingDown(by);
        self.closed.store(true, Ordering::Release);
        core.room.clone()
    }

    /// Nothing here can be left half done by a panic, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session's side.
impl HandleState {
    /// Names the task to wake; before it looks whether there is something.
    pub(crate) fn register(&self, session: &Waker) {
        // Cloned and dropped outside of the lock: a waker may run anything.
        let session = session.clone();
        let earlier = self.lock().session.replace(session);
        drop(earlier);
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Taken {
        let mut core = self.lock();
        self.pending.store(false, Ordering::Release);
        Taken {
            submitted: mem::take(&mut core.submitted),
            has_dropped_calls: mem::take(&mut core.has_dropped_calls),
            shutdown: core.shutdown.take(),
            expects_shutdown: mem::take(&mut core.expects_shutdown),
        }
    }

    /// The transport has taken a message of this length, or refused it.
    pub(crate) fn give_back(&self, len: usize) {
        let room = self.lock().room.clone();
        if let Some(room) = room {
            room.give_back(len);
        }
    }

    /// The handshake has ended: handles speak.
    pub(crate) fn open(&self) {
        let mut core = self.lock();
        if !matches!(core.phase, Phase::Handshaking) {
            return;
        }
        core.phase = Phase::Open;
        self.opened.store(true, Ordering::Release);
        let room = core.room.clone();
        drop(core);
        if let Some(room) = room {
            room.opened.notify_waiters();
            changed(&room);
        }
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// The peer was heard of.
    pub(crate) fn note_heard(&self) {
        if let Some(silence) = &mut self.lock().silence {
            silence.last_heard = Instant::now();
        }
    }

    /// The session reads, or holds the peer back.
    pub(crate) fn note_reading(&self, is_reading: bool) {
        if let Some(silence) = &mut self.lock().silence {
            let was_reading = mem::replace(&mut silence.is_reading, is_reading);
            if is_reading && !was_reading {
                silence.last_heard = Instant::now();
            }
        }
    }

    pub(crate) fn outbound_streams(&self) -> u16 {
        self.outbound_streams.load(Ordering::Relaxed)
    }

    pub(crate) fn set_outbound_streams(&self, streams: u16) {
        self.outbound_streams.store(streams, Ordering::Relaxed);
    }

    /// Accepts nothing more. What was accepted is still to be taken.
    pub(crate) fn close(&self, by: Side) {
        self.close_if(by, |_| true);
    }

    /// Like [`close`](Self::close), unless something was accepted that the session has not taken.
    /// Returns `false` then.
    pub(crate) fn try_close(&self) -> bool {
        self.close_if(Side::Local, |core| core.submitted.is_empty())
    }

    fn close_if(&self, by: Side, may_close: impl FnOnce(&Core) -> bool) -> bool {
        let mut core = self.lock();
        if core.phase.check().is_err() {
            return true;
        }
        if !may_close(&core) {
            return false;
        }
        let room = self.close_core(&mut core, by);
        drop(core);
        if let Some(room) = room {
            room.close();
        }
        true
    }

    /// It is over. Returns the number of what was accepted and never taken. Calls among it fail with
    /// the cause.
    pub(crate) fn end(&self, end: Option<End>, cause: Option<&Cause>) -> Untaken {
        let Some(mut core) = self.lock_last() else {
            return Untaken::default();
        };
        let left = mem::take(&mut core.submitted);
        self.leave(core, Phase::Over(end.map(Box::new)), left, cause)
    }

    /// Enters a last phase, and discards what was never taken.
    fn leave(
        &self,
        mut core: MutexGuard<'_, Core>,
        phase: Phase,
        left: VecDeque<Submission>,
        cause: Option<&Cause>,
    ) -> Untaken {
        let room = self.close_core(&mut core, Side::Local);
        core.phase = phase;
        let session = core.session.take();
        drop(core);
        // Outside the lock: the last of a waker may drop a whole task.
        drop(session);
        if let Some(room) = room {
            room.close();
            room.ended.notify_waiters();
        }
        let error = match cause {
            Some(cause) => CallError::not_sent(cause.clone()),
            None => self.call_refused(),
        };
        let calls = left.iter().filter(|it| it.is_call()).count();
        let untaken = Untaken {
            sends: left.len() - calls,
            calls,
        };
        for submission in left {
            submission.discard(&error);
        }
        untaken
    }

    /// Tells all observers that the association has ended, and returns the lock under which there are
    /// none. `None` if it had ended before.
    fn lock_last(&self) -> Option<MutexGuard<'_, Core>> {
        loop {
            let core = self.lock();
            if core.phase.end().is_some() {
                return None;
            }
            let observers = core
                .room
                .as_ref()
                .map(|room| mem::take(&mut *room.observers()));
            let observers = observers.unwrap_or_default();
            if observers.is_empty() {
                return Some(core);
            }
            drop(core);
            for observer in observers {
                observer.ended();
            }
        }
    }

    /// Makes the state of the association after a restart of the peer, and ends this one. What a
    /// client submitted, and the session has not taken, goes there.
    pub(crate) fn renewed(&self, info: ConnectInfo) -> (StateOwner, Untaken) {
        let mut next = Self::new(
            self.drain.clone(),
            info,
            Arc::clone(&self.config),
            self.max_message,
            self.is_correlated,
        );
        let Some(mut core) = self.lock_last() else {
            return (StateOwner::new(next), Untaken::default());
        };
        let (kept, left): (VecDeque<_>, VecDeque<_>) = mem::take(&mut core.submitted)
            .into_iter()
            .partition(Submission::is_of_client);
        if let Some(next) = Arc::get_mut(&mut next) {
            next.since = self.since;
        }
        let latest = core.latest.take();
        let latest = latest.unwrap_or_else(|| Arc::new(Mutex::new(Weak::new())));
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&next);
        {
            let mut after = next.lock();
            after.latest = Some(Arc::clone(&latest));
            after.session = core.session.clone();
            after.has_dropped_calls = core.has_dropped_calls;
            after.submitted = kept;
            let is_pending = after.has_dropped_calls || !after.submitted.is_empty();
            next.pending.store(is_pending, Ordering::Release);
        }
        let left = self.leave(core, Phase::Restarted(latest), left, None);
        (StateOwner::new(next), left)
    }
}

/// The state of an association in the hands of whoever serves it. Dropping it ends the association
/// for all handles, so that nobody waits for a session that never began or was dropped.
pub(crate) struct StateOwner(Arc<HandleState>);

impl StateOwner {
    pub(crate) fn new(state: Arc<HandleState>) -> Self {
        Self(state)
    }
}

impl Deref for StateOwner {
    type Target = Arc<HandleState>;

    fn deref(&self) -> &Arc<HandleState> {
        &self.0
    }
}

impl Drop for StateOwner {
    fn drop(&mut self) {
        // Nothing happens after an end that was seen.
        self.0.end(None, None);
    }
}

impl Abandon for HandleState {
    fn abandoned(&self) {
        let mut core = self.lock();
        if let Some(next) = core.phase.next() {
            drop(core);
            return next.abandoned();
        }
        core.has_dropped_calls = true;
        self.wake(core);
    }
}

impl Core {
    fn room(&mut self, config: &Config) -> Arc<Room> {
        let room = self.room.get_or_insert_with(|| Arc::new(Room::new(config)));
        Arc::clone(room)
    }
}

/// Tells the observers of a change.
fn changed(room: &Room) {
    let observers = room.observers().clone();
    for observer in observers {
        observer.changed();
    }
}

impl Phase {
    fn check(&self) -> Result<(), SendError> {
        Err(match self {
            Self::Handshaking | Self::Open => return Ok(()),
            Self::ShuttingDown(_) => SendError::ShuttingDown,
            Self::Over(Some(end)) => SendError::Closed(end.as_ref().clone()),
            Self::Over(None) | Self::Restarted(_) => SendError::NoAssociation,
        })
    }

    /// Returns the end of the association if this is a last phase.
    fn end(&self) -> Option<Option<&End>> {
        match self {
            Self::Handshaking | Self::Open | Self::ShuttingDown(_) => None,
            Self::Over(end) => Some(end.as_deref()),
            Self::Restarted(_) => Some(None),
        }
    }

    /// Returns the state that has taken the place of this one when the peer restarted.
    fn next(&self) -> Option<Arc<HandleState>> {
        match self {
            Self::Restarted(latest) => {
                let latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
                latest.upgrade()
            }
            _ => None,
        }
    }
}

#[cfg(all(test, sctp_loom))]
#[path = "models.rs"]
mod models;

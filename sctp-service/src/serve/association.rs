//! Serving a single association.

use std::{
    fmt,
    future::{Future, IntoFuture, pending, poll_fn},
    marker::PhantomData,
    pin::{Pin, pin},
    sync::Arc,
};

use sctp_tokio::{End, Side};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::accept::span;
use crate::{
    AssociationHandle, Config, Correlation, ServerEvent, Transport,
    drain_hook::DrainHook,
    event::EventHook,
    handle::{HandleState, StateOwner},
    make::MakeService,
    session::Session,
};

/// Serves one established association, such as one that a client connected. Resolves to its end
/// when the association has closed.
///
/// The association is served as by [`serve`](crate::serve()): in SCTP either end can send requests,
/// whichever connected. This end can also send messages, through an
/// [`AssociationHandle`](crate::AssociationHandle) or a [`SendHalf`](sctp_tokio::SendHalf) of the
/// association. With a [correlation](ServeAssociation::with_correlation) a handle makes calls.
/// Without one, answers of the peer are requests for the service, like any message.
///
/// ```no_run
/// use sctp_service::{Payload, serve_association};
/// use sctp_tokio::Association;
///
/// /// Answers the questions of the other end, and takes its answers.
/// async fn answer(Payload(payload): Payload) -> Option<Payload> {
///     payload.starts_with(b"?").then_some(Payload(payload))
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let sender = association.sender();
/// let serving = tokio::spawn(serve_association(association, answer).into_future());
/// sender.send("?who are you").await?;
/// println!("{}", serving.await?);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// The future runs where it is awaited, not in a task of its own. Unlike with
/// [`serve`](crate::serve()), dropping it drops the requests in flight and the transport. The
/// kernel then shuts the association down, or aborts it if messages are unread.
pub fn serve_association<T, M, K>(transport: T, make_service: M) -> ServeAssociation<T, M, K>
where
    T: Transport,
    M: MakeService<K>,
    K: 'static,
{
    ServeAssociation {
        transport,
        make: make_service,
        config: Config::default(),
        correlation: None,
        initiated_by: Side::Local,
        events: EventHook::default(),
        drain_hook: None,
        signal: Box::pin(pending()),
        state: None,
        run: |this| Box::pin(this.run()),
        kind: PhantomData,
    }
}

/// An association to be served, created by [`serve_association`].
#[must_use = "an association is not served until this is awaited"]
pub struct ServeAssociation<T, M, K> {
    transport: T,
    make: M,
    config: Config,
    correlation: Option<Correlation>,
    initiated_by: Side,
    events: EventHook,
    drain_hook: Option<DrainHook>,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Created by `handle`, or when the association is served.
    state: Option<StateOwner>,
    /// Starts the session, as in [`Serve`](crate::Serve).
    run: fn(Self) -> Pin<Box<dyn Future<Output = End> + Send>>,
    kind: PhantomData<fn() -> K>,
}

impl<T, M, K> ServeAssociation<T, M, K> {
    /// Shuts the association down when the future resolves, as
    /// [`Serve::with_graceful_shutdown`](crate::Serve::with_graceful_shutdown) does.
    pub fn with_graceful_shutdown<F>(mut self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.signal = Box::pin(signal);
        self
    }

    /// Replaces all limits and timeouts. Settings of a server, such as
    /// [`max_associations`](Config::max_associations), have no effect.
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Enables calls to the peer with
    /// [`AssociationHandle::request`](crate::AssociationHandle::request).
    ///
    /// The correlation distinguishes replies from requests, and matches each reply with its call.
    /// By default there is none: every message is a request, and calls are refused.
    pub fn with_correlation(mut self, correlation: impl Into<Correlation>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Sets the end that initiated the association, as
    /// [`IncomingAssociation::initiated_by`](crate::IncomingAssociation::initiated_by) returns it.
    ///
    /// Defaults to [`Side::Local`].
    pub fn with_initiated_by(mut self, side: Side) -> Self {
        self.initiated_by = side;
        self
    }

    /// Sets a function that runs when the association begins to drain. See
    /// [`Serve::on_drain`](crate::Serve::on_drain).
    pub fn on_drain<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(AssociationHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.drain_hook = Some(DrainHook::new(hook));
        self
    }

    /// Adds a hook that is called with each event of the association.
    ///
    /// Several hooks are called in the order in which they were added. They should be quick, and must
    /// not block.
    pub fn on_event(mut self, hook: impl Fn(&ServerEvent<'_>) + Send + Sync + 'static) -> Self {
        self.events = self.events.with(hook);
        self
    }
}

impl<T, M, K> ServeAssociation<T, M, K>
where
    T: Transport,
    M: MakeService<K>,
    K: 'static,
{
    /// Returns the handle of the association, for sending messages, making calls and closing the
    /// association.
    ///
    /// Its messages and calls wait until the association is served and open. Call this method after
    /// all settings: later settings do not affect the handle.
    pub fn handle(&mut self) -> AssociationHandle {
        AssociationHandle::new(Arc::clone(self.state()))
    }

    fn state(&mut self) -> &Arc<HandleState> {
        let state = self.take_state();
        self.state.insert(state)
    }

    fn take_state(&mut self) -> StateOwner {
        self.state.take().unwrap_or_else(|| {
            StateOwner::new(HandleState::new(
                CancellationToken::new(),
                self.transport
                    .connect_info()
                    .with_initiated_by(self.initiated_by),
                Arc::new(self.config.clone()),
                self.transport.max_message(),
                self.correlation.is_some(),
            ))
        })
    }

    async fn run(mut self) -> End {
        let span = span(&self.transport.connect_info());
        let state = self.take_state();
        let drain = state.urgent_drain().clone();
        let config = Arc::new(self.config);
        let session = Session::new(
            self.transport,
            self.make,
            config,
            self.events,
            state,
            self.correlation.as_ref(),
        )
        .with_drain_hook(self.drain_hook);
        let mut served = pin!(session.run(|ended| ended.end).instrument(span));
        let mut signal = Some(self.signal);
        poll_fn(|cx| {
            if let Some(waiting) = &mut signal
                && waiting.as_mut().poll(cx).is_ready()
            {
                signal = None;
                drain.cancel();
            }
            served.as_mut().poll(cx)
        })
        .await
    }
}

impl<T, M, K> IntoFuture for ServeAssociation<T, M, K> {
    type Output = End;
    type IntoFuture = Pin<Box<dyn Future<Output = End> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self)
    }
}

impl<T: fmt::Debug, M, K> fmt::Debug for ServeAssociation<T, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeAssociation")
            .field("transport", &self.transport)
            .field("config", &self.config)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

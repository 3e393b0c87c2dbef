//! Limits and times of a client.

use std::time::Duration;

use super::Backoff;
use crate::Config;

/// Limits and times of a client: each has a safe default.
///
/// What a client can hold in memory is at most: its calls in flight, each with its request until
/// that is sent; and what its service may hold, as [`Config`] says.
///
/// A time of `Duration::MAX` is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Number of calls and one-way sends that are under way at once, at least 1, with those that wait
    /// for a stream. At the limit `poll_ready` waits.
    ///
    /// Defaults to 256.
    pub max_in_flight: usize,
    /// The time that a call may take, from when the association has accepted it. `None` is for ever: a
    /// server that never answers then holds the call until the association ends.
    ///
    /// Defaults to 30 seconds.
    pub call_timeout: Option<Duration>,
    /// The time for which the reply to a call that was dropped or timed out is still awaited. After
    /// that its stream counts as dead: it is not used before the reply has come after all. An
    /// association without a stream that is alive is aborted, with the reason `no reply`. With a
    /// [`Correlator`](crate::Correlator) its identifier is free again; and only as many such
    /// calls as `max_in_flight` are remembered, the last ones.
    ///
    /// Defaults to 30 seconds.
    pub overdue_after: Duration,
    /// The time that one attempt to set up an association may take.
    ///
    /// Defaults to 10 seconds.
    pub connect_timeout: Duration,
    /// The time that an orderly end may take once the last call is finished: longer, and the peer is
    /// aborted with the reason `shutdown timed out`.
    ///
    /// Defaults to 10 seconds.
    pub shutdown_timeout: Duration,
    /// The time that a graceful shutdown of the client or of an association may take. Calls that are
    /// in flight and requests of the peer that are served after this time are cut off, and the
    /// association is aborted with the reason `drain timed out`. A time that is not longer than
    /// `call_timeout` can cut calls off before their own time is up.
    ///
    /// Defaults to 40 seconds, more than the default of `call_timeout`.
    pub drain_timeout: Duration,
    /// Limits of the requests of the peer and of their replies, for a client that
    /// [serves](super::ClientBuilder::serving), and of messages of its
    /// [`AssociationHandle`](crate::AssociationHandle)s. What is said here of calls and of shutting
    /// down holds for the client, and not what is said there.
    ///
    /// Defaults to [`Config::default`].
    pub serving: Config,
    /// Behaviour of a call while there is no association and the next attempt is not yet due:
    /// `false`, it fails at once with [`Cause::NotConnected`](crate::Cause::NotConnected) or the
    /// last end; `true`, `poll_ready` waits.
    ///
    /// Defaults to `false`; a pool sets it, so that other servers are chosen meanwhile.
    pub wait_for_connection: bool,
    /// The pauses between attempts to set up an association.
    ///
    /// Defaults to a pause from 100 milliseconds to 10 seconds.
    pub backoff: Backoff,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_in_flight: 256,
            call_timeout: Some(Duration::from_secs(30)),
            overdue_after: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(40),
            serving: Config::default(),
            wait_for_connection: false,
            backoff: Backoff::default(),
        }
    }
}

impl ClientConfig {
    /// Begins with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`max_in_flight`](Self::max_in_flight).
    #[must_use]
    pub fn with_max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets [`call_timeout`](Self::call_timeout).
    #[must_use]
    pub fn with_call_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call_timeout = timeout.into();
        self
    }

    /// Sets [`overdue_after`](Self::overdue_after).
    #[must_use]
    pub fn with_overdue_after(mut self, overdue: Duration) -> Self {
        self.overdue_after = overdue;
        self
    }

    /// Sets [`connect_timeout`](Self::connect_timeout).
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`shutdown_timeout`](Self::shutdown_timeout).
    #[must_use]
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets [`drain_timeout`](Self::drain_timeout).
    #[must_use]
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Sets [`serving`](Self::serving).
    #[must_use]
    pub fn with_serving(mut self, limits: Config) -> Self {
        self.serving = limits;
        self
    }

    /// Sets [`wait_for_connection`](Self::wait_for_connection).
    #[must_use]
    pub fn with_wait_for_connection(mut self, wait: bool) -> Self {
        self.wait_for_connection = wait;
        self
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Returns the limits of the client's associations.
    pub(super) fn session(&self) -> Config {
        Config {
            max_calls: self.max_in_flight,
            call_timeout: self.call_timeout,
            overdue_after: self.overdue_after,
            shutdown_timeout: self.shutdown_timeout,
            drain_timeout: self.drain_timeout,
            ..self.serving.clone()
        }
    }
}

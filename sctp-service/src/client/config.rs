//! Limits and timeouts of a client.

use std::time::Duration;

use super::Backoff;
use crate::Config;

/// Limits and times of a client: each has a safe default.
///
/// The memory of a client is bounded by its calls in flight, each with its request until that is
/// sent, and by the limits of its service, see [`Config`].
///
/// `Duration::MAX` means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Maximum number of calls and one-way sends in flight, at least 1. Includes calls that wait
    /// for a stream. At the limit `poll_ready` is pending.
    ///
    /// Defaults to 256.
    pub max_in_flight: usize,
    /// Timeout of a call, from when the association accepts it. `None` means no timeout: a call
    /// without a reply then waits until the association closes.
    ///
    /// Defaults to 30 seconds.
    pub call_timeout: Option<Duration>,
    /// Time for which the late reply to a dropped or timed-out call is still expected.
    ///
    /// After this time the stream of the call is not used again unless the reply arrives after all.
    /// An association without a usable stream is aborted with the reason `no reply`. With a
    /// [`Correlator`](crate::Correlator) the identifier may be reused after this time, and only the
    /// last `max_in_flight` of these calls are remembered.
    ///
    /// Defaults to 30 seconds.
    pub overdue_after: Duration,
    /// Timeout of one attempt to set up an association.
    ///
    /// Defaults to 10 seconds.
    pub connect_timeout: Duration,
    /// Timeout of the orderly shutdown, from when the last call has completed. After this time the
    /// association is aborted with the reason `shutdown timed out`.
    ///
    /// Defaults to 10 seconds.
    pub shutdown_timeout: Duration,
    /// Timeout of a graceful shutdown of the client or of an association. After this time, calls in
    /// flight fail, requests being served are dropped, and the association is aborted with the
    /// reason `drain timed out`. If this timeout is not longer than `call_timeout`, calls can fail
    /// before their own timeout.
    ///
    /// Defaults to 40 seconds, more than the default of `call_timeout`.
    pub drain_timeout: Duration,
    /// Limits for requests of the peer and for their replies, for a client that
    /// [serves](super::ClientBuilder::serving), and for messages of its
    /// [`AssociationHandle`](crate::AssociationHandle)s. The settings for calls and shutdown in
    /// this struct override those of `Config`.
    ///
    /// Defaults to [`Config::default`].
    pub serving: Config,
    /// Behaviour of calls while there is no association and the next attempt is not yet due. If
    /// `false`, calls fail at once with [`Cause::NotConnected`](crate::Cause::NotConnected) or the
    /// reason that the last association closed. If `true`, `poll_ready` is pending.
    ///
    /// Defaults to `false`. A pool sets it to `true`, so that other servers are chosen meanwhile.
    pub wait_for_connection: bool,
    /// Pauses between attempts to set up an association.
    ///
    /// Defaults to pauses from 100 milliseconds to 10 seconds.
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
    /// Creates a configuration with the default settings.
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

//! Limits and timeouts of a server.

use std::time::Duration;

use crate::client::Backoff;

/// Order in which the requests of one association are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RequestOrder {
    /// Requests of one stream are served one at a time and answered in order; different streams,
    /// and unordered messages, are served concurrently. This extends the ordering guarantee of SCTP
    /// to the service. A handler can release its [`Turn`](crate::Turn) before it replies.
    #[default]
    PerStream,
    /// All requests of the association are served one at a time, in the order in which they
    /// arrived.
    PerAssociation,
    /// All requests are served concurrently, and answered as they complete.
    Unordered,
}

/// Stream of a reply whose handler chooses no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReplyStream {
    /// The stream of the request. If it does not exist in the direction of the reply, the association
    /// is aborted with the reason `no stream to reply on`.
    Same,
    /// The stream of the request, or stream 0 if it does not exist in the direction of the reply.
    ///
    /// Each end chooses the number of its outbound streams (RFC 9260, section 5.1.1), so a peer can
    /// have more than this end.
    #[default]
    SameOrZero,
}

/// Limits and timeouts of a server. Each has a safe default, so that a peer can neither exhaust the
/// server's memory nor hold its resources indefinitely.
///
/// The memory of one association is bounded by:
///
/// - its requests in flight,
/// - `read_ahead` requests, with up to `read_ahead_bytes` and one more request,
/// - `reply_queue` replies, with up to `reply_queue_bytes`, and one more for each request in
///   flight,
/// - `outbound_queue` messages, with up to `outbound_queue_bytes`.
///
/// The maximum size of a message is a setting of the listener.
///
/// `Duration::MAX` means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Maximum number of associations of the server. A further association is aborted with the
    /// reason `too many associations` when it is established. A one-to-many socket has no working
    /// backlog, so a server that merely stopped accepting would leave peers with associations that
    /// are not served.
    ///
    /// Defaults to 10,000. Each costs a file descriptor.
    pub max_associations: usize,
    /// Maximum number of requests of one association in flight, at least 1.
    ///
    /// Defaults to 64.
    pub max_in_flight: usize,
    /// Maximum number of requests of one association that wait for an earlier request of their
    /// stream, at least 1. At the limit the association is not read, and the receive window closes.
    ///
    /// Defaults to 64.
    pub read_ahead: usize,
    /// Maximum size of all requests of one association that wait to be served, in bytes. Each
    /// request counts with its payload and 256 bytes of overhead. The request that crosses the
    /// limit is still accepted.
    ///
    /// Defaults to 1 MiB.
    pub read_ahead_bytes: usize,
    /// Maximum number of queued replies of one association, at least 1. At the limit no further
    /// request is read: a peer that does not read its replies stalls only itself.
    ///
    /// Defaults to 256.
    pub reply_queue: usize,
    /// Like `reply_queue`, in bytes of payload. The reply that crosses the limit is still accepted.
    ///
    /// Defaults to 1 MiB.
    pub reply_queue_bytes: usize,
    /// Maximum number of messages of [`AssociationHandle`](crate::AssociationHandle)s queued on one
    /// association, at least 1. At the limit [`send`](crate::AssociationHandle::send) waits.
    ///
    /// Defaults to 64.
    pub outbound_queue: usize,
    /// Like `outbound_queue`, in bytes of payload. A message that is longer than the limit is sent
    /// while no other message is queued.
    ///
    /// Defaults to 256 KiB.
    pub outbound_queue_bytes: usize,
    /// Maximum number of calls in flight on one association, at least 1. Further calls of an
    /// [`AssociationHandle`](crate::AssociationHandle) wait.
    ///
    /// Defaults to 256.
    pub max_calls: usize,
    /// Timeout of a call of an [`AssociationHandle`](crate::AssociationHandle), from when it was
    /// accepted. `None` means no timeout.
    ///
    /// Defaults to 30 seconds.
    pub call_timeout: Option<Duration>,
    /// Time for which the late reply to a dropped or timed-out call is still expected. See
    /// [`ClientConfig::overdue_after`](crate::client::ClientConfig::overdue_after).
    ///
    /// Defaults to 30 seconds.
    pub overdue_after: Duration,
    /// Order in which requests are served.
    ///
    /// Defaults to [`RequestOrder::PerStream`].
    pub request_order: RequestOrder,
    /// Stream of a reply whose handler chooses no stream.
    ///
    /// Defaults to [`ReplyStream::SameOrZero`].
    pub reply_stream: ReplyStream,
    /// Timeout of a make-service, including the messages that it
    /// [exchanges](crate::IncomingAssociation) with the peer. After this time the association is
    /// aborted with the reason `handshake timed out`. A restart of the peer restarts the timeout.
    ///
    /// Defaults to 10 seconds.
    pub handshake_timeout: Duration,
    /// Timeout of one connection attempt of [`Serve::with_dial`](crate::Serve::with_dial).
    ///
    /// Defaults to 10 seconds.
    pub connect_timeout: Duration,
    /// Pauses between connection attempts of [`Serve::with_dial`](crate::Serve::with_dial).
    ///
    /// Defaults to pauses from 100 milliseconds to 10 seconds.
    pub backoff: Backoff,
    /// Time after which an idle association is shut down. `None` means never.
    ///
    /// An association is idle while nothing is read, no request or call is in flight, no request
    /// waits, and no reply is queued. Messages that an
    /// [`AssociationHandle`](crate::AssociationHandle) sends do not count. With zero, an
    /// association is shut down as soon as it is idle, even directly after it was established.
    ///
    /// Defaults to `None`: SCTP's heartbeats detect a dead peer, and associations that are idle for
    /// hours are normal in signalling.
    pub idle_timeout: Option<Duration>,
    /// Age at which an association is drained, as by
    /// [`AssociationHandle::graceful_shutdown`](crate::AssociationHandle::graceful_shutdown):
    /// requests and calls in flight finish, and the peer reconnects. This distributes peers to
    /// servers that were added later. `None` means no limit.
    ///
    /// The age of each association is randomly up to 10 % shorter or longer, so that associations
    /// that were established together are not drained together. The age counts from when the
    /// service was made, and restarts when the peer restarts. An association that is not drained
    /// within `max_association_age_grace` is aborted with the reason `drain timed out`.
    ///
    /// Defaults to `None`.
    pub max_association_age: Option<Duration>,
    /// Timeout of the drain of an association that has reached `max_association_age`. If the server
    /// or the association begins a graceful shutdown meanwhile, the remaining time is at most
    /// `drain_timeout`. `None` means `drain_timeout`.
    ///
    /// Defaults to `None`.
    pub max_association_age_grace: Option<Duration>,
    /// Timeout of an orderly shutdown, from the reply that requested it. After this time the
    /// association is aborted with the reason `shutdown timed out`. If the peer shuts down, this is
    /// the time limit for its last requests.
    ///
    /// Defaults to 10 seconds.
    pub shutdown_timeout: Duration,
    /// Timeout of a graceful shutdown of the server. After this time the remaining associations are
    /// aborted with the reason `drain timed out`.
    ///
    /// Calls of this end that are still in flight then fail, even if their `call_timeout` is
    /// longer.
    ///
    /// Defaults to 20 seconds, since the termination grace period of Kubernetes is 30 seconds by
    /// default and includes the time before SIGTERM.
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_associations: 10_000,
            max_in_flight: 64,
            read_ahead: 64,
            read_ahead_bytes: 1024 * 1024,
            reply_queue: 256,
            reply_queue_bytes: 1024 * 1024,
            outbound_queue: 64,
            outbound_queue_bytes: 256 * 1024,
            max_calls: 256,
            call_timeout: Some(Duration::from_secs(30)),
            overdue_after: Duration::from_secs(30),
            request_order: RequestOrder::default(),
            reply_stream: ReplyStream::default(),
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
            idle_timeout: None,
            max_association_age: None,
            max_association_age_grace: None,
            shutdown_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Config {
    /// Creates a configuration with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`max_associations`](Self::max_associations).
    #[must_use]
    pub fn with_max_associations(mut self, associations: usize) -> Self {
        self.max_associations = associations;
        self
    }

    /// Sets [`max_in_flight`](Self::max_in_flight).
    #[must_use]
    pub fn with_max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets [`read_ahead`](Self::read_ahead).
    #[must_use]
    pub fn with_read_ahead(mut self, requests: usize) -> Self {
        self.read_ahead = requests;
        self
    }

    /// Sets [`read_ahead_bytes`](Self::read_ahead_bytes).
    #[must_use]
    pub fn with_read_ahead_bytes(mut self, bytes: usize) -> Self {
        self.read_ahead_bytes = bytes;
        self
    }

    /// Sets [`reply_queue`](Self::reply_queue).
    #[must_use]
    pub fn with_reply_queue(mut self, messages: usize) -> Self {
        self.reply_queue = messages;
        self
    }

    /// Sets [`reply_queue_bytes`](Self::reply_queue_bytes).
    #[must_use]
    pub fn with_reply_queue_bytes(mut self, bytes: usize) -> Self {
        self.reply_queue_bytes = bytes;
        self
    }

    /// Sets [`outbound_queue`](Self::outbound_queue).
    #[must_use]
    pub fn with_outbound_queue(mut self, messages: usize) -> Self {
        self.outbound_queue = messages;
        self
    }

    /// Sets [`outbound_queue_bytes`](Self::outbound_queue_bytes).
    #[must_use]
    pub fn with_outbound_queue_bytes(mut self, bytes: usize) -> Self {
        self.outbound_queue_bytes = bytes;
        self
    }

    /// Sets [`max_calls`](Self::max_calls).
    #[must_use]
    pub fn with_max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
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

    /// Sets [`request_order`](Self::request_order).
    #[must_use]
    pub fn with_request_order(mut self, request_order: RequestOrder) -> Self {
        self.request_order = request_order;
        self
    }

    /// Sets [`reply_stream`](Self::reply_stream).
    #[must_use]
    pub fn with_reply_stream(mut self, stream: ReplyStream) -> Self {
        self.reply_stream = stream;
        self
    }

    /// Sets [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`connect_timeout`](Self::connect_timeout).
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// Sets [`max_association_age`](Self::max_association_age).
    #[must_use]
    pub fn with_max_association_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_association_age = age.into();
        self
    }

    /// Sets [`max_association_age_grace`](Self::max_association_age_grace).
    #[must_use]
    pub fn with_max_association_age_grace(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.max_association_age_grace = grace.into();
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
}

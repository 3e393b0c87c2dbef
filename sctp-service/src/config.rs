//! Limits and times of a server.

use std::time::Duration;

use crate::client::Backoff;

/// Order in which the requests of one association are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RequestOrder {
    /// Requests of one stream are served one at a time and answered in order; different streams,
    /// and unordered messages, are served concurrently. This is SCTP's own promise carried on
    /// into the service. A handler can give up its [`Turn`](crate::Turn) before it answers.
    #[default]
    PerStream,
    /// All requests of the association are served one at a time, in the order in which they
    /// arrived.
    PerAssociation,
    /// All requests are served concurrently, and answered as they are done.
    Unordered,
}

/// Stream of a reply whose handler names no other stream than that of the request.
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

/// Limits and times of a server: each has a safe default, so that a peer can neither exhaust the
/// server's memory nor hold its resources for ever.
///
/// What one association can hold in memory is at most: its calls in flight, each with its
/// request; `read_ahead` requests, up to `read_ahead_bytes` and one more; `reply_queue` replies, up to
/// `reply_queue_bytes`, and one for each request in flight beyond it; and `outbound_queue` messages, up
/// to `outbound_queue_bytes`. The largest message is a setting of the listener.
///
/// A time of `Duration::MAX` is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The number of associations that the server has at once. One more is aborted as it comes up, with
    /// the reason `too many associations`: a one-to-many socket has no working backlog, so a
    /// server that stopped accepting would leave peers with an association that nobody serves.
    ///
    /// Defaults to 10,000. Each costs a file descriptor.
    pub max_associations: usize,
    /// The number of requests of one association that are served at once, at least 1.
    ///
    /// Defaults to 64.
    pub max_in_flight: usize,
    /// The number of requests of one association that are held because an earlier one of their
    /// stream is being served, at least 1. At the limit reading stops, and the peer's window
    /// closes.
    ///
    /// Defaults to 64.
    pub read_ahead: usize,
    /// The size of all requests of one association that were read and wait to be served, in bytes:
    /// the payload of each, and 256 for what else is kept of it. The request that crosses the limit
    /// is still taken.
    ///
    /// Defaults to 1 MiB.
    pub read_ahead_bytes: usize,
    /// The number of replies of one association that wait for the peer to read, at least 1. At the
    /// limit no further request is read: a peer that does not read its replies stalls itself alone.
    ///
    /// Defaults to 256.
    pub reply_queue: usize,
    /// Like `reply_queue`, in bytes of payload; the reply that crosses the limit is still taken.
    ///
    /// Defaults to 1 MiB.
    pub reply_queue_bytes: usize,
    /// The number of messages accepted by an [`AssociationHandle`](crate::AssociationHandle) that
    /// wait for the peer to read, at least 1. At the limit [`send`](crate::AssociationHandle::send)
    /// waits.
    ///
    /// Defaults to 64.
    pub outbound_queue: usize,
    /// Like `outbound_queue`, in bytes of payload; a message that is longer than all of them has
    /// them to itself.
    ///
    /// Defaults to 256 KiB.
    pub outbound_queue_bytes: usize,
    /// The number of calls of one association that wait for their reply, at least 1. Further
    /// calls of an [`AssociationHandle`](crate::AssociationHandle) wait for a place.
    ///
    /// Defaults to 256.
    pub max_calls: usize,
    /// The time that a call of an [`AssociationHandle`](crate::AssociationHandle) may take from
    /// when it was accepted. `None` for no limit.
    ///
    /// Defaults to 30 seconds.
    pub call_timeout: Option<Duration>,
    /// The time for which the reply to a call that was dropped or timed out is still expected. See
    /// [`ClientConfig::overdue_after`](crate::client::ClientConfig::overdue_after).
    ///
    /// Defaults to 30 seconds.
    pub overdue_after: Duration,
    /// Order in which requests are served.
    ///
    /// Defaults to [`RequestOrder::PerStream`].
    pub request_order: RequestOrder,
    /// Stream of a reply whose handler names no other stream than that of the request.
    ///
    /// Defaults to [`ReplyStream::SameOrZero`].
    pub reply_stream: ReplyStream,
    /// The time that a make-service may take, with the messages that it
    /// [exchanges](crate::IncomingAssociation) with the peer. Then the association is aborted with
    /// the reason `handshake timed out`. A restart of the peer begins it anew.
    ///
    /// Defaults to 10 seconds.
    pub handshake_timeout: Duration,
    /// The time that one attempt of [`Serve::with_dial`](crate::Serve::with_dial) to set up an
    /// association may take.
    ///
    /// Defaults to 10 seconds.
    pub connect_timeout: Duration,
    /// The pauses between the attempts of [`Serve::with_dial`](crate::Serve::with_dial).
    ///
    /// Defaults to 100 milliseconds at first and 10 seconds at most.
    pub backoff: Backoff,
    /// The time after which an idle association is shut down in order; `None` is for ever. An
    /// association is idle while nothing is read, no request waits, no call is in flight and no reply
    /// waits to be sent; messages that an [`AssociationHandle`](crate::AssociationHandle) sends make no
    /// difference. Zero ends an association as soon as it is idle, right after it came up as well.
    ///
    /// Defaults to `None`: SCTP's own heartbeats find a dead peer, and associations that are idle
    /// for hours are normal in signalling.
    pub idle_timeout: Option<Duration>,
    /// Age at which an association is drained, as
    /// [`AssociationHandle::graceful_shutdown`](crate::AssociationHandle::graceful_shutdown) does:
    /// requests and calls in flight finish, and the peer is to set up a new association. This spreads
    /// peers over servers that were added later. `None` for no limit.
    ///
    /// The age of each association is up to 10 % shorter or longer, at random, so that associations
    /// that came up together do not end together. It counts from when the service was made, and
    /// begins anew when the peer restarts. An association that is not drained within
    /// `max_association_age_grace` is aborted with the reason `drain timed out`.
    ///
    /// Defaults to `None`.
    pub max_association_age: Option<Duration>,
    /// The time that the drain of an association may take that has reached `max_association_age`.
    /// When the server, or the association by its handle, begins to shut down meanwhile, the time
    /// that is left is `drain_timeout` at most. `None` for `drain_timeout`.
    ///
    /// Defaults to `None`.
    pub max_association_age_grace: Option<Duration>,
    /// The time that an orderly end may take, from the reply that asks for it: longer, and the peer
    /// is aborted with the reason `shutdown timed out`. When it was the peer that shut down,
    /// this is how long the calls of its last requests may take.
    ///
    /// Defaults to 10 seconds.
    pub shutdown_timeout: Duration,
    /// The time that a graceful shutdown of the server may take before the associations that are left
    /// are aborted, with the reason `drain timed out`.
    ///
    /// Calls of this end that are still in flight then are cut off, even if their `call_timeout` is
    /// longer.
    ///
    /// Defaults to 20 seconds: Kubernetes grants a pod 30 by default, and some of them go before the
    /// signal comes.
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
    /// Begins with the defaults.
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

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{
    PeerRateLimit,
    limiter::{Limiter, Settings},
};

/// Limits the rate of requests per peer address, by slowing associations down or aborting them.
///
/// Each address has a token bucket, which all associations of the address share. The bucket limits
/// the number of requests per interval, and the burst after a pause.
///
/// ```
/// use std::time::Duration;
///
/// use sctp_service::layer::PeerRateLimitLayer;
///
/// // 100 requests a second, 20 of them at once; one that would wait longer than 5 s aborts.
/// let layer = PeerRateLimitLayer::new(100, Duration::from_secs(1))
///     .with_burst(20)
///     .with_max_delay(Duration::from_secs(5));
/// # let _ = layer;
/// ```
///
/// # Above the limit
///
/// A request **waits** for its token. Until then the service is not ready, so its association is
/// not read, the receive window closes, and SCTP slows the peer down. Dropping messages would break
/// SCTP's reliability, and after an abort the peer would reconnect at once, which costs both ends
/// more than waiting. A waiting request holds no permit of an inner limit: its reservation is
/// released.
///
/// Behind [`from_fn`](crate::layer::from_fn()), or as a layer of a [`Router`](crate::Router), the
/// service is cloned for each request. Up to
/// [`Config::max_in_flight`](crate::Config::max_in_flight) requests of one association then wait
/// for their tokens, in order, and no more are read meanwhile.
///
/// A peer can open many associations with a waiting request in each. If the wait would exceed
/// [`with_max_delay`](Self::with_max_delay), the association is therefore **aborted** with the
/// reason `rate limit exceeded`. A maximum of zero always aborts.
///
/// # Identification of peers
///
/// A peer is identified by the first address of its association, without the port. Of an IPv6
/// address only the first 64 bits count, since a host chooses the rest. SCTP's cookie exchange has
/// verified that the peer is reachable at this address, so a peer cannot use the tokens of another.
///
/// The table holds up to [`with_max_peers`](Self::with_max_peers) addresses. When the table is
/// full, addresses whose bucket is full again are removed, at most once a second. This does not
/// affect their limit. While there is no room, all further addresses share one bucket. An address
/// that is being limited is never removed.
///
/// The layer owns the state: clone the layer to share the state between several services.
#[derive(Clone, Debug)]
pub struct PeerRateLimitLayer {
    rate: u32,
    per: Duration,
    burst: u32,
    settings: Settings,
    limiter: Arc<Limiter>,
}

impl PeerRateLimitLayer {
    /// Creates a layer that allows this number of requests, at least 1, per interval and address.
    /// Defaults to a burst of the same size, a maximum delay of 10 seconds, and 10,000 addresses.
    #[must_use]
    pub fn new(requests: u32, per: Duration) -> Self {
        let settings = Settings {
            interval: Duration::ZERO,
            tolerance: Duration::ZERO,
            max_delay: Duration::from_secs(10),
            max_peers: 10_000,
            ipv6_prefix: 64,
        };
        Self {
            rate: requests.max(1),
            per,
            burst: requests,
            settings,
            limiter: Arc::new(Limiter::new(settings)),
        }
        .rebuilt()
    }

    /// Sets the maximum burst after a pause, at least 1 request.
    #[must_use]
    pub fn with_burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self.rebuilt()
    }

    /// Sets the time that a request may wait. If it would wait longer, its association is aborted.
    /// Defaults to 10 seconds.
    #[must_use]
    pub fn with_max_delay(mut self, delay: Duration) -> Self {
        self.settings.max_delay = delay;
        self.rebuilt()
    }

    /// Sets the maximum number of addresses with a bucket of their own. Defaults to 10,000.
    #[must_use]
    pub fn with_max_peers(mut self, addresses: usize) -> Self {
        self.settings.max_peers = addresses;
        self.rebuilt()
    }

    /// Sets the number of bits of an IPv6 address that identify a peer. Defaults to 64.
    #[must_use]
    pub fn with_ipv6_prefix(mut self, bits: u8) -> Self {
        self.settings.ipv6_prefix = bits;
        self.rebuilt()
    }

    /// Creates new state with the current settings.
    fn rebuilt(mut self) -> Self {
        self.settings.interval = self.per / self.rate;
        let burst = self.burst.max(1);
        self.settings.tolerance = self.settings.interval.saturating_mul(burst - 1);
        self.limiter = Arc::new(Limiter::new(self.settings));
        self
    }
}

impl<S> Layer<S> for PeerRateLimitLayer {
    type Service = PeerRateLimit<S>;

    fn layer(&self, inner: S) -> PeerRateLimit<S> {
        PeerRateLimit::new(inner, Arc::clone(&self.limiter))
    }
}

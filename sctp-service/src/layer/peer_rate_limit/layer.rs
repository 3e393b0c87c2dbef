use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{
    PeerRateLimit,
    limiter::{Limiter, Settings},
};

/// Slows an association down, or aborts it, when the address of its peer sends more requests
/// than its share.
///
/// Each address has a token bucket, which all its associations share: so many requests in a time,
/// and as many at once after a pause.
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
/// A request **waits** for its token, and its association with it: until then the service is not
/// ready, so nothing more is read, the receive window closes, and SCTP itself slows the peer
/// down. To drop a message would break SCTP's promise, and an abort that comes first would only
/// have the peer come back at once, which costs both ends more than to wait. What waits holds no
/// permit of a limit further in: its reservation is given back.
///
/// Behind [`from_fn`](crate::layer::from_fn()), or as a layer of a [`Router`](crate::Router), the
/// service is cloned for each request, and requests of one association wait for their tokens one
/// after the other, up to [`Config::max_in_flight`](crate::Config::max_in_flight) of them. None
/// more is read meanwhile.
///
/// A peer can open many associations, and have a request wait in each. So where the wait would be
/// longer than [`with_max_delay`](Self::with_max_delay), the association is **aborted**, with the
/// reason `rate limit exceeded`; a maximum of zero always aborts.
///
/// # Who is a peer
///
/// The first address of the association, without its port, and of an IPv6 address the first 64
/// bits: the rest is a host's own choice. SCTP's cookie exchange has shown by then that the
/// peer can be reached there, so nobody can spend the tokens of another.
///
/// The table holds up to [`with_max_peers`](Self::with_max_peers) addresses. When it is full,
/// those are forgotten whose bucket is full again, which changes nothing for them; it is searched
/// once a second at most. As long as that makes no room, all further addresses share one bucket:
/// none that is limited is ever forgotten.
///
/// The state is that of the layer: clone the layer to have several services share it.
#[derive(Clone, Debug)]
pub struct PeerRateLimitLayer {
    rate: u32,
    per: Duration,
    burst: u32,
    settings: Settings,
    limiter: Arc<Limiter>,
}

impl PeerRateLimitLayer {
    /// Lets each address have so many requests, at least 1, in this time. As many can come at
    /// once, a request waits for up to 10 seconds, and the table holds 10,000 addresses.
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

    /// Sets how many requests can come at once after a pause, at least 1.
    #[must_use]
    pub fn with_burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self.rebuilt()
    }

    /// Sets how long a request may wait before its association is aborted. Default 10 seconds.
    #[must_use]
    pub fn with_max_delay(mut self, delay: Duration) -> Self {
        self.settings.max_delay = delay;
        self.rebuilt()
    }

    /// Sets how many addresses have a bucket of their own. Each costs about 50 bytes. Default
    /// 10,000.
    #[must_use]
    pub fn with_max_peers(mut self, addresses: usize) -> Self {
        self.settings.max_peers = addresses;
        self.rebuilt()
    }

    /// Sets how many bits of an IPv6 address stand for a peer. Default 64.
    #[must_use]
    pub fn with_ipv6_prefix(mut self, bits: u8) -> Self {
        self.settings.ipv6_prefix = bits;
        self.rebuilt()
    }

    /// Begins anew with the settings as they are.
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

//! Token buckets of all peers.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sctp_core::AbortReason;
use tokio::time::{Instant, sleep_until};

use super::turns::{Turn, Turns};
use crate::{ConnectInfo, IntoReply, Reply, Request, log_limit::LogLimiter, timer::later};

/// Abort reason for a peer whose requests would have to wait for too long.
static RATE_LIMIT_EXCEEDED: AbortReason = AbortReason::from_static("rate limit exceeded");

/// Minimum interval between searches of the table for peers that can be forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Rate and burst of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Time in which a bucket gains one token.
    pub(super) interval: Duration,
    /// Time from empty to full, less one token.
    pub(super) tolerance: Duration,
    pub(super) max_delay: Duration,
    pub(super) max_peers: usize,
    pub(super) ipv6_prefix: u8,
}

/// The buckets of all peers, shared by all services of a layer.
#[derive(Debug)]
pub(super) struct Limiter {
    settings: Settings,
    buckets: Mutex<Buckets>,
    pub(super) turns: Turns,
    refusals: LogLimiter,
}

/// A bucket is one instant: when it will be full again if nothing more is taken. This is the
/// "virtual scheduling" form of the token bucket (ITU-T I.371), which needs no refilling.
#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<IpAddr, Instant>,
    /// Shared bucket of all peers for which the table has no room.
    others: Option<Instant>,
    sweep_at: Option<Instant>,
}

/// Decision about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Now,
    Later(Instant),
    Refused,
}

impl Limiter {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            buckets: Mutex::default(),
            turns: Turns::default(),
            refusals: LogLimiter::default(),
        }
    }

    /// Waits for the turn of a request, and then for its token. The first request in line has its
    /// token, from `token_at` on.
    ///
    /// Fails with the reply that refuses the request.
    pub(super) async fn admit(
        self: Arc<Self>,
        request: Request,
        turn: Option<Turn>,
        token_at: Option<Instant>,
    ) -> Result<Request, Reply> {
        let _turn = match &turn {
            Some(turn) => turn.come().await,
            None => None,
        };
        let token_at = match token_at {
            Some(at) => at,
            None => match self.take(request.connect_info()) {
                Verdict::Now => return Ok(request),
                Verdict::Later(at) => at,
                Verdict::Refused => return Err(self.refuse(request.connect_info())),
            },
        };
        sleep_until(token_at).await;
        Ok(request)
    }

    /// Logs that a peer sends too fast, and returns the reply that aborts its association.
    pub(super) fn refuse(&self, peer: &ConnectInfo) -> Reply {
        if let Some(occurrences) = self.refusals.record() {
            tracing::warn!(%peer, occurrences, "rate limit exceeded, aborting");
        }
        RATE_LIMIT_EXCEEDED.clone().into_reply()
    }

    /// Takes a token for a request of this peer, if necessary one that becomes available later.
    pub(super) fn take(&self, peer: &ConnectInfo) -> Verdict {
        let now = Instant::now();
        let key = key(peer, self.settings.ipv6_prefix);
        // No change here can be left half-done by a panic.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.make_room(key, now, self.settings.max_peers);
        let full_at = buckets.full_at(key, now, self.settings.max_peers);
        let from = (*full_at).max(now);
        let wait = from
            .saturating_duration_since(now)
            .saturating_sub(self.settings.tolerance);
        if wait > self.settings.max_delay {
            return Verdict::Refused;
        }
        *full_at = later(from, self.settings.interval);
        if wait.is_zero() {
            Verdict::Now
        } else {
            Verdict::Later(later(now, wait))
        }
    }
}

impl Buckets {
    /// Removes the peers whose buckets are full, if there is no room for a new one. A new peer
    /// begins with a full bucket, so nothing is lost. Removing other peers would lift their limit,
    /// and an attacker with many addresses could evict any peer.
    fn make_room(&mut self, key: IpAddr, now: Instant, max: usize) {
        let full = self.full_at.len() >= max && !self.full_at.contains_key(&key);
        if full && self.sweep_at.is_none_or(|at| at <= now) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_at = Some(now + SWEEP_INTERVAL);
        }
    }

    fn full_at(&mut self, key: IpAddr, now: Instant, max: usize) -> &mut Instant {
        if self.full_at.len() < max || self.full_at.contains_key(&key) {
            self.full_at.entry(key).or_insert(now)
        } else {
            self.others.get_or_insert(now)
        }
    }
}

/// Returns the key of a peer: its first address, without the bits that it chooses itself. All peers
/// without an address share one key.
fn key(peer: &ConnectInfo, ipv6_prefix: u8) -> IpAddr {
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let addr = peer.peer_addr().map_or(unspecified, |addr| addr.ip());
    match addr.to_canonical() {
        IpAddr::V4(addr) => IpAddr::V4(addr),
        IpAddr::V6(addr) => {
            let shift = 128 - u32::from(ipv6_prefix.min(128));
            let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(addr) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn limiter(max_peers: usize) -> Limiter {
        Limiter::new(Settings {
            interval: Duration::from_secs(1),
            tolerance: Duration::from_secs(1),
            max_delay: Duration::from_secs(2),
            max_peers,
            ipv6_prefix: 64,
        })
    }

    fn peer(addr: &str) -> ConnectInfo {
        let addr: SocketAddr = addr.parse().expect("an address");
        ConnectInfo::default().with_peer_addrs([addr])
    }

    #[tokio::test(start_paused = true)]
    async fn burst_then_delays_then_refusals_that_take_nothing() {
        let limiter = limiter(10);
        let one = peer("192.0.2.1:1");
        let now = Instant::now();
        let later = |secs| Verdict::Later(now + Duration::from_secs(secs));
        let verdicts: Vec<_> = (0..6).map(|_| limiter.take(&one)).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::Now,
                Verdict::Now,
                later(1),
                later(2),
                Verdict::Refused,
                Verdict::Refused,
            ]
        );
        assert_eq!(limiter.take(&peer("192.0.2.2:1")), Verdict::Now);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(limiter.take(&one), Verdict::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn peers_beyond_the_table_share_a_bucket() {
        let limiter = limiter(2);
        for addr in ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1"] {
            assert_eq!(limiter.take(&peer(addr)), Verdict::Now);
        }
        // The third and the fourth have used up what they share.
        assert_ne!(limiter.take(&peer("192.0.2.5:1")), Verdict::Now);
        assert_eq!(limiter.take(&peer("192.0.2.1:1")), Verdict::Now);
        tokio::time::advance(SWEEP_INTERVAL * 5).await;
        for addr in ["192.0.2.5:1", "192.0.2.5:2"] {
            assert_eq!(limiter.take(&peer(addr)), Verdict::Now);
        }
        let buckets = limiter.buckets.lock().expect("no test panicked");
        assert_eq!(buckets.full_at.len(), 1, "the others were full again");
    }

    #[test]
    fn port_is_not_part_of_peer_key() {
        let same = |a: &str, b: &str| key(&peer(a), 64) == key(&peer(b), 64);
        assert!(same("192.0.2.1:1", "192.0.2.1:2"));
        assert!(same("192.0.2.1:1", "[::ffff:192.0.2.1]:1"));
        assert!(same("[2001:db8::1]:1", "[2001:db8::2]:1"));
        assert!(!same("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"));
        assert_eq!(
            key(&peer("[2001:db8::1]:1"), 0),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        );
        assert_eq!(
            key(&ConnectInfo::default(), 64),
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        );
    }
}

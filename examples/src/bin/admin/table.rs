//! The associations of the server, and what an operator wants to know of each.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use sctp_service::{
    AssociationHandle, ConnectInfo, Reply, Request, State, TransportStats, layer::Next,
};
use sctp_tokio::options::{AssociationState, PathInfo, PathState};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

/// Maximum number of associations in one listing.
const MAX_LISTED: usize = 200;
/// Time limit for the statistics of one listing.
const LISTING_TIMEOUT: Duration = Duration::from_secs(1);

/// All associations, by the identifier of their handle.
#[derive(Default)]
pub(crate) struct Table(Mutex<BTreeMap<u64, Arc<Row>>>);

/// An association, and counts of its messages.
pub(crate) struct Row {
    pub(crate) handle: AssociationHandle,
    info: ConnectInfo,
    since: Instant,
    requests: AtomicU64,
    replies: AtomicU64,
    /// Milliseconds from `since` to the last request.
    last_request: AtomicU64,
}

/// Counts a request and its reply.
pub(crate) async fn count(State(row): State<Arc<Row>>, request: Request, next: Next) -> Reply {
    let after = u64::try_from(row.since.elapsed().as_millis()).unwrap_or(u64::MAX);
    row.last_request.store(after, Ordering::Relaxed);
    row.requests.fetch_add(1, Ordering::Relaxed);
    let reply = next.run(request).await;
    row.replies
        .fetch_add(reply.messages().count() as u64, Ordering::Relaxed);
    reply
}

impl Table {
    /// Adds an association, until it ends or the peer restarts.
    pub(crate) fn add(self: &Arc<Self>, handle: AssociationHandle, info: ConnectInfo) -> Arc<Row> {
        let row = Arc::new(Row {
            handle,
            info,
            since: Instant::now(),
            requests: AtomicU64::new(0),
            replies: AtomicU64::new(0),
            last_request: AtomicU64::new(0),
        });
        self.rows().insert(row.handle.id(), Arc::clone(&row));
        let (table, handle) = (Arc::clone(self), row.handle.clone());
        tokio::spawn(async move {
            handle.closed().await;
            table.rows().remove(&handle.id());
        });
        row
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<Row>> {
        self.rows().get(&id).cloned()
    }

    /// Lists associations with a peer whose address contains a text.
    pub(crate) async fn list(&self, peer: &str) -> Listing {
        let mut rows: Vec<_> = self.rows().values().cloned().collect();
        let total = rows.len();
        rows.retain(|row| {
            let mut addrs = row.info.peer_addrs().iter();
            peer.is_empty() || addrs.any(|addr| addr.to_string().contains(peer))
        });
        let matching = rows.len();
        rows.truncate(MAX_LISTED);
        let deadline = Instant::now() + LISTING_TIMEOUT;
        // All are asked at once, so that a busy one does not use up the time of the others.
        let shown = rows.iter().map(|row| async {
            let stats = timeout_at(deadline, row.handle.stats()).await;
            row.show(stats.ok().and_then(Result::ok))
        });
        let associations = join_all(shown).await;
        Listing {
            total,
            matching,
            associations,
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Row>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The associations of the server, or the first of them. `examples/docs/admin.md` describes its keys.
#[derive(Serialize)]
pub(crate) struct Listing {
    /// Number of associations.
    total: usize,
    /// Number of associations with such a peer, of which at most 200 are listed.
    matching: usize,
    associations: Vec<Association>,
}

#[derive(Serialize)]
struct Association {
    id: u64,
    peer: Vec<String>,
    state: &'static str,
    draining: bool,
    /// Seconds since the association came up, or the peer restarted.
    age_seconds: u64,
    inbound_streams: u16,
    outbound_streams: u16,
    requests: u64,
    /// Messages in the replies; 0 for those of streams.
    reply_messages: u64,
    last_request_seconds: Option<u64>,
    /// Statistics of the kernel, unless the association has just ended, or is too busy.
    kernel: Option<Kernel>,
}

#[derive(Serialize)]
struct Kernel {
    unacknowledged_chunks: u16,
    unread_chunks: u16,
    peer_window_bytes: u32,
    packets_sent: u64,
    packets_received: u64,
    retransmitted_chunks: u64,
    paths: Vec<Path>,
}

#[derive(Serialize)]
struct Path {
    addr: Option<String>,
    primary: bool,
    state: &'static str,
    rtt_ms: u128,
    rto_ms: u128,
    congestion_window_bytes: u32,
    mtu_bytes: u32,
}

impl Row {
    /// Returns the first address of the peer, by which the library's log lines name the association.
    pub(crate) fn peer(&self) -> Option<&SocketAddr> {
        self.info.peer_addrs().first()
    }

    fn show(&self, stats: Option<TransportStats>) -> Association {
        let age = self.since.elapsed();
        let requests = self.requests.load(Ordering::Relaxed);
        let last = Duration::from_millis(self.last_request.load(Ordering::Relaxed));
        Association {
            id: self.handle.id(),
            peer: self
                .info
                .peer_addrs()
                .iter()
                .map(ToString::to_string)
                .collect(),
            state: stats
                .as_ref()
                .map_or("unknown", |stats| state(stats.status.state)),
            draining: self.handle.drain().is_started(),
            age_seconds: age.as_secs(),
            inbound_streams: self.info.inbound_streams(),
            outbound_streams: self.info.outbound_streams(),
            requests,
            reply_messages: self.replies.load(Ordering::Relaxed),
            last_request_seconds: (requests > 0).then(|| age.saturating_sub(last).as_secs()),
            kernel: stats.map(Kernel::of),
        }
    }
}

impl Kernel {
    fn of(stats: TransportStats) -> Self {
        let primary = stats.status.primary.addr;
        let path = |path: &PathInfo| Path {
            addr: path.addr.map(|addr| addr.to_string()),
            primary: path.addr == primary,
            state: path_state(path.state),
            rtt_ms: path.smoothed_rtt.as_millis(),
            rto_ms: path.retransmission_timeout.as_millis(),
            congestion_window_bytes: path.congestion_window,
            mtu_bytes: path.mtu,
        };
        Self {
            unacknowledged_chunks: stats.status.unacknowledged_chunks,
            unread_chunks: stats.status.pending_chunks,
            peer_window_bytes: stats.status.peer_window,
            packets_sent: stats.counters.packets_sent,
            packets_received: stats.counters.packets_received,
            retransmitted_chunks: stats.counters.retransmitted_chunks,
            paths: stats.paths.iter().map(path).collect(),
        }
    }
}

fn state(state: AssociationState) -> &'static str {
    match state {
        AssociationState::Established => "established",
        AssociationState::ShutdownPending
        | AssociationState::ShutdownSent
        | AssociationState::ShutdownReceived
        | AssociationState::ShutdownAckSent => "shutting down",
        AssociationState::Closed => "closed",
        _ => "unknown",
    }
}

fn path_state(state: PathState) -> &'static str {
    match state {
        PathState::Active => "active",
        PathState::Inactive => "inactive",
        PathState::PotentiallyFailed => "potentially failed",
        PathState::Unconfirmed => "unconfirmed",
        _ => "unknown",
    }
}

//! Gauges and counters of the transport's statistics, on request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::aggregate::{AssociationGroup, PathGroup, describe};
use crate::{
    AssociationHandle, ServerEvent, TransportStats, client::ClientEvent, handle::SilenceWatch,
};

/// The time limit of a collection, for associations whose task is busy.
const COLLECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The number of associations at which those that are closed are removed for the first time.
const MIN_PRUNE: usize = 64;
/// The label of associations and paths beyond the limit.
const OTHER: &str = "other";

/// Metrics of the kernel's statistics of associations and paths: packets, retransmissions, round-trip
/// times, congestion windows, silence.
///
/// They are read when [`collect`](Self::collect) is called, such as before each answer to Prometheus,
/// and cost nothing in between, except that each association notes the time of its last message. The
/// guide [`observability`](crate::guide::observability) has a table of what it records.
///
/// By default each metric is one time series, over all associations. With
/// [`with_peer_labels`](Self::with_peer_labels) there is one for each peer and path, up to a limit.
/// Clones share their associations.
///
/// ```
/// use sctp_service::{Payload, layer::TransportMetrics, serve};
///
/// # async fn run(listener: impl sctp_service::Listener) {
/// let transport = TransportMetrics::new();
/// let recorded = transport.clone();
/// let server = serve(listener, async |Payload(payload)| Payload(payload))
///     .on_event(move |event| recorded.record(event));
/// tokio::spawn(server.into_future());
/// // For each request of Prometheus:
/// transport.collect().await;
/// # }
/// # use std::future::IntoFuture;
/// ```
#[derive(Clone)]
pub struct TransportMetrics {
    max_labels: usize,
    state: Arc<Mutex<State>>,
}

struct State {
    entries: Vec<Entry>,
    /// The number of entries at which those of closed associations are removed.
    prune_at: usize,
    /// Labels that were recorded: a recorder keeps their time series for ever.
    labels: Labels,
}

struct Entry {
    watch: SilenceWatch,
    /// Counters of the last collection.
    last: TransportStats,
}

#[derive(Default)]
struct Labels {
    peers: BTreeSet<String>,
    paths: BTreeSet<(String, String)>,
}

type Pending = oneshot::Receiver<io::Result<TransportStats>>;

impl TransportMetrics {
    /// Describes the metrics to the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            max_labels: 0,
            state: Arc::new(Mutex::new(State {
                entries: Vec::new(),
                prune_at: MIN_PRUNE,
                labels: Labels::default(),
            })),
        }
    }

    /// Labels what is recorded with `peer`, the IP address of the peer's primary path, and that of paths
    /// with `path` too, the IP address of the path.
    ///
    /// At most `max` peers and `max` paths get labels, first come, first served. All others are
    /// `other`, so that peers cannot add time series without bound. Defaults to no labels.
    #[must_use]
    pub fn with_peer_labels(mut self, max: usize) -> Self {
        self.max_labels = max;
        self
    }

    /// Adds the associations of a server; for [`Serve::on_event`](crate::Serve::on_event).
    pub fn record(&self, event: &ServerEvent<'_>) {
        if let ServerEvent::Up { association, .. } = event {
            self.add(association);
        }
    }

    /// Adds the associations of a client; for
    /// [`ClientBuilder::on_event`](crate::client::ClientBuilder::on_event).
    pub fn record_client(&self, event: &ClientEvent<'_>) {
        if let ClientEvent::Up { association, .. } = event {
            self.add(association);
        }
    }

    /// Adds an association. It is removed when it is closed; after a restart of the peer it remains.
    pub fn add(&self, association: &AssociationHandle) {
        let Some(state) = association.state() else {
            return;
        };
        let watch = SilenceWatch::new(state);
        let mut this = self.lock();
        if this.entries.len() >= this.prune_at {
            this.prune();
        }
        this.entries.push(Entry {
            watch,
            last: TransportStats::default(),
        });
    }

    /// Reads the statistics of all associations, and records them with the recorder that is installed.
    ///
    /// An association whose task does not answer within a second is left out. So is one whose transport
    /// has no statistics, such as those in memory for tests. What happens between the last collection
    /// and the end of an association is not counted.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a collection that is dropped has recorded nothing.
    pub async fn collect(&self) {
        let requested = self.lock().request();
        let deadline = Instant::now() + COLLECT_TIMEOUT;
        let mut answers = BTreeMap::new();
        for (id, pending) in requested {
            if let Ok(Ok(Ok(stats))) = timeout_at(deadline, pending).await {
                answers.insert(id, stats);
            }
        }
        self.lock().report(answers, self.max_labels);
    }

    /// A panic of a recorder leaves counters that are too low at worst, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TransportMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TransportMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportMetrics").finish_non_exhaustive()
    }
}

impl State {
    /// Removes closed associations, and follows restarts of peers.
    fn prune(&mut self) {
        self.entries.retain_mut(Entry::follow);
        self.prune_at = self.entries.len().saturating_mul(2).max(MIN_PRUNE);
    }

    /// Asks all associations at once.
    fn request(&mut self) -> Vec<(u64, Pending)> {
        self.prune();
        let states = self.entries.iter().map(|entry| entry.watch.state());
        states
            .filter_map(|state| Some((state.id(), state.request_stats()?)))
            .collect()
    }

    fn report(&mut self, answers: BTreeMap<u64, TransportStats>, max_labels: usize) {
        let mut peers: BTreeMap<Option<String>, AssociationGroup> = BTreeMap::new();
        let mut paths: BTreeMap<Option<(String, String)>, PathGroup> = BTreeMap::new();
        // Those of earlier collections are recorded too, or their gauges would stay as they were.
        if max_labels == 0 {
            peers.insert(None, AssociationGroup::default());
            paths.insert(None, PathGroup::default());
        }
        let known = self.labels.peers.iter().cloned();
        peers.extend(known.map(|peer| (Some(peer), AssociationGroup::default())));
        let known = self.labels.paths.iter().cloned();
        paths.extend(known.map(|path| (Some(path), PathGroup::default())));
        for entry in &mut self.entries {
            let Some(stats) = answers.get(&entry.watch.state().id()) else {
                continue;
            };
            let peer = (max_labels > 0).then(|| self.labels.peer(stats, max_labels));
            for info in &stats.paths {
                let ip = info.addr.map(|addr| addr.ip().to_canonical().to_string());
                let path = peer.clone().map(|peer| {
                    let ip = ip.unwrap_or_default();
                    self.labels.path(peer, ip, max_labels)
                });
                paths.entry(path).or_default().add(info);
            }
            let silence = entry.watch.silence();
            let group = peers.entry(peer).or_default();
            group.add(stats, &mut entry.last, silence);
        }
        for (peer, group) in peers {
            group.record(peer);
        }
        for (path, group) in paths {
            group.record(path);
        }
    }
}

impl Entry {
    /// Continues with the association after a restart of the peer. Returns `false` if it is closed.
    fn follow(&mut self) -> bool {
        let Some(current) = self.watch.state().current() else {
            return false;
        };
        if !Arc::ptr_eq(&current, self.watch.state()) {
            self.watch = SilenceWatch::new(&current);
        }
        true
    }
}

impl Labels {
    fn peer(&mut self, stats: &TransportStats, max: usize) -> String {
        let primary = stats.status.primary.addr;
        let ip = primary.map(|addr| addr.ip().to_canonical().to_string());
        bounded(&mut self.peers, ip.unwrap_or_default(), max).unwrap_or_else(|| OTHER.to_owned())
    }

    fn path(&mut self, peer: String, ip: String, max: usize) -> (String, String) {
        let path = bounded(&mut self.paths, (peer, ip), max);
        path.unwrap_or_else(|| (OTHER.to_owned(), OTHER.to_owned()))
    }
}

/// Returns the value if it is known, or can be added within the limit.
fn bounded<T: Ord + Clone>(known: &mut BTreeSet<T>, value: T, max: usize) -> Option<T> {
    if known.len() < max {
        known.insert(value.clone());
    }
    known.contains(&value).then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a surprise fails the test")]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use sctp_core::options::{PathInfo, PathState};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        Config, ConnectInfo,
        handle::{HandleState, StateOwner},
    };

    /// An association without a session, and its handle.
    fn association() -> (StateOwner, AssociationHandle) {
        let state = HandleState::new(
            CancellationToken::new(),
            ConnectInfo::default(),
            Arc::new(Config::new()),
            None,
            false,
        );
        let handle = AssociationHandle::new(Arc::clone(&state));
        (StateOwner::new(state), handle)
    }

    fn stats(peer: u8, packets_sent: u64, rtt: u64) -> TransportStats {
        let mut path = PathInfo::default();
        path.addr = Some(([192, 0, 2, peer], 9).into());
        path.state = PathState::Active;
        path.smoothed_rtt = Duration::from_millis(rtt);
        let mut stats = TransportStats::default();
        stats.status.primary = path.clone();
        stats.counters.packets_sent = packets_sent;
        stats.paths = vec![path];
        stats
    }

    /// Returns the values of a metric, with those of its labels.
    fn values(snapshotter: &Snapshotter, names: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let key = key.key();
            if names.contains(&key.name()) {
                let labels: Vec<_> = key.labels().map(metrics::Label::value).collect();
                let value = match value {
                    DebugValue::Counter(count) => count.to_string(),
                    DebugValue::Gauge(value) => value.to_string(),
                    DebugValue::Histogram(_) => String::new(),
                };
                found.push(format!("{} = {value}", labels.join(" ")));
            }
        }
        found.sort();
        found
    }

    fn report(metrics: &TransportMetrics, answers: Vec<TransportStats>) {
        let mut state = metrics.lock();
        let ids = state.entries.iter().map(|entry| entry.watch.state().id());
        let answers = ids.zip(answers).collect();
        state.report(answers, metrics.max_labels);
    }

    #[test]
    fn counters_grow_by_difference() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let metrics = TransportMetrics::new();
        let held = [association(), association()];
        for (_, handle) in &held {
            metrics.add(handle);
        }
        let names = ["sctp_transport_packets_sent_total"];
        report(&metrics, vec![stats(1, 10, 20), stats(2, 5, 40)]);
        assert_eq!(values(&snapshotter, &names), [" = 15"]);
        // The second does not answer.
        report(&metrics, vec![stats(1, 12, 20)]);
        assert_eq!(values(&snapshotter, &names), [" = 2"]);
        // An earlier collection is reported late.
        report(&metrics, vec![stats(1, 11, 20), stats(2, 6, 40)]);
        assert_eq!(values(&snapshotter, &names), [" = 1"]);
        let names = [names[0], "sctp_transport_max_rtt_seconds"];
        report(&metrics, vec![stats(1, 12, 20), stats(2, 6, 40)]);
        assert_eq!(values(&snapshotter, &names), [" = 0", " = 0.04"]);
    }

    #[test]
    fn labels_are_bounded() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let metrics = TransportMetrics::new().with_peer_labels(2);
        let held: Vec<_> = (0..5).map(|_| association()).collect();
        for (_, handle) in &held {
            metrics.add(handle);
        }
        let all = (1..6).map(|peer| stats(peer, 1, 20 * u64::from(peer)));
        report(&metrics, all.collect());
        let names = [
            "sctp_transport_associations",
            "sctp_transport_max_rtt_seconds",
        ];
        let expected = [
            "192.0.2.1 192.0.2.1 = 0.02",
            "192.0.2.1 = 1",
            "192.0.2.2 192.0.2.2 = 0.04",
            "192.0.2.2 = 1",
            "other = 3",
            "other other = 0.1",
        ];
        assert_eq!(values(&snapshotter, &names), expected);
    }

    #[test]
    fn closed_associations_are_recorded_as_none() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let metrics = TransportMetrics::new().with_peer_labels(2);
        let (owner, handle) = association();
        metrics.add(&handle);
        report(&metrics, vec![stats(1, 1, 20)]);
        drop(owner);
        assert!(metrics.lock().request().is_empty());
        assert!(metrics.lock().entries.is_empty());
        report(&metrics, Vec::new());
        let names = [
            "sctp_transport_associations",
            "sctp_transport_mean_rtt_seconds",
        ];
        let expected = ["192.0.2.1 192.0.2.1 = NaN", "192.0.2.1 = 0"];
        assert_eq!(values(&snapshotter, &names), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn associations_without_statistics_are_left_out() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let metrics = TransportMetrics::new();
        let [reads, fails, closes, _silent] = [(); 4].map(|()| {
            let (owner, handle) = association();
            metrics.add(&handle);
            owner
        });
        let session = async move {
            let waiters = |owner: &StateOwner| owner.take().stats_waiters.unwrap();
            waiters(&reads).answer(|| Ok(stats(1, 1, 20)));
            waiters(&fails).answer(|| Err(io::ErrorKind::Unsupported.into()));
            drop(closes);
        };
        let begin = Instant::now();
        tokio::join!(metrics.collect(), session);
        assert_eq!(begin.elapsed(), COLLECT_TIMEOUT);
        let names = ["sctp_transport_associations"];
        assert_eq!(values(&snapshotter, &names), [" = 1"]);
    }

    #[test]
    fn associations_of_servers_and_clients_are_added() {
        let metrics = TransportMetrics::new();
        let connect_info = &ConnectInfo::default();
        let [(_server, server), (_client, client)] = [association(), association()];
        metrics.record(&ServerEvent::Up {
            connect_info,
            association: &server,
        });
        metrics.record_client(&ClientEvent::Up {
            connect_info,
            association: &client,
        });
        assert_eq!(metrics.lock().request().len(), 2);
    }

    #[test]
    fn association_remains_after_a_restart() {
        let metrics = TransportMetrics::new();
        let (before, handle) = association();
        metrics.add(&handle);
        let (after, _) = before.renewed(ConnectInfo::default());
        drop(before);
        let requested = metrics.lock().request();
        let ids: Vec<_> = requested.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [after.id()]);
        drop(after);
        assert!(metrics.lock().request().is_empty());
        assert!(metrics.lock().entries.is_empty());
    }

    #[test]
    fn closed_associations_do_not_accumulate() {
        let metrics = TransportMetrics::new();
        for _ in 0..1000 {
            let (_owner, handle) = association();
            metrics.add(&handle);
        }
        assert!(metrics.lock().entries.len() <= MIN_PRUNE);
    }
}

//! Pools, with servers in memory.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::{
    CallError, Cause, Fate, Message, Received,
    client::{
        Client, ClientConfig,
        pool::{Pool, PoolBuilder, RetryPolicy, Target},
    },
    testing::{InMemory, Peer, duplex},
};
use sctp_tokio::{ConnectError, SocketBuilder};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::support::{assert_failed, must, settle};

pub(crate) fn addr(server: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, server], 9877))
}

pub(crate) fn targets(servers: impl IntoIterator<Item = u8>) -> Vec<Target> {
    servers.into_iter().map(|n| addr(n).into()).collect()
}

/// The servers that listen, and the association that each has.
#[derive(Clone, Default)]
pub(crate) struct Fleet(pub(crate) Arc<Mutex<BTreeMap<SocketAddr, Option<Arc<Peer>>>>>);

impl Fleet {
    pub(crate) fn of(servers: impl IntoIterator<Item = u8>) -> Self {
        let fleet = Self::default();
        let listening = servers.into_iter().map(|n| (addr(n), None));
        fleet.0.lock().unwrap().extend(listening);
        fleet
    }

    fn connect(&self, target: &Target) -> Result<InMemory, ConnectError> {
        let mut servers = self.0.lock().unwrap();
        let listening = servers.get_mut(&target.addrs()[0]);
        let (transport, peer) = duplex();
        *listening.ok_or_else(|| ConnectError::Refused { peer: Vec::new() })? =
            Some(Arc::new(peer));
        Ok(transport)
    }

    /// Has a server take no further association, and returns the one that it has.
    pub(crate) fn stop(&self, server: u8) -> Arc<Peer> {
        self.0
            .lock()
            .unwrap()
            .remove(&addr(server))
            .flatten()
            .unwrap()
    }

    pub(crate) fn peer(&self, server: u8) -> Option<Arc<Peer>> {
        self.0.lock().unwrap().get(&addr(server))?.clone()
    }

    pub(crate) fn pool(&self, builder: PoolBuilder, servers: watch::Receiver<Vec<Target>>) -> Pool {
        let fleet = self.clone();
        builder.watch_with(servers, move |target, client| {
            let (fleet, target) = (fleet.clone(), target.clone());
            client.connect_in_background(move || std::future::ready(fleet.connect(&target)))
        })
    }

    pub(crate) fn fixed(
        &self,
        builder: PoolBuilder,
        servers: impl IntoIterator<Item = u8>,
    ) -> Pool {
        self.pool(builder, watch::channel(targets(servers)).1)
    }
}

pub(crate) type Reply = JoinHandle<Result<Received, CallError>>;

pub(crate) fn call(pool: &Pool) -> Reply {
    let pool = pool.clone();
    tokio::spawn(async move { must(pool.request("x")).await })
}

pub(crate) async fn calls(pool: &Pool, number: usize) -> Vec<Reply> {
    let calls = (0..number).map(|_| call(pool)).collect();
    settle().await;
    calls
}

/// Answers everything that a server has, with the server's number.
pub(crate) async fn answer(peer: &Peer, server: u8) -> usize {
    let mut answered = 0;
    while let Some(request) = peer.try_recv() {
        let reply = Message::new(vec![server]).on_stream(request.info.stream);
        peer.send(reply).await;
        answered += 1;
    }
    answered
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_spread_evenly() {
    let fleet = Fleet::of(1..=3);
    let pool = fleet.fixed(Pool::builder(), 1..=3);
    let calls: Vec<Reply> = calls(&pool, 18).await;
    let mut answered = Vec::new();
    for server in 1..=3 {
        answered.push(answer(&fleet.peer(server).unwrap(), server).await);
    }
    assert_eq!(answered.iter().sum::<usize>(), 18);
    // Of two at random the less loaded one is chosen: no server is left out, none overrun.
    assert!(
        answered.iter().all(|n| (2..=10).contains(n)),
        "{answered:?}"
    );
    for call in calls {
        must(call).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn unanswered_calls_are_repeated_on_demand() {
    let fleet = Fleet::of(1..=2);
    let retry = RetryPolicy::new().with_after_shutdown(true);
    let pool = fleet.fixed(Pool::builder().with_retry(retry), 1..=2);
    let calls = calls(&pool, 8).await;
    let drained = fleet.stop(1);
    drained.shutdown();
    settle().await;
    let left = fleet.peer(2).unwrap();
    let mut answered = 0;
    for _ in 0..20 {
        answered += answer(&left, 2).await;
        settle().await;
    }
    assert_eq!(answered, 8);
    for call in calls {
        assert_eq!(must(call).await.unwrap().unwrap().payload, &[2][..]);
    }
}

#[tokio::test(start_paused = true)]
async fn unanswered_calls_are_not_repeated_by_default() {
    let fleet = Fleet::of([1]);
    let pool = fleet.fixed(Pool::builder(), [1]);
    let calls = calls(&pool, 1).await;
    fleet.stop(1).shutdown();
    for call in calls {
        let error = must(call).await.unwrap().unwrap_err();
        assert_failed(&error, "shut down by peer", Fate::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn abort_fails_only_what_was_in_flight_on_it() {
    let fleet = Fleet::of(1..=2);
    let pool = fleet.fixed(Pool::builder(), 1..=2);
    let before = calls(&pool, 8).await;
    let aborted = fleet.stop(1);
    let mut on_it = 0;
    while aborted.try_recv().is_some() {
        on_it += 1;
    }
    aborted.abort("gone");
    settle().await;
    let after = calls(&pool, 8).await;
    let left = fleet.peer(2).unwrap();
    for _ in 0..20 {
        answer(&left, 2).await;
        settle().await;
    }
    let mut failed = 0;
    for call in before.into_iter().chain(after) {
        match must(call).await.unwrap() {
            Ok(reply) => assert_eq!(reply.payload, &[2][..]),
            Err(error) => {
                assert_failed(&error, "aborted by peer, reason \"gone\"", Fate::Unknown);
                failed += 1;
            }
        }
    }
    assert!(failed > 0);
    assert_eq!(failed, on_it);
}

#[tokio::test(start_paused = true)]
async fn servers_are_added_and_removed_through_a_channel() {
    let fleet = Fleet::of(1..=2);
    let (servers, watched) = watch::channel(targets([1]));
    let pool = fleet.pool(Pool::builder(), watched);
    let first = calls(&pool, 1).await;
    let peer = fleet.peer(1).unwrap();
    let request = must(peer.recv()).await.unwrap();
    servers.send(targets([2])).unwrap();
    let second = calls(&pool, 3).await;
    assert_eq!(answer(&fleet.peer(2).unwrap(), 2).await, 3);
    for call in second {
        assert_eq!(must(call).await.unwrap().unwrap().payload, &[2][..]);
    }
    // The one in flight on the server that was removed is finished, then it is shut down.
    peer.send(Message::new(vec![1]).on_stream(request.info.stream))
        .await;
    for call in first {
        assert_eq!(must(call).await.unwrap().unwrap().payload, &[1][..]);
    }
    peer.expect_shutdown().await;
    // Without a sender the last list holds.
    drop(servers);
    let third = calls(&pool, 1).await;
    answer(&fleet.peer(2).unwrap(), 2).await;
    for call in third {
        assert_eq!(must(call).await.unwrap().unwrap().payload, &[2][..]);
    }
    drop(pool);
    fleet.peer(2).unwrap().expect_shutdown().await;
}

/// Returns the waiting time of the next call, for a pool without a server and a limit of 10 seconds.
async fn wait_after(cancelled_for: Duration, pause: Duration) -> Duration {
    let pool = Fleet::of([]).fixed(Pool::builder(), []);
    let cancelled = call(&pool);
    sleep(cancelled_for).await;
    cancelled.abort();
    sleep(pause).await;
    let began = Instant::now();
    let error = must(call(&pool)).await.unwrap().unwrap_err();
    assert_failed(&error, "no server ready in time", Fate::NotSent);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn cancelled_call_shortens_no_other_wait() {
    let second = Duration::from_secs(1);
    for (cancelled_for, pause) in [
        (second, second * 3600),
        (second, second * 2),
        (second * 9, Duration::from_millis(10)),
    ] {
        let waited = wait_after(cancelled_for, pause).await;
        assert_eq!(waited.as_secs(), 10, "after a pause of {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn call_behind_a_cancelled_one_has_its_own_timeout() {
    let pool = Fleet::of([]).fixed(Pool::builder(), []);
    let cancelled = call(&pool);
    sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    let behind = call(&pool);
    sleep(Duration::from_secs(1)).await;
    cancelled.abort();
    must(behind).await.unwrap().unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn calls_fail_at_once_after_an_outage() {
    let fleet = Fleet::of([]);
    let pool = fleet.fixed(
        Pool::builder().with_ready_timeout(Duration::from_secs(3)),
        [1],
    );
    for seconds in [3, 0] {
        let began = Instant::now();
        let error = must(call(&pool)).await.unwrap().unwrap_err();
        assert_failed(
            &error,
            "no server ready in time: no association: association refused",
            Fate::NotSent,
        );
        assert!(matches!(error.cause(), Cause::Unavailable(Some(_))));
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    // It comes up, and all is well.
    fleet.0.lock().unwrap().insert(addr(1), None);
    sleep(Duration::from_secs(20)).await;
    let calls = calls(&pool, 1).await;
    answer(&fleet.peer(1).unwrap(), 1).await;
    for call in calls {
        must(call).await.unwrap().unwrap();
    }
}

#[test]
fn builder_returns_defaults_and_what_was_set() {
    let new = Pool::builder();
    assert_eq!(new.ready_timeout(), Duration::from_secs(10));
    assert_eq!(new.queue(), 1024);
    let waiting = ClientConfig::new().with_wait_for_connection(true);
    assert_eq!(*new.client().config(), waiting);
    assert_eq!(new.socket().local_addrs(), []);
    assert_eq!(new.retry().retries(), 3);
    assert!(!new.retry().after_shutdown());
    let backoff = waiting.backoff;
    assert_eq!(backoff.min(), Duration::from_millis(100));
    assert_eq!(backoff.max(), Duration::from_secs(10));

    let client = ClientConfig::new().with_max_in_flight(7);
    let set = new
        .with_client(Client::builder().with_config(client.clone()))
        .with_socket(SocketBuilder::new().with_local_addrs([addr(1)]))
        .with_ready_timeout(Duration::from_secs(1))
        .with_queue(2)
        .with_retry(RetryPolicy::new().with_retries(4).with_after_shutdown(true));
    assert_eq!(set.ready_timeout(), Duration::from_secs(1));
    assert_eq!(set.queue(), 2);
    assert_eq!(*set.client().config(), client);
    assert_eq!(set.socket().local_addrs(), [addr(1)]);
    assert_eq!(set.retry().retries(), 4);
    assert!(set.retry().after_shutdown());
}

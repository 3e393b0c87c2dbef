//! Shutdown of a pool.

use std::time::Duration;

use sctp_service::{
    Cause, End, Fate, Message, Side,
    client::{
        ClientBuilder,
        pool::{Pool, Target},
    },
    testing::duplex,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tower::ServiceExt;

use crate::{
    pool::{Fleet, addr, answer, call, calls, targets},
    support::{assert_failed, must, settle},
};

const LOCAL: Option<End> = Some(End::Shutdown { by: Side::Local });

#[tokio::test(start_paused = true)]
async fn shutdown_finishes_the_calls_of_all_members() {
    let fleet = Fleet::of(1..=3);
    let pool = fleet.fixed(Pool::builder(), 1..=3);
    let in_flight = calls(&pool, 12).await;
    let shutdown = tokio::spawn({
        let pool = pool.clone();
        async move { must(pool.graceful_shutdown()).await }
    });
    settle().await;
    // All handles refuse further calls, at once.
    let began = Instant::now();
    let late = must(call(&pool)).await.unwrap().unwrap_err();
    assert_failed(&late, "closed by this end", Fate::NotSent);
    let mut pool = pool;
    let unready = pool.ready().await.unwrap_err();
    assert_failed(&unready, "closed by this end", Fate::NotSent);
    assert_eq!(began.elapsed(), Duration::ZERO);

    sleep(Duration::from_secs(5)).await;
    assert!(!shutdown.is_finished());
    for server in 1..=3 {
        answer(&fleet.peer(server).unwrap(), server).await;
    }
    for call in in_flight {
        must(call).await.unwrap().unwrap();
    }
    let mut ends = must(shutdown).await.unwrap();
    ends.sort_by_key(|(target, _)| target.addrs()[0]);
    let expected: Vec<_> = (1..=3).map(|n| (addr(n).into(), LOCAL)).collect();
    assert_eq!(ends, expected);
    for server in 1..=3 {
        fleet.peer(server).unwrap().expect_shutdown().await;
    }
    // It can be called again, and says the same.
    assert_eq!(must(pool.graceful_shutdown()).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn shutdown_fails_waiting_calls_and_attempts() {
    let fleet = Fleet::of([]);
    let pool = fleet.fixed(Pool::builder(), [1]);
    let waiting = calls(&pool, 3).await;
    let began = Instant::now();
    let ends = must(pool.graceful_shutdown()).await;
    assert_eq!(ends, [(addr(1).into(), None)]);
    for call in waiting {
        let error = must(call).await.unwrap().unwrap_err();
        assert_failed(&error, "closed by this end", Fate::NotSent);
        assert!(matches!(error.cause(), Cause::Closed));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn unused_pool_shuts_its_associations_down() {
    let fleet = Fleet::of([1]);
    let pool = fleet.fixed(Pool::builder(), [1, 2]);
    settle().await;
    let mut ends = must(pool.graceful_shutdown()).await;
    ends.sort_by_key(|(target, _)| target.addrs()[0]);
    assert_eq!(ends, [(addr(1).into(), LOCAL), (addr(2).into(), None)]);
    fleet.peer(1).unwrap().expect_shutdown().await;
    let error = must(call(&pool)).await.unwrap().unwrap_err();
    assert_failed(&error, "closed by this end", Fate::NotSent);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_removed_server() {
    let fleet = Fleet::of(1..=2);
    let (servers, watched) = watch::channel(targets([1]));
    let pool = fleet.pool(Pool::builder(), watched);
    let on_first = calls(&pool, 1).await;
    let first = fleet.peer(1).unwrap();
    let request = must(first.recv()).await.unwrap();
    servers.send(targets([2])).unwrap();
    let on_second = calls(&pool, 1).await;
    answer(&fleet.peer(2).unwrap(), 2).await;
    let shutdown = tokio::spawn(async move { must(pool.graceful_shutdown()).await });
    sleep(Duration::from_secs(5)).await;
    assert!(!shutdown.is_finished());
    let reply = Message::new("late").on_stream(request.info.stream);
    first.send(reply).await;
    for call in on_first.into_iter().chain(on_second) {
        must(call).await.unwrap().unwrap();
    }
    let ends = must(shutdown).await.unwrap();
    assert_eq!(ends, [(addr(1).into(), LOCAL), (addr(2).into(), LOCAL)]);
}

#[tokio::test(start_paused = true)]
async fn call_that_fails_during_the_shutdown_is_not_repeated() {
    let fleet = Fleet::of(1..=2);
    let pool = fleet.fixed(Pool::builder(), 1..=2);
    let in_flight = calls(&pool, 1).await;
    let shutdown = tokio::spawn(async move { must(pool.graceful_shutdown()).await });
    settle().await;
    for server in 1..=2 {
        if let Some(peer) = fleet.peer(server) {
            peer.shutdown();
        }
    }
    for call in in_flight {
        let error = must(call).await.unwrap().unwrap_err();
        assert_failed(&error, "shut down by peer", Fate::Unknown);
    }
    must(shutdown).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_shutdown_of_a_pool_aborts() {
    let (transport, peer) = duplex();
    peer.hold_acks();
    let mut transport = Some(transport);
    let servers = watch::channel(targets([1])).1;
    let make = move |_: &Target, client: ClientBuilder| client.over(transport.take().unwrap());
    let pool = Pool::builder().watch_with(servers, make);
    let one = calls(&pool, 1).await;
    let request = must(peer.recv()).await.unwrap();
    let reply = Message::new("X").on_stream(request.info.stream);
    peer.send(reply).await;
    for call in one {
        must(call).await.unwrap().unwrap();
    }
    let began = Instant::now();
    let ends = must(pool.graceful_shutdown()).await;
    let end = ends[0].1.as_ref().unwrap();
    assert!(matches!(end, End::Aborted { .. }), "{end}");
    assert_eq!(began.elapsed().as_secs(), 10);
    peer.expect_abort("shutdown timed out").await;
}

//! A service for each peer.

mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sctp_service::{AbortReason, IncomingAssociation, Shutdown, State, handler::Handler};
use support::{Server, must, settle};
use tokio::time::sleep;
use tower::service_fn;

type Count = Arc<AtomicU32>;

async fn count(State(count): State<Count>) -> String {
    (count.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}

#[tokio::test(start_paused = true)]
async fn make_service_gives_each_peer_its_own_state() {
    let server = Server::new(service_fn(async |_: IncomingAssociation| {
        Ok::<_, Infallible>(count.with_state(Count::default()))
    }));
    let (one, other) = (server.connect().await, server.connect().await);
    for number in ["1", "2"] {
        one.send("count").await;
        one.expect_message(number).await;
    }
    other.send("count").await;
    other.expect_message("1").await;
}

#[tokio::test(start_paused = true)]
async fn peer_is_refused_before_any_message_is_served() {
    let server = Server::new(service_fn(
        async |incoming: IncomingAssociation| match incoming.connect_info.assoc().get() {
            3 => Err(AbortReason::from_static("not you")),
            _ => Ok(count.with_state(Count::default())),
        },
    ));
    let refused = server.connect().await;
    refused.send("count").await;
    refused.expect_abort("not you").await;
    let served = server.connect().await;
    served.send("count").await;
    served.expect_message("1").await;
}

#[tokio::test(start_paused = true)]
async fn refused_peer_is_shut_down_gracefully() {
    let server = Server::new(service_fn(async |_: IncomingAssociation| {
        if true {
            Err(Shutdown::AfterAck)
        } else {
            Ok(count.with_state(Count::default()))
        }
    }));
    server.connect().await.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn slow_make_service_delays_its_own_peer_alone() {
    let server = Server::new(service_fn(async |incoming: IncomingAssociation| {
        if incoming.connect_info.assoc().get() == 3 {
            sleep(Duration::from_secs(9)).await;
        }
        Ok::<_, Infallible>(count.with_state(Count::default()))
    }));
    let (slow, quick) = (server.connect().await, server.connect().await);
    slow.send("count").await;
    quick.send("count").await;
    quick.expect_message("1").await;
    assert_eq!(slow.try_recv(), None);
    slow.expect_message("1").await;
}

#[tokio::test(start_paused = true)]
async fn abort_cancels_the_make_service_and_shutdown_does_not() {
    let served = Count::default();
    let counter = Arc::clone(&served);
    let server = Server::new(service_fn(move |_: IncomingAssociation| {
        let counter = Arc::clone(&counter);
        async move {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(count.with_state(counter))
        }
    }));
    let (aborts, shuts_down) = (server.connect().await, server.connect().await);
    shuts_down.send("count").await;
    settle().await;
    aborts.abort("gone");
    shuts_down.shutdown();
    settle().await;
    server.log.assert_has("aborted by peer, reason \"gone\"");
    sleep(Duration::from_secs(2)).await;
    server.log.assert_has("shut down by peer");
    assert_eq!(served.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn drain_does_not_wait_for_a_make_service() {
    let mut server = Server::new(service_fn(async |_: IncomingAssociation| {
        sleep(Duration::from_secs(3600)).await;
        Ok::<_, Infallible>(count.with_state(Count::default()))
    }));
    let peer = server.connect().await;
    settle().await;
    server.stop();
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn abort_during_a_make_service_ends_the_association() {
    let server = Server::new(service_fn(async |_: IncomingAssociation| {
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(count.with_state(Count::default()))
    }));
    let peer = server.connect().await;
    peer.send("count").await;
    settle().await;
    peer.abort("gone");
    sleep(Duration::from_secs(11)).await;
    server.log.assert_has("aborted by peer, reason \"gone\"");
}

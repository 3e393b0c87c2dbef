//! `Debug` of clients and pools.

use sctp_service::{
    ByStream,
    client::{Client, pool::Pool},
    testing::duplex,
};

use crate::{
    pool::{Fleet, addr, call},
    support::{must, settle},
};

#[tokio::test(start_paused = true)]
async fn debug_of_a_client_shows_its_associations() {
    let (transport, peer) = duplex();
    let client = Client::over(transport);
    settle().await;
    let shown = format!("{client:?}");
    assert!(
        shown.starts_with("Client { phase: Open(ConnectInfo {"),
        "{shown}"
    );
    assert!(shown.contains("peer_addrs: [192.0.2.1:40000]"), "{shown}");
    assert!(shown.ends_with("in_flight: 0, last_end: None }"), "{shown}");
    peer.shutdown();
    settle().await;
    let expected =
        "Client { phase: Closed(ShutDown), in_flight: 0, last_end: Some(Shutdown { by: Peer }) }";
    assert_eq!(format!("{client:?}"), expected);
}

#[tokio::test(start_paused = true)]
async fn debug_of_a_pool_shows_its_servers() {
    let fleet = Fleet::of([1]);
    let pool = fleet.fixed(Pool::builder(), [1, 2]);
    let _call = call(&pool);
    settle().await;
    let shown = format!("{pool:?}");
    let up = format!("[{}]: Open(ConnectInfo {{", addr(1));
    assert!(shown.contains(&up), "{shown}");
    let down = format!(
        "[{}]: BackingOff(NotConnected(Refused {{ peer: [] }}))",
        addr(2)
    );
    assert!(shown.contains(&down), "{shown}");
    assert!(shown.contains("stopped: false"), "{shown}");
    must(pool.graceful_shutdown()).await;
    assert!(format!("{pool:?}").contains("stopped: true"), "{pool:?}");
}

#[test]
fn builder_shows_how_replies_are_found() {
    let builder = Client::builder().with_correlation(ByStream::new().with_depth(2));
    let shown = format!("{builder:?}");
    let found = "correlation: ByStream { streams: None, depth: 2, strict: true }";
    assert!(shown.contains(found), "{shown}");
}

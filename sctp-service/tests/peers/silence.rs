//! Watchdogs.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AssociationHandle, Config, IncomingAssociation, Request, RequestOrder, Shutdown,
    handler::handler_fn, testing::Peer,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::service_fn;

use crate::support::{Server, must, settle};

const SECOND: Duration = Duration::from_secs(1);

async fn start() -> (Server, Peer, AssociationHandle) {
    let (tell, mut handles) = mpsc::channel(8);
    let handler = async move |request: Request| {
        let _ = tell.try_send(request.association().clone());
        // A request that says how long it takes.
        if let Ok(text) = std::str::from_utf8(request.payload())
            && let Ok(seconds) = text.parse::<u32>()
        {
            sleep(seconds * SECOND).await;
        }
        Bytes::from("an answer")
    };
    let config = Config::new()
        .with_request_order(RequestOrder::PerAssociation)
        .with_read_ahead(1)
        .with_max_in_flight(1);
    let server = Server::with_config(config, handler);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("an answer").await;
    let handle = handles.recv().await.unwrap();
    (server, peer, handle)
}

#[tokio::test(start_paused = true)]
async fn silence_starts_at_the_last_message() {
    let (_server, peer, handle) = start().await;
    let begun = Instant::now();
    let silent = tokio::spawn(async move {
        handle.silent_for(10 * SECOND).await;
        Instant::now()
    });
    for _ in 0..3 {
        sleep(7 * SECOND).await;
        peer.send("still here").await;
    }
    let silent = must(silent).await.unwrap();
    assert_eq!((silent - begun).as_secs(), 31);
}

#[tokio::test(start_paused = true)]
async fn association_that_is_not_read_is_not_silent() {
    let (_server, peer, handle) = start().await;
    let begun = Instant::now();
    let silent = tokio::spawn(async move {
        handle.silent_for(10 * SECOND).await;
        Instant::now()
    });
    settle().await;
    // The first is served for a minute, the second is read and waits, the third is not read.
    for request in ["60", "next", "next"] {
        peer.send(request).await;
    }
    let silent = must(silent).await.unwrap();
    assert_eq!((silent - begun).as_secs(), 70);
}

#[tokio::test(start_paused = true)]
async fn several_watch_one_association_and_each_for_itself() {
    let (_server, peer, handle) = start().await;
    let begun = Instant::now();
    let (short, long) = (handle.clone(), handle.clone());
    let short = tokio::spawn(async move { short.silent_for(3 * SECOND).await });
    let long = tokio::spawn(async move { long.silent_for(5 * SECOND).await });
    assert!(handle.silent_for(SECOND).now_or_never().is_none());
    sleep(2 * SECOND).await;
    peer.send("still here").await;
    must(short).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5);
    must(long).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn closed_association_and_default_handle_are_silent() {
    let (_server, peer, handle) = start().await;
    peer.abort("gone");
    settle().await;
    for handle in [handle, AssociationHandle::default()] {
        let begun = Instant::now();
        must(handle.silent_for(10 * SECOND)).await;
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn association_held_back_earlier_is_not_silent() {
    let (_server, peer, handle) = start().await;
    for request in ["60", "next", "next"] {
        peer.send(request).await;
    }
    settle().await;
    let begun = Instant::now();
    must(handle.silent_for(10 * SECOND)).await;
    assert_eq!(begun.elapsed().as_secs(), 69);
}

#[tokio::test(start_paused = true)]
async fn ended_association_is_silent_if_held_back() {
    let (_server, peer, handle) = start().await;
    let begun = Instant::now();
    let watched = handle.clone();
    let silent = tokio::spawn(async move {
        watched.silent_for(10 * SECOND).await;
        Instant::now()
    });
    settle().await;
    for request in ["60", "next", "next"] {
        peer.send(request).await;
    }
    settle().await;
    handle.shutdown(Shutdown::abort("enough")).unwrap();
    let silent = must(silent).await.unwrap();
    assert!((silent - begun).as_secs() <= 20, "{:?}", silent - begun);
}

#[tokio::test(start_paused = true)]
async fn unread_handshake_is_not_silence() {
    let (tell, mut handles) = mpsc::channel(1);
    let make = service_fn(move |incoming: IncomingAssociation| {
        tell.try_send(incoming.handle().clone()).unwrap();
        async move {
            sleep(5 * SECOND).await;
            Ok::<_, Shutdown>(handler_fn(async |payload: Bytes| payload))
        }
    });
    let server = Server::new(make);
    let _peer = server.connect().await;
    let handle = must(handles.recv()).await.unwrap();
    let begun = Instant::now();
    must(handle.silent_for(3 * SECOND)).await;
    assert_eq!(begun.elapsed().as_secs(), 8);
}

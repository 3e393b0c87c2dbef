//! Drain hooks of this end, and announced shutdowns of the peer.

use std::{
    future::{IntoFuture, pending},
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    AssociationHandle, Cause, Config, Fate, Message, Shutdown,
    layer::MessageLimitLayer,
    serve_association,
    testing::{Duplex, duplex},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::ServiceBuilder;

use crate::{
    echo, heard,
    support::{
        Server,
        header::{by_header, reply_to},
        must, settle,
    },
};

/// A server that says `DPR`, and waits for the answer.
fn polite(config: Config) -> Server {
    Server::with(echo, |server| {
        server
            .with_config(config)
            .with_correlation(by_header())
            .on_drain(async |association| {
                let _ = association.request("DPR").await;
            })
    })
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_drain_hook() {
    let mut server = polite(Config::new());
    let peer = server.connect().await;
    settle().await;
    server.stop();
    let request = must(peer.recv()).await.unwrap().payload;
    assert_eq!(&request[5..], b"DPR");
    // Longer than without a drain hook, and reading goes on.
    sleep(Duration::from_secs(15)).await;
    peer.send("a late request").await;
    peer.expect_message("a late request").await;
    peer.send(reply_to(&request, "DPA")).await;
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn endless_drain_hook_ends_at_the_drain_timeout() {
    let mut server = Server::with(echo, |server| server.on_drain(|_| pending()));
    let peer = server.connect().await;
    settle().await;
    let begun = Instant::now();
    server.stop();
    peer.expect_abort("drain timed out").await;
    assert_eq!(begun.elapsed().as_secs(), 20);
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn drain_hook_that_panics_aborts_its_association_alone() {
    let mut server = Server::with(echo, |server| {
        server.on_drain(async |association: AssociationHandle| {
            let assoc = association.connect_info().unwrap().assoc().get();
            assert_ne!(assoc, 3, "a mistake of the drain hook");
        })
    });
    let (one, other) = (server.connect().await, server.connect().await);
    settle().await;
    server.stop();
    one.expect_abort("internal error").await;
    other.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn peer_that_shuts_down_meanwhile_ends_the_drain_hook() {
    let mut server = polite(Config::new());
    let peer = server.connect().await;
    settle().await;
    server.stop();
    must(peer.recv()).await.unwrap();
    peer.shutdown();
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn on_drain_runs_for_one_draining_association() {
    let (tell, mut handles) = mpsc::channel::<AssociationHandle>(8);
    let handler = async move |association: AssociationHandle, payload: Bytes| {
        tell.send(association).await.unwrap();
        payload
    };
    let server = Server::with(handler, |server| {
        server.on_drain(async |association| association.send("goodbye").await.unwrap())
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    handles.recv().await.unwrap().graceful_shutdown();
    peer.expect_message("goodbye").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn on_drain_runs_after_the_last_request() {
    let hook = async |association: AssociationHandle| {
        association.send("goodbye").await.unwrap();
    };
    let limited = ServiceBuilder::new()
        .layer(MessageLimitLayer::new(2))
        .service(sctp_service::handler::handler_fn(echo));
    let server = Server::with(limited, |server| server.on_drain(hook));
    let peer = server.connect().await;
    peer.send("1").await;
    peer.send("2").await;
    for text in ["1", "2", "goodbye"] {
        peer.expect_message(text).await;
    }
    peer.expect_shutdown().await;

    let config = Config::new().with_idle_timeout(Duration::from_secs(5));
    let server = Server::with(echo, |server| server.with_config(config).on_drain(hook));
    let begun = Instant::now();
    let peer = server.connect().await;
    peer.expect_message("goodbye").await;
    peer.expect_shutdown().await;
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn on_drain_does_not_run_if_a_reply_closes() {
    let handler = async || ("over", Shutdown::AfterAck);
    let server = Server::with(handler, |server| {
        server.on_drain(async |association| association.send("goodbye").await.unwrap())
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("over").await;
    peer.expect_shutdown().await;
}

/// A node whose handler answers `DPR` and leaves the shutdown to the peer.
fn node(config: Config, tell: mpsc::Sender<AssociationHandle>) -> Server {
    let handler = async move |association: AssociationHandle, payload: Bytes| {
        if payload == "DPR" {
            association.expect_shutdown();
            tell.send(association).await.unwrap();
            return Bytes::from("DPA");
        }
        payload
    };
    Server::with(handler, |server| {
        server.with_config(config).with_correlation(by_header())
    })
}

#[tokio::test(start_paused = true)]
async fn expected_shutdown_is_left_to_the_peer() {
    let (tell, mut handles) = mpsc::channel(8);
    let server = node(Config::new(), tell);
    let peer = server.connect().await;
    peer.send("DPR").await;
    peer.expect_message("DPA").await;
    let handle = handles.recv().await.unwrap();
    let refused = must(handle.request("?")).await.unwrap_err();
    assert!(matches!(refused.cause(), Cause::Closed), "{refused}");
    assert_eq!(refused.fate(), Fate::NotSent);
    sleep(Duration::from_secs(8)).await;
    peer.send("a last request").await;
    peer.expect_message("a last request").await;
    handle.send("a last word").await.unwrap();
    peer.expect_message("a last word").await;
    peer.shutdown();
    settle().await;
    server.log.assert_has("shut down by peer");
}

#[tokio::test(start_paused = true)]
async fn expected_shutdown_that_does_not_come_is_begun_here() {
    let (tell, _handles) = mpsc::channel(8);
    let server = node(Config::new(), tell);
    let peer = server.connect().await;
    let begun = Instant::now();
    peer.send("DPR").await;
    peer.expect_message("DPA").await;
    peer.expect_shutdown().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn expected_shutdown_fails_no_pending_call() {
    let (tell, mut handles) = mpsc::channel(8);
    let server = node(Config::new().with_max_calls(1), tell);
    let peer = server.connect().await;
    peer.send("DPR").await;
    peer.expect_message("DPA").await;
    drop(handles.recv().await.unwrap());

    let (tell, mut handles) = mpsc::channel(8);
    let (transport, peer) = duplex();
    let mut serving = serve_association(transport, echo).with_correlation(by_header());
    let handle = serving.handle();
    tokio::spawn(serving.into_future());
    let asking = handle.clone();
    tokio::spawn(async move { tell.send(asking.request("?").await).await });
    let question = must(peer.recv()).await.unwrap();
    handle.expect_shutdown();
    settle().await;
    peer.send(reply_to(&question.payload, "an answer")).await;
    assert!(must(handles.recv()).await.unwrap().is_ok());
    peer.shutdown();
    assert!(must(handle.closed()).await.unwrap().is_orderly());
}

#[tokio::test(start_paused = true)]
async fn on_drain_does_not_run_for_an_expected_shutdown() {
    let (tell, mut handles) = mpsc::channel(8);
    let handler = async move |association: AssociationHandle| {
        association.expect_shutdown();
        tell.send(()).await.unwrap();
        "DPA"
    };
    let mut server = Server::with(handler, |server| {
        server.on_drain(async |association| association.send("goodbye").await.unwrap())
    });
    let narrow = Duplex::new().with_capacity(4);
    let peer = server.network.connect_with(narrow).await.unwrap();
    peer.send(Message::new("DPR").on_stream(1)).await;
    handles.recv().await.unwrap();
    settle().await;
    server.stop();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(heard(&peer), ["DPA"]);
    peer.shutdown();
    must(server.stopped()).await;
}

/// The peer shuts down as announced while a request is served for longer than it was expected to
/// leave.
#[tokio::test(start_paused = true)]
async fn request_goes_on_when_the_expected_shutdown_has_come() {
    let server = Server::new(async |association: AssociationHandle| {
        association.expect_shutdown();
        sleep(Duration::from_secs(12)).await;
        "discarded"
    });
    let peer = server.connect().await;
    peer.send("DPR").await;
    sleep(Duration::from_secs(5)).await;
    peer.shutdown();
    sleep(Duration::from_secs(10)).await;
    let closed = server.log.closed();
    assert!(closed.contains("dropped_calls: 0"), "{closed}");
    assert!(closed.contains("discarded_replies: 1"), "{closed}");
}

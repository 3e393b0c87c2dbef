//! Calls at the end of an association.

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sctp_service::{
    ByStream, Cause, Config, Fate, Request, Shutdown, serve_association,
    testing::{Duplex, Peer, duplex},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Calling, assert_failed, call, reply_to,
    restarting::Restarting,
    support::{Server, header::by_header, must, on, settle},
};

#[tokio::test(start_paused = true)]
async fn drain_waits_for_the_reply() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    server.server.stop();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!asked.is_finished());
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
    peer.expect_shutdown().await;
    server.server.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn call_beyond_the_drain_timeout_is_cut_off() {
    let mut server = Calling::new(Config::new().with_drain_timeout(Duration::from_secs(5)));
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    peer.recv().await.unwrap();
    server.server.stop();
    peer.expect_abort("drain timed out").await;
    let error = asked.await.unwrap().unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::Closed),
        Fate::Unknown,
    );
    settle().await;
    let closed = server.server.log.closed();
    assert!(closed.contains("lost_calls: 1"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn waiting_call_keeps_the_association_from_being_idle() {
    let config = Config::new().with_idle_timeout(Duration::from_secs(3));
    let mut server = Calling::new(config);
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn reply_before_an_orderly_end_completes_its_call() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    peer.hold_acks();
    handle.shutdown(Shutdown::AfterAck).unwrap();
    settle().await;
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
    let error = call(&handle, "too late").await.unwrap().unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::Closed),
        Fate::NotSent,
    );
    peer.release_acks();
    peer.expect_shutdown().await;
}

type EndBy = fn(&Peer);
type IsCause = fn(&Cause) -> bool;

/// The ways in which a peer ends calls, and the causes that they then have.
fn ends() -> [(EndBy, IsCause); 4] {
    [
        (
            |peer| peer.shutdown(),
            |cause| matches!(cause, Cause::ShutDown),
        ),
        (
            |peer| peer.abort("bye"),
            |cause| matches!(cause, Cause::Aborted(_)),
        ),
        (|peer| peer.lose(), |cause| matches!(cause, Cause::Lost(_))),
        (
            |peer| peer.restart(),
            |cause| matches!(cause, Cause::Restarted),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn fate_of_an_unsent_call_is_known() {
    for (end, is_cause) in ends() {
        let mut server = Calling::default();
        let settings = Duplex::new().with_capacity(1);
        let peer = server.server.network.connect_with(settings).await.unwrap();
        let handle = server.ask(&peer).await;
        handle.send("fills the peer").await.unwrap();
        settle().await;
        let asked = call(&handle, "?");
        settle().await;
        end(&peer);
        let error = must(asked).await.unwrap().unwrap_err();
        assert_failed(&error, is_cause, Fate::NotSent);
    }
}

#[tokio::test(start_paused = true)]
async fn fate_of_a_sent_call_is_unknown() {
    for (end, is_cause) in ends() {
        let mut server = Calling::default();
        let (peer, handle) = server.connect().await;
        let asked = call(&handle, "?");
        peer.recv().await.unwrap();
        end(&peer);
        let error = asked.await.unwrap().unwrap_err();
        assert_failed(&error, is_cause, Fate::Unknown);
        let error = call(&handle, "later").await.unwrap().unwrap_err();
        assert_failed(&error, is_cause, Fate::NotSent);
    }
}

#[tokio::test(start_paused = true)]
async fn call_after_a_restart_needs_a_new_handle() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    peer.restart();
    assert!(asked.await.unwrap().is_err());
    // A reply to the peer as it was before is a reply to no call.
    peer.send(reply_to(&question, "!")).await;
    let handle = server.ask(&peer).await;
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn abort_by_this_end_fails_its_calls() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    peer.recv().await.unwrap();
    handle.shutdown(Shutdown::abort("enough")).unwrap();
    peer.expect_abort("enough").await;
    let error = asked.await.unwrap().unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::Closed),
        Fate::Unknown,
    );
}

#[tokio::test(start_paused = true)]
async fn late_reply_from_before_a_restart_is_discarded() {
    let (inner, peer) = duplex();
    let (peer, restarts) = (Arc::new(peer), Arc::new(AtomicU8::new(0)));
    let transport = Restarting {
        inner,
        peer: Arc::clone(&peer),
        restarts: Arc::clone(&restarts),
    };
    let (tell, mut handles) = mpsc::channel(1);
    let handler = async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        request.into_payload()
    };
    let mut serving = serve_association(transport, handler).with_correlation(ByStream::on(10..12));
    let handle = serving.handle();
    tokio::spawn(serving.into_future());
    settle().await;
    restarts.store(1, Ordering::Relaxed);
    let error = handle.request("sent").await.unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::Restarted),
        Fate::Unknown,
    );
    assert_eq!(peer.expect_message("sent").await.info.stream.get(), 10);
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let handle = handles.recv().await.unwrap();
    let (a, b) = (call(&handle, "a"), call(&handle, "b"));
    assert_eq!(peer.expect_message("a").await.info.stream.get(), 11);
    peer.send(on(10, "reply to sent")).await;
    assert_eq!(peer.expect_message("b").await.info.stream.get(), 10);
    peer.send(on(10, "reply to b")).await;
    peer.send(on(11, "reply to a")).await;
    assert_eq!(a.await.unwrap().unwrap().payload, "reply to a");
    assert_eq!(b.await.unwrap().unwrap().payload, "reply to b");
}

#[tokio::test(start_paused = true)]
async fn stream_of_an_overdue_reply_is_reused() {
    let (tell, mut handles) = mpsc::channel(1);
    let handler = async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        request.into_payload()
    };
    let config = Config::new()
        .with_call_timeout(Duration::from_secs(60))
        .with_overdue_after(Duration::from_secs(20));
    let server = Server::with(handler, |server| {
        server
            .with_config(config)
            .with_correlation(ByStream::on(10..11))
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let asked = call(&handles.recv().await.unwrap(), "lost");
    peer.expect_message("lost").await;
    peer.restart();
    assert!(must(asked).await.unwrap().is_err());
    let restarted = Instant::now();
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let asked = call(&handles.recv().await.unwrap(), "next");
    peer.expect_message("next").await;
    assert_eq!(restarted.elapsed().as_secs(), 20);
    peer.send(on(10, "reply")).await;
    assert_eq!(must(asked).await.unwrap().unwrap().payload, "reply");
}

/// A drain hook's call that the session has not taken when it reads of the end, or of a restart.
#[tokio::test(start_paused = true)]
async fn call_that_was_never_taken_is_counted() {
    for restarts in [false, true] {
        let (tell, mut handles) = mpsc::channel(1);
        let handler = async move |request: Request| {
            tell.send(request.association().clone()).await.unwrap();
            request.into_payload()
        };
        let server = Server::with(handler, |server| {
            server
                .with_correlation(by_header())
                .on_drain(async |association| drop(association.request("DPR").await))
        });
        let peer = server.connect().await;
        peer.send("hello").await;
        peer.expect_message("hello").await;
        let handle = must(handles.recv()).await.unwrap();
        settle().await;
        handle.graceful_shutdown();
        match restarts {
            true => peer.restart(),
            false => peer.abort("gone"),
        }
        settle().await;
        drop(peer);
        settle().await;
        let closed = server.log.closed();
        for count in [" calls: 1,", "unsent_calls: 1 "] {
            assert!(closed.contains(count), "no {count} in {closed}");
        }
    }
}

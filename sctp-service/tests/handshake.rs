//! The messages of a make-service, before requests are served.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    convert::Infallible,
    future::{IntoFuture, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AssociationHandle, Config, IncomingAssociation, SendError, ServerEvent, Shutdown, Side,
    handler::handler_fn,
    serve, serve_association,
    testing::{Duplex, Peer, ScriptedListener, duplex},
};
use support::{Server, header::by_header, must, settle};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tower::service_fn;

async fn echo(payload: Bytes) -> Bytes {
    payload
}

/// Reads what the peer has been sent so far.
fn heard(peer: &Peer) -> Vec<Bytes> {
    std::iter::from_fn(|| peer.try_recv())
        .map(|message| message.payload)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn handshake_is_finished_before_requests_are_served() {
    let server = Server::new(service_fn(async |mut incoming: IncomingAssociation| {
        let hello = incoming.recv().await.unwrap();
        incoming
            .send([b"to ", &hello.payload[..]].concat())
            .await
            .unwrap();
        let name = incoming.recv().await.unwrap();
        incoming
            .send([b"to ", &name.payload[..]].concat())
            .await
            .unwrap();
        Ok::<_, Infallible>(handler_fn(echo))
    }));
    let peer = server.connect().await;
    for text in ["hello", "name", "request", "another"] {
        peer.send(text).await;
    }
    for text in ["to hello", "to name", "request", "another"] {
        peer.expect_message(text).await;
    }
}

/// Nothing is lost however often `recv` is given up, and the order stays.
#[tokio::test(start_paused = true)]
async fn messages_that_recv_did_not_return_are_served_first() {
    let server = Server::new(service_fn(async |mut incoming: IncomingAssociation| {
        // Given up before a message came, at the moment at which one came, and before it was polled.
        assert!(incoming.recv().now_or_never().is_none());
        let _ = timeout(Duration::from_secs(1), incoming.recv()).await;
        drop(incoming.recv());
        sleep(Duration::from_secs(2)).await;
        Ok::<_, Infallible>(handler_fn(echo))
    }));
    let peer = server.connect().await;
    sleep(Duration::from_secs(1)).await;
    for text in ["1", "2", "3"] {
        peer.send(text).await;
    }
    // The first came as the time was up: it was returned, or it is served.
    let first = peer.recv().await.unwrap().payload;
    let rest = match &first[..] {
        b"1" => vec!["2", "3"],
        _ => vec!["3"],
    };
    for text in rest {
        peer.expect_message(text).await;
    }

    let server = Server::new(service_fn(async |mut incoming: IncomingAssociation| {
        tokio::select! {
            biased;
            () = sleep(Duration::from_secs(5)) => {}
            _ = async {
                let mut receiving = Box::pin(incoming.recv());
                assert!((&mut receiving).now_or_never().is_none());
                // A message comes, and nobody looks.
                pending::<()>().await;
            } => {}
        }
        Ok::<_, Infallible>(handler_fn(echo))
    }));
    let peer = server.connect().await;
    settle().await;
    for text in ["1", "2", "3"] {
        peer.send(text).await;
    }
    for text in ["1", "2", "3"] {
        peer.expect_message(text).await;
    }
}

#[tokio::test(start_paused = true)]
async fn handles_wait_until_the_handshake_has_ended() {
    let (tell, mut handles) = mpsc::channel::<AssociationHandle>(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            tell.send(incoming.handle().clone()).await.unwrap();
            incoming.send("who are you?").await.unwrap();
            incoming.recv().await.unwrap();
            incoming.send("welcome").await.unwrap();
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let server = Server::with(make, |server| server.with_correlation(by_header()));
    let peer = server.connect().await;
    let handle = handles.recv().await.unwrap();
    assert!(!handle.is_closed());
    let refused = handle.try_send("news").unwrap_err();
    assert!(matches!(refused.error, SendError::Full), "{refused}");
    assert_eq!(refused.message.payload, "news");
    let sending = tokio::spawn({
        let handle = handle.clone();
        async move { handle.send("news").await }
    });
    let calling = tokio::spawn({
        let handle = handle.clone();
        async move { handle.request("?").await }
    });
    peer.expect_message("who are you?").await;
    settle().await;
    assert!(heard(&peer).is_empty());
    peer.send("ann").await;
    peer.expect_message("welcome").await;
    peer.expect_message("news").await;
    must(sending).await.unwrap().unwrap();
    let question = peer.recv().await.unwrap();
    peer.send([b"!", &question.payload[1..]].concat()).await;
    must(calling).await.unwrap().unwrap();
    handle.try_send("more").unwrap();
    peer.expect_message("more").await;
}

#[tokio::test(start_paused = true)]
async fn waiting_handle_fails_with_the_handshake() {
    let (tell, mut handles) = mpsc::channel::<AssociationHandle>(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            tell.send(incoming.handle().clone()).await.unwrap();
            incoming.recv().await.unwrap();
            if true {
                return Err(Shutdown::AfterAck);
            }
            Ok(handler_fn(echo))
        }
    });
    let server = Server::with(make, |server| server.with_correlation(by_header()));
    let peer = server.connect().await;
    let handle = handles.recv().await.unwrap();
    let waiting = tokio::spawn(async move {
        let sent = handle.send("news").await;
        (sent, handle.request("?").await.unwrap_err())
    });
    settle().await;
    peer.send("hello").await;
    peer.expect_shutdown().await;
    let (sent, called) = must(waiting).await.unwrap();
    assert!(sent.is_err());
    assert!(called.is_safe_to_retry(), "{called}");
}

#[tokio::test(start_paused = true)]
async fn open_follows_up_with_a_usable_handle() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&events);
    let (listener, network) = ScriptedListener::new();
    let make = service_fn(async |mut incoming: IncomingAssociation| {
        incoming.recv().await.unwrap();
        Ok::<_, Infallible>(handler_fn(echo))
    });
    let server = serve(listener, make).on_event(move |event| {
        let (name, association) = match event {
            ServerEvent::Up { association, .. } => ("up", *association),
            ServerEvent::Open { association, .. } => ("open", *association),
            ServerEvent::Restarted { association, .. } => ("restarted", *association),
            _ => return,
        };
        let is_sent = association.try_send("from the hook").is_ok();
        hook.lock().unwrap().push((name, is_sent));
    });
    tokio::spawn(server.into_future());
    let peer = network.connect().await.unwrap();
    peer.send("hello").await;
    peer.expect_message("from the hook").await;
    peer.restart();
    settle().await;
    assert!(heard(&peer).is_empty());
    peer.send("hello again").await;
    peer.expect_message("from the hook").await;
    let expected = [
        ("up", false),
        ("open", true),
        ("restarted", false),
        ("open", true),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn handshake_that_takes_too_long_is_aborted() {
    let begun = Instant::now();
    let server = Server::new(service_fn(async |mut incoming: IncomingAssociation| {
        while incoming.recv().await.is_some() {}
        Ok::<_, Infallible>(handler_fn(echo))
    }));
    let peer = server.connect().await;
    for _ in 0..9 {
        peer.send("still here").await;
        sleep(Duration::from_secs(1)).await;
    }
    peer.expect_abort("handshake timed out").await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn service_that_is_made_at_once_needs_no_time() {
    let config = Config::new().with_handshake_timeout(Duration::ZERO);
    let server = Server::with_config(config.clone(), echo);
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let server = Server::with_config(
        config,
        service_fn(async |mut incoming: IncomingAssociation| {
            incoming.recv().await;
            Ok::<_, Infallible>(handler_fn(echo))
        }),
    );
    server
        .connect()
        .await
        .expect_abort("handshake timed out")
        .await;
}

#[tokio::test(start_paused = true)]
async fn refusal_comes_after_what_was_sent() {
    let server = Server::new(service_fn(async |incoming: IncomingAssociation| {
        for text in ["1", "2", "3", "go away"] {
            incoming.send(text).await.unwrap();
        }
        if true {
            return Err(Shutdown::AfterAck);
        }
        Ok(handler_fn(echo))
    }));
    let narrow = Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(narrow).await.unwrap();
    peer.send("unread").await;
    settle().await;
    for text in ["1", "2", "3", "go away"] {
        peer.expect_message(text).await;
    }
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn drain_cancels_a_handshake() {
    let mut server = Server::new(service_fn(async |mut incoming: IncomingAssociation| {
        incoming.send("hello").await.unwrap();
        incoming.recv().await.unwrap();
        incoming.recv().await.unwrap();
        Ok::<_, Infallible>(handler_fn(echo))
    }));
    let peer = server.connect().await;
    peer.send("1").await;
    settle().await;
    server.stop();
    peer.expect_message("hello").await;
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn restart_repeats_the_handshake() {
    let (tell, mut told) = mpsc::channel(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            tell.send(incoming.initiated_by()).await.unwrap();
            let first = incoming.recv().await.unwrap();
            incoming.send(first.payload).await.unwrap();
            incoming.recv().await.unwrap();
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let (transport, peer) = duplex();
    tokio::spawn(serve_association(transport, make).into_future());
    peer.send("hello").await;
    peer.expect_message("hello").await;
    sleep(Duration::from_secs(8)).await;
    peer.restart();
    sleep(Duration::from_secs(8)).await;
    peer.send("hello again").await;
    peer.expect_message("hello again").await;
    peer.send("done").await;
    peer.send("request").await;
    peer.expect_message("request").await;
    assert_eq!(told.recv().await, Some(Side::Local));
    assert_eq!(told.recv().await, Some(Side::Peer));
}

/// A make-service may hand its side to a task, which must not wait for ever.
#[tokio::test(start_paused = true)]
async fn recv_that_outlives_the_handshake_returns_none() {
    let (tell, mut told) = mpsc::channel(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            tokio::spawn(async move {
                let received = incoming.recv().await.is_some();
                let acknowledged = incoming.acknowledged().await.is_ok();
                tell.send((received, acknowledged)).await.unwrap();
            });
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let server = Server::new(make);
    let _opens = server.connect().await;
    assert_eq!(must(told.recv()).await, Some((false, false)));
    let restarts = server.connect().await;
    settle().await;
    restarts.restart();
    assert_eq!(must(told.recv()).await, Some((false, false)));
    let aborts = server.connect().await;
    settle().await;
    aborts.abort("gone");
    assert_eq!(must(told.recv()).await, Some((false, false)));
}

#[tokio::test(start_paused = true)]
async fn recv_returns_none_after_a_shutdown() {
    let (tell, mut told) = mpsc::channel(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            while let Some(received) = incoming.recv().await {
                tell.send(received.payload).await.unwrap();
            }
            tell.send("none".into()).await.unwrap();
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    peer.send("1").await;
    peer.send("2").await;
    peer.shutdown();
    for text in ["1", "2", "none"] {
        assert_eq!(must(told.recv()).await.unwrap(), text);
    }
    settle().await;
    server.log.assert_has("shut down by peer");
}

#[tokio::test(start_paused = true)]
async fn acknowledged_waits_for_the_peer() {
    let (tell, mut told) = mpsc::channel(8);
    let make = service_fn(move |incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            incoming.acknowledged().await.unwrap();
            incoming.send("CEA").await.unwrap();
            let acknowledged = incoming.acknowledged().await;
            tell.send(acknowledged.is_ok()).await.unwrap();
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    peer.expect_message("CEA").await;
    assert_eq!(must(told.recv()).await, Some(true));

    let late = server.connect().await;
    late.hold_acks();
    late.send("request").await;
    settle().await;
    assert!(told.try_recv().is_err());
    late.release_acks();
    assert_eq!(must(told.recv()).await, Some(true));
    late.expect_message("CEA").await;
    late.expect_message("request").await;
}

#[tokio::test(start_paused = true)]
async fn acknowledged_fails_if_the_peer_shuts_down() {
    let (tell, mut told) = mpsc::channel(8);
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let tell = tell.clone();
        async move {
            assert!(incoming.recv().await.is_none());
            let acknowledged = incoming.acknowledged().await;
            tell.send(acknowledged).await.unwrap();
            Ok::<_, Infallible>(handler_fn(echo))
        }
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    peer.shutdown();
    let acknowledged = must(told.recv()).await.unwrap();
    assert!(
        matches!(acknowledged, Err(SendError::ShuttingDown)),
        "{acknowledged:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn handshake_may_call_the_peer() {
    let make = service_fn(async |incoming: IncomingAssociation| {
        let answer = incoming.request("who are you?").await.unwrap();
        let name = answer.payload.slice(5..);
        Ok::<_, Infallible>(handler_fn(async move || name.clone()))
    });
    let server = Server::with(make, |server| server.with_correlation(by_header()));
    let peer = server.connect().await;
    peer.send("a request").await;
    let question = peer.recv().await.unwrap().payload;
    peer.send([b"!", &question[1..5], b"ann"].concat()).await;
    peer.expect_message("ann").await;
}

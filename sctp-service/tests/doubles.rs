//! Doubles of associations, for tests of services.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::future::IntoFuture;

use sctp_service::{
    AssociationHandle, End, Request, SendError, Shutdown, Side,
    handler::handler_fn,
    serve,
    testing::{Recorder, ScriptedListener},
};
use support::{Server, must, on};
use tower::ServiceExt;

#[tokio::test]
async fn recorder_keeps_what_a_handler_sends_and_ends() {
    async fn handler(peer: AssociationHandle, text: String) {
        for number in 0..100u16 {
            peer.send(on(number, format!("{text} {number}")))
                .await
                .unwrap();
        }
        peer.try_send("last").unwrap();
        peer.shutdown(Shutdown::AfterAck).unwrap();
    }
    let recorder = Recorder::new();
    let request = recorder.request("hello");
    let reply = handler_fn(handler).oneshot(request).await.unwrap();
    assert_eq!(reply.messages().count(), 0);
    assert_eq!(recorder.shutdown(), Some(Shutdown::AfterAck));
    let sent = recorder.sent();
    assert_eq!(sent.len(), 101);
    assert_eq!(
        (&sent[7].payload[..], sent[7].info.stream.get()),
        (&b"hello 7"[..], 7)
    );
    assert!(recorder.sent().is_empty());
}

#[tokio::test]
async fn recorder_replies_to_calls_or_drops_them() {
    let recorder = Recorder::new();
    let peer = recorder.handle();
    let calls =
        tokio::spawn(async move { (peer.request("first").await, peer.request("second").await) });
    let first = must(recorder.next_call()).await;
    assert_eq!(first.message().payload, "first");
    first.reply(on(3, "reply"));
    drop(must(recorder.next_call()).await);
    let (first, second) = must(calls).await.unwrap();
    let first = first.unwrap();
    assert_eq!(
        (&first.payload[..], first.info.stream.get()),
        (&b"reply"[..], 3)
    );
    assert!(second.is_err());
}

#[tokio::test]
async fn closed_recorder_refuses_and_fails_what_waits() {
    let recorder = Recorder::new();
    let peer = recorder.handle();
    let call = tokio::spawn({
        let peer = peer.clone();
        async move { peer.request("hello").await }
    });
    drop(recorder.clone().request("x"));
    tokio::task::yield_now().await;
    assert!(!recorder.is_draining());
    peer.graceful_shutdown();
    assert!(recorder.is_draining());
    let end = End::Shutdown { by: Side::Peer };
    recorder.close(end.clone());
    assert!(must(call).await.unwrap().is_err());
    assert_eq!(must(peer.closed()).await, Some(end));
    assert!(matches!(
        peer.try_send("x").map_err(SendError::from),
        Err(SendError::Closed(_))
    ));
}

#[tokio::test]
async fn dropped_recorder_fails_what_waits() {
    let recorder = Recorder::new();
    let peer = recorder.handle();
    let call = tokio::spawn({
        let peer = peer.clone();
        async move { peer.request("hello").await }
    });
    tokio::task::yield_now().await;
    drop(recorder.clone());
    assert!(!peer.is_closed());
    drop(recorder);
    assert!(must(call).await.unwrap().is_err());
    assert_eq!(must(peer.closed()).await, None);
}

#[tokio::test(start_paused = true)]
async fn expectation_by_predicate_returns_its_message() {
    let server = Server::new(async |text: String| format!("{text} at noon"));
    let peer = server.connect().await;
    peer.send(on(4, "meet")).await;
    let message = peer
        .expect_message_where(|message| message.payload.starts_with(b"meet"))
        .await;
    assert_eq!(message.info.stream.get(), 4);
}

#[tokio::test(start_paused = true)]
#[should_panic = "expected another message than \"meet at noon\" on stream 4 with PPID 0"]
async fn expectation_by_predicate_names_the_other_message() {
    let server = Server::new(async |text: String| format!("{text} at noon"));
    let peer = server.connect().await;
    peer.send(on(4, "meet")).await;
    peer.expect_message_where(|message| message.info.stream.get() == 5)
        .await;
}

#[tokio::test(start_paused = true)]
async fn networks_of_one_test_have_distinct_associations() {
    let (listener, network) = ScriptedListener::new();
    let (second, other) = network.another();
    let server = serve(listener, async |request: Request| {
        format!("{}", request.connect_info())
    });
    tokio::spawn(IntoFuture::into_future(server.with_listener(second)));
    let mut seen = std::collections::HashSet::new();
    for network in [&network, &other, &network, &other] {
        let peer = must(network.connect()).await.unwrap();
        peer.send("who am I?").await;
        let reply = must(peer.recv()).await.unwrap();
        assert!(
            seen.insert(reply.payload.clone()),
            "{:?} twice",
            reply.payload
        );
    }
}

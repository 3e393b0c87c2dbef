//! Aborts at every point of the life of a call.

use std::{future::pending, sync::Arc};

use bytes::Bytes;
use sctp_service::{End, Payload, Request};
use sctp_tokio::AbortReason;
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::support::server::{echo, textbook};

const ROUNDS: usize = 20;

fn reason(round: usize) -> AbortReason {
    AbortReason::new(format!("round {round}")).unwrap()
}

/// The server heard each of these aborts, with its reason.
async fn heard(server: &mut Server, round: usize) {
    let (end, given) = server.closed().await;
    assert_eq!(end.reason().unwrap(), format!("round {round}"));
    assert_eq!(given, None);
}

/// Answers one question with half a megabyte, and others with themselves.
async fn much_or_echo(request: Request) -> Vec<Bytes> {
    if request.payload() == "much" {
        return vec![Bytes::from(vec![b'm'; 1000]); 500];
    }
    vec![request.into_payload()]
}

both_styles! {
    async fn before_the_request_is_read(style: Style) {
        let mut scene = Scene::new(style, echo).await;
        for round in 0..ROUNDS {
            let peer = scene.connect().await;
            for _ in 0..round {
                peer.send("never read").await.unwrap();
            }
            peer.abort(&reason(round)).unwrap();
            heard(&mut scene.server, round).await;
        }
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn while_the_handler_runs(style: Style) {
        let started = Arc::new(Notify::new());
        let running = Arc::new(Semaphore::new(ROUNDS));
        let (start, permits) = (Arc::clone(&started), Arc::clone(&running));
        let service = move |Payload(payload): Payload| {
            let (start, permits) = (Arc::clone(&start), Arc::clone(&permits));
            async move {
                if payload == "stay" {
                    let _permit = permits.acquire().await.unwrap();
                    start.notify_one();
                    pending::<()>().await;
                }
                Payload(payload)
            }
        };
        let mut scene = Scene::new(style, service).await;
        for round in 0..ROUNDS {
            let peer = scene.connect().await;
            peer.send("stay").await.unwrap();
            must(started.notified()).await;
            peer.abort(&reason(round)).unwrap();
            heard(&mut scene.server, round).await;
        }
        assert_eq!(running.available_permits(), ROUNDS, "a call outlived its association");
        scene.over().await;
    }

    async fn while_replies_are_queued(style: Style) {
        let mut scene = Scene::new(style, much_or_echo).await;
        let small = SocketBuilder::new().with_recv_buffer_size(10_000);
        for round in 0..ROUNDS {
            let mut peer = must(small.connect(&[scene.server.addr])).await.unwrap();
            peer.send("much").await.unwrap();
            assert_eq!(reply(&mut peer).await.payload.len(), 1000);
            peer.abort(&reason(round)).unwrap();
            heard(&mut scene.server, round).await;
        }
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn during_the_servers_shutdown(style: Style) {
        let started = Arc::new(Notify::new());
        let start = Arc::clone(&started);
        let service = move |_: Payload| {
            start.notify_one();
            pending::<()>()
        };
        let held = Leaks::now();
        let mut server = Server::start(style, service);
        let mut peers = Vec::new();
        for _ in 0..ROUNDS {
            let peer = server.connect().await;
            peer.send("stay").await.unwrap();
            must(started.notified()).await;
            peers.push(peer);
        }
        server.stop();
        for (round, peer) in peers.into_iter().enumerate() {
            peer.abort(&reason(round)).unwrap();
            heard(&mut server, round).await;
        }
        // All have gone, so it does not wait for its deadline.
        server.stopped().await;
        held.is_back().await;
    }

    async fn as_the_reply_to_a_shutdown(style: Style) {
        // The server ends each association in order, and the peer aborts it instead.
        let mut scene = Scene::new(style, textbook).await;
        for round in 0..ROUNDS {
            let mut peer = scene.connect().await;
            peer.send("quit").await.unwrap();
            assert_eq!(reply(&mut peer).await.payload, "quit");
            peer.abort(&reason(round)).unwrap();
            let (end, _) = scene.server.closed().await;
            let aborted = end.reason().is_some_and(|given| given == format!("round {round}"));
            assert!(aborted || matches!(end, End::Shutdown { .. }), "{end}");
        }
        scene.over().await;
    }
}

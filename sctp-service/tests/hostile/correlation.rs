//! Peers that abuse the correlation of replies with calls.

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{AssociationHandle, Message, Request, RequestOrder};
use tokio::sync::mpsc;

use super::*;
use crate::support::{leaks::resident, patience};

/// Answers a good client with what it said. For others it asks back, and answers with what was
/// answered. It waits only briefly after the request "late".
async fn ask_back(handle: AssociationHandle, request: Request) -> Bytes {
    if request.payload().starts_with(b"good") {
        return request.into_payload();
    }
    let time = match &request.payload()[..] {
        b"late" => Duration::from_millis(300),
        _ => patience(),
    };
    match handle.request_within(time, "question").await {
        Ok(answer) => answer.payload.slice(5..),
        Err(_) => Bytes::from("no answer"),
    }
}

/// Receives a question, and makes its reply.
async fn question(peer: &mut Association) -> Message {
    let question = reply(peer).await;
    assert!(question.payload.ends_with(b"question"), "{question:?}");
    Message::new([b"!", &question.payload[1..5], b"answer"].concat())
}

both_styles! {
    async fn replies_that_come_twice_or_are_made_up(style: Style) {
        let scene = Scene::correlated(style, Config::default(), ask_back).await;
        let mut peer = scene.connect().await;
        for _ in 0..20 {
            peer.send("hello").await.unwrap();
            let answer = question(&mut peer).await;
            for number in 0..50_u32 {
                // None of them is the number of a call that waits.
                let number = (u32::MAX - number).to_be_bytes();
                peer.send([b"!", &number[..], b"made up"].concat()).await.unwrap();
            }
            peer.send(answer.clone()).await.unwrap();
            peer.send(answer).await.unwrap();
            assert_eq!(reply(&mut peer).await.payload, "answer");
        }
        // The log does not grow with them.
        assert!(scene.log.alarms() <= 2, "{}", scene.log.summary());
        must(peer.shutdown()).await.unwrap();
        drop(peer);
        scene.over().await;
    }

    async fn replies_that_come_late_or_never(style: Style) {
        let scene = Scene::correlated(style, Config::default(), ask_back).await;
        let mut peer = scene.connect().await;
        peer.send("late").await.unwrap();
        let late = question(&mut peer).await;
        assert_eq!(reply(&mut peer).await.payload, "no answer");
        peer.send(late).await.unwrap();
        peer.send("hello").await.unwrap();
        let answer = question(&mut peer).await;
        peer.send(answer).await.unwrap();
        assert_eq!(reply(&mut peer).await.payload, "answer");
        must(peer.shutdown()).await.unwrap();
        drop(peer);
        scene.over().await;
    }

    /// Requests are read while a call waits for its reply, and that must not be for ever.
    async fn flood_of_requests_while_a_call_waits(style: Style) {
        let (tell, mut asked) = mpsc::channel(1);
        let handler = async move |handle: AssociationHandle, request: Request| {
            if request.payload().starts_with(b"good") {
                return request.into_payload();
            }
            // The first asks, and the others are served for as long as that takes.
            let result = handle.request_within(Duration::from_secs(3), "question").await;
            let _ = tell.try_send(result.is_err());
            Bytes::from("done")
        };
        let config = Config::default()
            .with_read_ahead_bytes(256 << 10)
            .with_request_order(RequestOrder::Unordered);
        let mut scene = Scene::correlated(style, config, handler).await;
        let before = resident();
        let peer = scene.connect().await;
        let (sender, receiver) = peer.split();
        let flooding = tokio::spawn(async move {
            // As many as are taken, each of one byte: what is kept of it costs far more.
            while sender.send("x").await.is_ok() {}
        });
        scene.probe_client.answered(100).await;
        assert!(must(asked.recv()).await.unwrap(), "nobody answered the question");
        let grown = resident().saturating_sub(before);
        println!("requests flood while calls wait: {} more", kib(grown));
        // Without the bound on what is read ahead it is more than 3 MiB in that time.
        assert!(grown < 2 << 20, "{}", kib(grown));
        flooding.abort();
        let _ = flooding.await;
        drop(receiver);
        scene.server.closed().await;
        scene.over().await;
    }
}

//! A graceful shutdown in the middle of the work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use sctp_service::{Config, End, Payload, Side};
use sctp_tokio::{Association, Event, Message, SocketBuilder};

use super::*;
use crate::server::Server;

/// Asks without end, on ten streams, and counts what is answered; each answer is the next of its
/// stream.
async fn load(peer: Association) -> (usize, End) {
    let (sender, mut receiver) = peer.split();
    let asking = tokio::spawn(async move {
        for number in 0u32.. {
            let stream = u16::try_from(number % 10).unwrap();
            let question = Message::new(number.to_be_bytes().to_vec()).on_stream(stream);
            if sender.send(question).await.is_err() {
                return;
            }
        }
    });
    let mut answered = 0;
    let mut next: Vec<u32> = (0..10).collect();
    let end = loop {
        match must(receiver.next_event()).await.unwrap() {
            Event::Message(answer) => {
                let number = u32::from_be_bytes(*answer.payload.first_chunk().unwrap());
                let stream = usize::from(answer.info.stream.get());
                assert_eq!(
                    number, next[stream],
                    "lost or out of order on stream {stream}"
                );
                next[stream] += 10;
                answered += 1;
            }
            Event::Closed(end) => break end,
            _ => {}
        }
    };
    must(asking).await.unwrap();
    (answered, end)
}

both_styles! {
    async fn every_call_that_was_made_is_answered(style: Style) {
        let called = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&called);
        let service = move |Payload(payload): Payload| {
            let count = Arc::clone(&count);
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                // Some of the calls are in the middle when the end comes.
                tokio::time::sleep(Duration::from_millis(u64::from(payload[3] % 8))).await;
                Payload(payload)
            }
        };
        let config = Config::default().with_drain_timeout(Duration::from_secs(20));
        let mut server = Server::start_with(style, config, SocketBuilder::new(), service);
        let mut loads = Vec::new();
        for _ in 0..8 {
            loads.push(tokio::spawn(load(server.connect().await)));
        }
        support::leaks::eventually(|| called.load(Ordering::Relaxed) > 500).await;
        server.stop();
        let mut answered = 0;
        for ended in must(join_all(loads)).await {
            let (answers, end) = ended.unwrap();
            assert_eq!(end, End::Shutdown { by: Side::Peer });
            answered += answers;
        }
        server.stopped().await;
        assert_eq!(answered, called.load(Ordering::Relaxed), "a call's reply was lost");
    }
}

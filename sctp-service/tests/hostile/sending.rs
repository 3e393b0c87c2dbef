//! Messages of a hostile peer.

use std::{collections::HashSet, time::Instant};

use sctp_service::{Config, Payload, ReplyStream};
use sctp_tokio::{AbortReason, Message, SocketBuilder, options::InitMsg};

use super::*;
use crate::support::{
    leaks::resident,
    server::{Report, echo},
};

/// All the streams that SCTP has.
fn all_streams() -> SocketBuilder {
    let init = InitMsg::new()
        .with_outbound_streams(u16::MAX)
        .with_max_inbound_streams(u16::MAX);
    SocketBuilder::new().with_init(init)
}

/// Answers a long message with a word, since it might be too long to come back.
async fn whole_or_echo(Payload(payload): Payload) -> Payload {
    if payload.len() > 100 {
        return Payload("whole".into());
    }
    Payload(payload)
}

both_styles! {
    async fn one_byte_at_a_time(style: Style) {
        let scene = Scene::new(style, echo).await;
        let (sender, mut receiver) = scene.connect().await.split();
        let bytes = || (0..3000u32).map(|n| n.to_le_bytes()[0]);
        let sending = tokio::spawn(async move {
            for byte in bytes() {
                must(sender.send(vec![byte])).await.unwrap();
            }
            sender
        });
        for byte in bytes() {
            assert_eq!(must(receiver.recv()).await.unwrap().unwrap().payload, [byte][..]);
        }
        drop((must(sending).await.unwrap(), receiver));
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn every_stream_that_there_is(style: Style) {
        let scene = Scene::with(style, Config::default(), all_streams(), echo).await;
        let peer = must(all_streams().connect(&[scene.server.addr])).await.unwrap();
        assert_eq!(peer.outbound_streams(), u16::MAX);
        let before = resident();
        let (sender, mut receiver) = peer.split();
        // From the first to the last; the steps are for the time that it takes.
        let streams = || (0..u16::MAX).step_by(31);
        let sending = tokio::spawn(async move {
            for stream in streams() {
                must(sender.send(Message::new("x").on_stream(stream))).await.unwrap();
            }
            sender
        });
        let mut left: HashSet<u16> = streams().collect();
        while !left.is_empty() {
            let reply = must(receiver.recv()).await.unwrap().unwrap();
            assert!(left.remove(&reply.info.stream.get()));
        }
        let grown = resident().saturating_sub(before);
        println!("{} streams used in turn: {} more", streams().count(), kib(grown));
        assert!(grown < 4 << 20, "{} for streams that are idle again", kib(grown));
        drop((must(sending).await.unwrap(), receiver));
        scene.over().await;
    }

    async fn a_stream_that_the_server_has_not_got(style: Style) {
        let config = Config::default().with_reply_stream(ReplyStream::Same);
        let mut scene = Scene::with(style, config, SocketBuilder::new(), echo).await;
        let mut peer = must(all_streams().connect(&[scene.server.addr])).await.unwrap();
        for _ in 0..100 {
            // Every one of them would be an error in the service's reply.
            peer.send(Message::new("x").on_stream(1_000)).await.unwrap();
        }
        assert_eq!(until_end(&mut peer).await.1.reason().unwrap(), "no stream to reply on");
        drop(peer);
        scene.server.closed().await;
        assert_eq!(scene.log.alarms(), 1, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn messages_above_the_limit(style: Style) {
        let socket = SocketBuilder::new().with_max_message_size(10_000).with_recv_buffer_size(30_000);
        let mut scene = Scene::with(style, Config::default(), socket, echo).await;
        let begun = Instant::now();
        for _ in 0..20 {
            let mut peer = scene.connect().await;
            // As many as are taken before the first is answered.
            for _ in 0..5 {
                let _ = peer.send(vec![b'x'; 60_000]).await;
            }
            let end = until_end(&mut peer).await.1;
            assert_eq!(end.reason().unwrap(), "message too large");
            scene.server.closed().await;
        }
        // A line in 10 seconds, however many there are.
        let most = 1 + usize::try_from(begun.elapsed().as_secs() / 10).unwrap();
        assert!(scene.log.alarms() <= most, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn large_messages_that_are_given_up_in_the_middle(style: Style) {
        // Much less than a message, so that it cannot be whole at once.
        let socket = SocketBuilder::new().with_recv_buffer_size(40_000);
        let mut scene = Scene::with(style, Config::default(), socket, whole_or_echo).await;
        let large = SocketBuilder::new().with_send_buffer_size(210_000);
        let before = resident();
        for round in 0..40 {
            let peer = must(large.connect(&[scene.server.addr])).await.unwrap();
            peer.send(vec![b'x'; 400_000]).await.unwrap();
            // The server reads more and more of it before the end comes.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            match round % 2 {
                0 => peer.abort(&AbortReason::from_static("enough")).unwrap(),
                _ => peer.abort_without_reason().unwrap(),
            }
            let (_, given) = scene.server.closed().await;
            assert_eq!(given, None);
        }
        let grown = resident().saturating_sub(before);
        println!("40 messages of 400 kB given up: {} more", kib(grown));
        assert!(grown < 4 << 20, "{}", kib(grown));
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        scene.over().await;
    }

    async fn requests_that_nobody_answers(style: Style) {
        // The service holds on to what it is asked, as long as the peer is there.
        let service = |Payload(payload): Payload| async move {
            if payload.len() > 100 {
                std::future::pending::<()>().await;
            }
            Payload(payload)
        };
        let mut scene = Scene::new(style, service).await;
        let before = resident();
        let mut peers = Vec::new();
        for _ in 0..10 {
            let peer = scene.connect().await;
            let mut sent = 0;
            // Until the server's window is closed and the peer's own buffer is full.
            loop {
                let message = Message::new(vec![b'x'; 20_000]).on_stream(sent % 10);
                let room = tokio::time::timeout(std::time::Duration::from_millis(100), peer.send(message));
                match room.await {
                    Ok(taken) => taken.unwrap(),
                    Err(_) => break,
                }
                sent += 1;
                assert!(sent < 1000, "nobody held the peer back");
            }
            peers.push(peer);
        }
        let grown = resident().saturating_sub(before);
        println!("10 peers with requests that stay: {} more, {} each", kib(grown), kib(grown / 10));
        for peer in peers {
            peer.abort_without_reason().unwrap();
        }
        for _ in 0..10 {
            while !matches!(must(scene.server.reports.recv()).await.unwrap(), Report::Closed(..)) {}
        }
        scene.over().await;
    }
}

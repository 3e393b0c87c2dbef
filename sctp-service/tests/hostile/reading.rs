//! Peers that do not read what they asked for.

use bytes::Bytes;
use sctp_service::Request;

use super::*;
use crate::support::{leaks::resident, server::quick};

/// Answers a good client's questions with themselves, and every other byte with a kilobyte.
async fn magnify(request: Request) -> Vec<Bytes> {
    if request.payload().starts_with(b"good") {
        return vec![request.into_payload()];
    }
    vec![Bytes::from(vec![b'm'; 1000]); request.payload().len()]
}

both_styles! {
    async fn replies_that_are_never_read(style: Style) {
        const PEERS: usize = 20;
        let mut scene = Scene::new(style, magnify).await;
        let lazy = SocketBuilder::new().with_recv_buffer_size(10_000);
        let before = resident();
        let mut peers = Vec::new();
        for _ in 0..PEERS {
            let peer = must(lazy.connect(&[scene.server.addr])).await.unwrap();
            // Ten megabytes, if they were all answered.
            for _ in 0..100 {
                peer.send(vec![b'x'; 100]).await.unwrap();
            }
            peers.push(peer);
        }
        scene.probe_client.answered(200).await;
        let grown = resident().saturating_sub(before);
        println!("{PEERS} peers that never read: {} more, {} each", kib(grown), kib(grown / PEERS));
        // Each holds its send queue of 256 messages, and one reply that crosses that limit.
        assert!(grown < PEERS * (1 << 20), "{}", kib(grown));
        assert_eq!(scene.log.alarms(), 0, "{}", scene.log.summary());
        drop(peers);
        for _ in 0..PEERS {
            scene.server.closed().await;
        }
        scene.over().await;
    }

    async fn replies_that_are_read_late(style: Style) {
        let scene = Scene::with(style, Config::default(), quick(), magnify).await;
        let lazy = SocketBuilder::new().with_recv_buffer_size(60_000);
        let mut peer = must(lazy.connect(&[scene.server.addr])).await.unwrap();
        for _ in 0..10 {
            peer.send(vec![b'x'; 100]).await.unwrap();
        }
        // Nothing of it is lost, however long it takes.
        for _ in 0..10 * 100 {
            assert_eq!(reply(&mut peer).await.payload.len(), 1000);
        }
        must(peer.shutdown()).await.unwrap();
        drop(peer);
        scene.over().await;
    }
}

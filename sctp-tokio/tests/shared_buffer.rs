//! The one send buffer that all associations of an endpoint share, under both values of
//! `net.sctp.sndbuf_policy`.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sctp_tokio::{AssocId, Association, Endpoint, Message, Socket, SocketBuilder};
use support::{endpoint_message, must, netns::NetNs, next};

/// An endpoint, and clients that do not read, all in the thread's namespace. The endpoint has
/// filled what it can send to each but the last.
async fn stalled() -> (Endpoint, Vec<(AssocId, Association, u32)>) {
    let mut endpoint = support::quick()
        .bind([support::LOOPBACK.parse().unwrap()])
        .endpoint()
        .unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = SocketBuilder::new()
            .with_recv_buffer_size(8000)
            .connect(&[addr])
            .await
            .unwrap();
        client.send("hello").await.unwrap();
        let (id, _) = endpoint_message(&mut endpoint).await;
        clients.push((id, client, 0));
    }
    for (id, _, queued) in &mut clients[..2] {
        *queued = fill(&endpoint, *id);
    }
    (endpoint, clients)
}

fn fill(endpoint: &Endpoint, id: AssocId) -> u32 {
    let mut queued = 0u32;
    while endpoint.try_send(id, &Message::new(vec![0; 1000])).is_ok() {
        queued += 1;
    }
    queued
}

fn is_writable(socket: &Socket) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
}

/// Reads so many messages, each bounded by patience.
async fn read(client: &mut Association, count: u32) {
    for _ in 0..count {
        next(client).await;
    }
}

#[tokio::test]
async fn with_one_budget_a_stalled_peer_stops_the_others_and_its_reading_frees_them() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 0);
    namespace
        .start(async || {
            let (endpoint, mut clients) = stalled().await;
            assert!(!is_writable(endpoint.socket()));
            let (sender, free) = (endpoint.sender(), clients[2].0);
            let sending = tokio::spawn(async move { sender.send(free, "at last").await });
            tokio::task::yield_now().await;
            assert!(!sending.is_finished(), "the buffer is shared");
            let (_, stuck, queued) = &mut clients[0];
            read(stuck, *queued).await;
            must(sending).await.unwrap().unwrap();
            assert_eq!(next(&mut clients[2].1).await.payload, "at last");
        })
        .await;
}

#[tokio::test]
async fn with_a_budget_each_the_others_go_on_though_the_socket_is_not_writable() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 1);
    namespace
        .start(async || {
            let (endpoint, mut clients) = stalled().await;
            assert!(!is_writable(endpoint.socket()));
            let healthy = clients[2].0;
            must(endpoint.send(healthy, "past them")).await.unwrap();
            assert_eq!(next(&mut clients[2].1).await.payload, "past them");

            // Now it stalls too, and reads again. Writability, the sum of all three, never comes.
            let queued = fill(&endpoint, healthy);
            let sender = endpoint.sender();
            let sending = tokio::spawn(async move { sender.send(healthy, "after all").await });
            tokio::task::yield_now().await;
            assert!(!sending.is_finished());
            read(&mut clients[2].1, queued).await;
            must(sending).await.unwrap().unwrap();
            assert_eq!(next(&mut clients[2].1).await.payload, "after all");
            assert!(!is_writable(endpoint.socket()));
        })
        .await;
}

//! The one send buffer that all associations of an endpoint share, under both values of
//! `net.sctp.sndbuf_policy`.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sctp_tokio::{AssocId, Association, Endpoint, Socket, SocketBuilder};
use support::{endpoint_message, full::fill, must, netns::NetNs, next};

/// An endpoint, and clients that do not read, all in the thread's namespace. The endpoint has
/// filled what it can send to each but the last.
async fn stalled() -> (Endpoint, Vec<Client>) {
    let mut endpoint = support::quick()
        .with_local_addrs([support::LOOPBACK.parse().unwrap()])
        .endpoint()
        .unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let mut clients = Vec::new();
    for _ in 0..3 {
        let association = SocketBuilder::new()
            .with_recv_buffer_size(8000)
            .connect(&[addr])
            .await
            .unwrap();
        association.send("hello").await.unwrap();
        let (id, _) = endpoint_message(&mut endpoint).await;
        clients.push(Client {
            id,
            association,
            queued: 0,
        });
    }
    let queued = fill(&endpoint, &[clients[0].id, clients[1].id]).await;
    for (client, queued) in clients.iter_mut().zip(queued) {
        client.queued = queued;
    }
    (endpoint, clients)
}

struct Client {
    id: AssocId,
    association: Association,
    queued: u32,
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
async fn shared_buffer_stalls_all_until_the_peer_reads() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 0);
    namespace
        .start(async || {
            let (endpoint, mut clients) = stalled().await;
            assert!(!is_writable(endpoint.socket()));
            let (sender, free) = (endpoint.sender(), clients[2].id);
            let sending = tokio::spawn(async move { sender.send(free, "at last").await });
            tokio::task::yield_now().await;
            assert!(!sending.is_finished(), "the buffer is shared");
            let stuck = &mut clients[0];
            read(&mut stuck.association, stuck.queued).await;
            must(sending).await.unwrap().unwrap();
            assert_eq!(next(&mut clients[2].association).await.payload, "at last");
        })
        .await;
}

#[tokio::test]
async fn own_buffers_continue_on_an_unwritable_socket() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 1);
    namespace
        .start(async || {
            let (endpoint, mut clients) = stalled().await;
            assert!(!is_writable(endpoint.socket()));
            let healthy = clients[2].id;
            must(endpoint.send(healthy, "past them")).await.unwrap();
            assert_eq!(next(&mut clients[2].association).await.payload, "past them");

            // Now it stalls too, and reads again. Writability, the sum of all three, never comes.
            let queued = fill(&endpoint, &[healthy]).await;
            let sender = endpoint.sender();
            let sending = tokio::spawn(async move { sender.send(healthy, "after all").await });
            tokio::task::yield_now().await;
            assert!(!sending.is_finished());
            read(&mut clients[2].association, queued[0]).await;
            must(sending).await.unwrap().unwrap();
            assert_eq!(next(&mut clients[2].association).await.payload, "after all");
            assert!(!is_writable(endpoint.socket()));
        })
        .await;
}

//! No operation that is ready again and again keeps a thread from its other tasks: each takes part in
//! tokio's cooperative scheduling.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::VecDeque,
    future::poll_fn,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::Sink;
use sctp_tokio::{
    AssocId, Association, ByteStream, Endpoint, EndpointSender, Event, Message, Reliability,
    SctpListener, Socket, SocketBuilder, sctp_core::Family,
};
use support::{LOOPBACK, listener_with, must, pair_with};
use tokio::{
    io::AsyncReadExt,
    task::{JoinHandle, yield_now},
};

/// The most that a task can do in a row: 128 operations, each of which may have a wait of its own
/// beside it.
const MOST: usize = 130;
/// More operations than that, of which the kernel holds what they send.
const MANY: usize = 200;

/// A task that counts how often it has its turn.
struct Other {
    turns: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Other {
    /// Begins with this task's budget unused.
    async fn start() -> Self {
        let turns = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&turns);
        let task = tokio::spawn(async move {
            loop {
                count.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        yield_now().await;
        Self { turns, task }
    }

    fn turns(&self) -> usize {
        self.turns.load(Ordering::Relaxed)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Repeats an operation, and fails if no other task has a turn in between.
#[track_caller]
fn takes_turns(mut operation: impl AsyncFnMut()) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let other = Other::start().await;
        let before = other.turns();
        let mut count = 0;
        while other.turns() == before {
            assert!(count < MOST, "{count} in a row, at {caller}");
            must(operation()).await;
            count += 1;
        }
    }
}

fn roomy() -> SocketBuilder {
    SocketBuilder::new()
        .with_send_buffer_size(1 << 20)
        .with_recv_buffer_size(1 << 20)
}

/// Sends alone, so that a queue of such messages takes a system call for each.
fn alone() -> Message {
    Message::new("x").with_reliability(Reliability::Retransmissions(3))
}

/// An endpoint with one association, and the peer's end of it.
async fn connected_endpoint() -> (Endpoint, AssocId, Association) {
    let (mut listener, addr) = listener_with(roomy()).await;
    let bound = roomy().with_local_addrs([LOOPBACK.parse().unwrap()]);
    let mut endpoint = bound.endpoint().unwrap();
    let id = endpoint.connect(&[addr]).unwrap();
    let peer = must(listener.accept()).await.unwrap();
    must(endpoint.next_event()).await.unwrap();
    (endpoint, id, peer)
}

#[tokio::test]
async fn endpoint_send_takes_turns() {
    let (endpoint, id, _peer) = connected_endpoint().await;
    let sender = endpoint.sender();
    takes_turns(async || sender.send(id, "x").await.unwrap()).await;
}

#[tokio::test]
async fn endpoint_poll_send_takes_turns() {
    let (endpoint, id, _peer) = connected_endpoint().await;
    let mut sender = endpoint.sender();
    let message = Message::new("x");
    let send = async || {
        let sent = poll_fn(|cx| sender.poll_send(cx, id, &message)).await;
        sent.unwrap();
    };
    takes_turns(send).await;
}

/// Sends one queue, and fails if no other task has a turn while it is sent.
async fn queue_takes_turns(
    send: impl AsyncFnOnce(&mut EndpointSender, AssocId, &mut VecDeque<Message>),
) {
    let (endpoint, id, _peer) = connected_endpoint().await;
    let mut queue = (0..MANY).map(|_| alone()).collect();
    let other = Other::start().await;
    let before = other.turns();
    must(send(&mut endpoint.sender(), id, &mut queue)).await;
    assert!(queue.is_empty() && other.turns() > before);
}

fn addressed(id: AssocId, queue: &mut VecDeque<Message>) -> VecDeque<(AssocId, Message)> {
    queue.drain(..).map(|message| (id, message)).collect()
}

#[tokio::test]
async fn endpoint_send_queue_takes_turns() {
    queue_takes_turns(async |sender, id, queue| sender.send_queue(id, queue).await.unwrap()).await;
    queue_takes_turns(async |sender, id, queue| {
        let sent = poll_fn(|cx| sender.poll_send_queue(cx, id, queue)).await;
        sent.unwrap();
    })
    .await;
}

#[tokio::test]
async fn endpoint_send_many_takes_turns() {
    queue_takes_turns(async |sender, id, queue| {
        let mut queue = addressed(id, queue);
        sender.send_many(&mut queue).await.unwrap();
    })
    .await;
    queue_takes_turns(async |sender, id, queue| {
        let mut queue = addressed(id, queue);
        let sent = poll_fn(|cx| sender.poll_send_many(cx, &mut queue)).await;
        sent.unwrap();
    })
    .await;
}

#[tokio::test]
async fn association_send_queue_takes_turns() {
    for polled in [false, true] {
        let (client, _server) = pair_with(roomy(), roomy()).await;
        let mut queue = (0..MANY).map(|_| alone()).collect();
        let other = Other::start().await;
        let before = other.turns();
        let mut sender = client.sender();
        let sent = async {
            if polled {
                poll_fn(|cx| sender.poll_send_queue(cx, &mut queue)).await
            } else {
                client.send_queue(&mut queue).await
            }
        };
        must(sent).await.unwrap();
        assert!(queue.is_empty() && other.turns() > before);
    }
}

#[tokio::test]
async fn association_sink_takes_turns() {
    let (client, _server) = pair_with(roomy(), roomy()).await;
    let mut sink = client.sink();
    let feed = async || {
        let ready = poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await;
        ready.unwrap();
        Pin::new(&mut sink).start_send(Message::new("x")).unwrap();
    };
    takes_turns(feed).await;
}

#[tokio::test]
async fn association_recv_takes_turns() {
    let (client, mut server) = pair_with(roomy(), roomy()).await;
    for _ in 0..MANY {
        client.send("x").await.unwrap();
    }
    client.flushed().await.unwrap();
    takes_turns(async || drop(server.recv().await.unwrap())).await;
}

#[tokio::test]
async fn byte_stream_read_takes_turns() {
    let (client, server) = pair_with(roomy(), roomy()).await;
    client.send(vec![0; MANY]).await.unwrap();
    let mut stream = ByteStream::new(server, 0).unwrap();
    takes_turns(async || assert_eq!(stream.read_u8().await.unwrap(), 0)).await;
}

#[tokio::test]
async fn discarding_until_the_end_takes_turns() {
    let (client, mut server) = pair_with(roomy(), roomy()).await;
    for _ in 0..MANY {
        client.send("x").await.unwrap();
    }
    client.flushed().await.unwrap();
    drop(client);
    let other = Other::start().await;
    let before = other.turns();
    assert!(
        must(server.discard_until_closed())
            .await
            .unwrap()
            .is_orderly()
    );
    assert!(other.turns() > before);
}

#[tokio::test]
async fn endpoint_receive_takes_turns() {
    let (mut endpoint, _, peer) = connected_endpoint().await;
    for _ in 0..MANY {
        peer.send("x").await.unwrap();
    }
    peer.flushed().await.unwrap();
    let receive = async || {
        let event = endpoint.next_event().await.unwrap();
        assert!(matches!(event.event, Event::Message(_)));
    };
    takes_turns(receive).await;
}

#[tokio::test]
async fn accept_from_a_socket_taken_over_takes_turns() {
    let socket = Socket::one_to_many(Family::V4).unwrap();
    socket.bind(LOOPBACK.parse().unwrap()).unwrap();
    socket.listen(16).unwrap();
    let addr = socket.local_addrs(AssocId::FUTURE).unwrap()[0];
    let peer = || {
        let peer = Socket::one_to_many(Family::V4).unwrap();
        peer.connectx(&[addr]).unwrap();
        peer
    };
    let _peers: Vec<Socket> = (0..MOST + 1).map(|_| peer()).collect();
    let listener = SctpListener::try_from(OwnedFd::from(socket));
    let mut listener = listener.unwrap();
    takes_turns(async || drop(listener.accept().await.unwrap())).await;
}

//! One queue of messages for many associations of an endpoint.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{collections::VecDeque, task::Poll, thread};

use futures::future::poll_fn;
use sctp_tokio::{
    AssocId, Association, Endpoint, EndpointSender, Message, Reliability, SendError, SocketBuilder,
    options::{Heartbeat, PeerAddrParams},
};
use support::{endpoint_message, full::fill, must, netns::NetNs, next, quick};

/// Without heartbeats, which would take along what waits for a plain send.
fn silent() -> SocketBuilder {
    SocketBuilder::new().configure(|socket| {
        let params = PeerAddrParams::new().with_heartbeat(Heartbeat::Disabled);
        socket.set_peer_addr_params(AssocId::FUTURE, None, &params)
    })
}

/// An endpoint, and so many clients with their associations' numbers at the endpoint.
async fn with_clients(
    builder: SocketBuilder,
    count: usize,
    recv_buffer: usize,
    send_buffer: usize,
) -> (Endpoint, Vec<(AssocId, Association)>) {
    let mut endpoint = builder
        .with_local_addrs([support::LOOPBACK.parse().unwrap()])
        .with_send_buffer_size(send_buffer)
        .endpoint()
        .unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = silent().with_recv_buffer_size(recv_buffer);
        let client = client.connect(&[addr]).await.unwrap();
        client.send("hello").await.unwrap();
        let (id, _) = endpoint_message(&mut endpoint).await;
        clients.push((id, client));
    }
    (endpoint, clients)
}

fn message(number: u8, len: usize) -> Message {
    Message::new(vec![number; len])
}

#[tokio::test]
async fn each_association_receives_its_messages_in_order() {
    let (endpoint, mut clients) = with_clients(silent(), 5, 1 << 16, 1 << 18).await;
    // In turns, one by one, and with bursts of different lengths; more than a run holds.
    let mut queue = VecDeque::new();
    let mut counts = [0u8; 5];
    for step in 0..50usize {
        let to = (step * step) % 5;
        for _ in 0..=step % 3 {
            queue.push_back((clients[to].0, message(counts[to], 200)));
            counts[to] += 1;
        }
    }
    endpoint.sender().send_many(&mut queue).await.unwrap();
    assert!(queue.is_empty());
    for ((_, client), count) in clients.iter_mut().zip(counts) {
        for number in 0..count {
            assert_eq!(next(client).await.payload[0], number);
        }
    }
}

#[tokio::test]
async fn refused_message_names_its_association() {
    let (endpoint, mut clients) = with_clients(silent(), 2, 1 << 16, 1 << 18).await;
    let (first, second) = (clients[0].0, clients[1].0);
    let gone = AssocId::new(4711);
    let mut queue: VecDeque<_> = [
        (first, message(0, 50)),
        (gone, message(1, 50)),
        (second, message(2, 50)),
        (first, message(3, 50)),
        (second, message(4, 50).on_stream(u16::MAX)),
        (
            second,
            message(5, 50).with_reliability(Reliability::Retransmissions(0)),
        ),
        (first, message(6, 50)),
    ]
    .into();
    let sender = endpoint.sender();
    let refused = sender.send_many(&mut queue).await.unwrap_err();
    assert!(
        matches!(refused.error, SendError::NoAssociation),
        "{refused}"
    );
    assert_eq!((refused.assoc, queue.len()), (gone, 5));
    let refused = sender.send_many(&mut queue).await.unwrap_err();
    assert!(
        matches!(refused.error, SendError::InvalidStream { .. }),
        "{refused}"
    );
    assert_eq!((refused.assoc, queue.len()), (second, 2));
    sender.send_many(&mut queue).await.unwrap();
    for (to, numbers) in [(0, vec![0, 3, 6]), (1, vec![2, 5])] {
        for number in numbers {
            assert_eq!(next(&mut clients[to].1).await.payload[0], number);
        }
    }
}

#[tokio::test]
async fn association_closed_unread_delays_no_other() {
    let (endpoint, mut clients) = with_clients(silent(), 3, 1 << 16, 1 << 18).await;
    let ids: Vec<AssocId> = clients.iter().map(|(id, _)| *id).collect();
    let (_, ended) = clients.remove(1);
    ended
        .abort(&sctp_tokio::AbortReason::from_static("gone"))
        .unwrap();
    let mut queue: VecDeque<_> = (0..9)
        .map(|number: u8| (ids[usize::from(number) % 3], message(number, 50)))
        .collect();
    let sender = endpoint.sender();
    let mut refused = 0;
    while let Err(error) = sender.send_many(&mut queue).await {
        assert_eq!(error.assoc, ids[1]);
        assert!(matches!(error.error, SendError::Closed(_)), "{error}");
        refused += 1;
    }
    assert_eq!(refused, 3);
    for ((_, client), first) in clients.iter_mut().zip([0, 2]) {
        for number in [first, first + 3, first + 6] {
            assert_eq!(next(client).await.payload[0], number);
        }
    }
}

fn is_full(error: &SendError) -> bool {
    matches!(error, SendError::Full)
}

#[tokio::test]
async fn own_buffers_limit_a_stalled_peer() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 1);
    namespace
        .start(async || {
            let (endpoint, mut clients) = with_clients(quick(), 2, 8_000, 40_000).await;
            let (stuck, free) = (clients[0].0, clients[1].0);
            fill(&endpoint, &[stuck]).await;
            let mut queue: VecDeque<_> = [
                (stuck, message(1, 50)),
                (free, message(2, 50)),
                (stuck, message(3, 50)),
                (free, message(4, 50)),
            ]
            .into();
            let full = endpoint.sender().try_send_many(&mut queue).unwrap_err();
            assert!(is_full(&full.error), "{full}");
            assert_eq!(full.assoc, stuck);
            assert!(queue.iter().all(|(assoc, _)| *assoc == stuck));
            assert_eq!(queue.len(), 2);
            for number in [2, 4] {
                assert_eq!(next(&mut clients[1].1).await.payload[0], number);
            }
        })
        .await;
}

#[tokio::test]
async fn shared_buffer_waits_until_the_peer_reads() {
    let namespace = NetNs::new();
    namespace.set_sctp("sndbuf_policy", 0);
    namespace
        .start(async || {
            let (endpoint, mut clients) = with_clients(quick(), 2, 8_000, 40_000).await;
            let (stuck, free) = (clients[0].0, clients[1].0);
            fill(&endpoint, &[stuck]).await;
            let mut queue: VecDeque<_> = [(free, message(7, 50)), (stuck, message(8, 50))].into();
            let mut sender = endpoint.sender();
            let polled = poll_fn(|cx| {
                let polled = sender.poll_send_many(cx, &mut queue);
                Poll::Ready(polled.is_pending())
            });
            assert!(polled.await, "the buffer is shared");
            assert_eq!(queue.len(), 2);
            let (_, reader) = &mut clients[0];
            let reading = async { while next(reader).await.payload[0] != 8 {} };
            let sending = async { must(endpoint.sender().send_many(&mut queue)).await.unwrap() };
            tokio::join!(must(reading), sending);
            assert_eq!(next(&mut clients[1].1).await.payload[0], 7);
        })
        .await;
}

/// One of the two ways to send a queue of messages on an association.
type TrySend = fn(&EndpointSender, AssocId, &mut VecDeque<Message>) -> Result<(), SendError>;

fn try_send_many(
    sender: &EndpointSender,
    assoc: AssocId,
    queue: &mut VecDeque<Message>,
) -> Result<(), SendError> {
    let mut addressed = queue.drain(..).map(|message| (assoc, message)).collect();
    let result = sender.try_send_many(&mut addressed);
    queue.extend(addressed.into_iter().map(|(_, message)| message));
    result.map_err(|refused| refused.error)
}

/// Sends messages in pairs, each a run of its own, until one is refused. Returns how many went out.
fn send_pairs(sender: &EndpointSender, assoc: AssocId, try_send: TrySend) -> usize {
    let (mut queue, mut queued) = (VecDeque::new(), 0);
    loop {
        while queue.len() < 2 {
            queue.push_back(message(0, 50));
            queued += 1;
        }
        match try_send(sender, assoc, &mut queue) {
            Ok(()) => {}
            Err(full) if is_full(&full) => thread::yield_now(),
            // The refused one has left the queue as well.
            Err(_) => return queued - queue.len() - 1,
        }
    }
}

/// Peels associations off while another thread sends on them: what went out must arrive, without a
/// further send. When the thread is interrupted is chance, so there are many rounds.
async fn messages_sent_during_peel_off_arrive(try_send: TrySend) {
    const ROUNDS: usize = 40;
    let (mut endpoint, mut clients) = with_clients(silent(), ROUNDS, 1 << 16, 1 << 18).await;
    for (id, client) in &mut clients {
        let (id, sender) = (*id, endpoint.sender());
        let sending = thread::spawn(move || send_pairs(&sender, id, try_send));
        // Busy, so that the thread is interrupted anywhere, and not only where it wakes this one.
        let mut received = 0;
        while received < 20 {
            received += usize::from(client.try_recv().is_ok());
        }
        let _peeled_off = endpoint.peel_off(id).unwrap();
        let sent = sending.join().unwrap();
        for _ in received..sent {
            next(client).await;
        }
    }
}

#[tokio::test]
async fn send_many_racing_peel_off_loses_nothing() {
    messages_sent_during_peel_off_arrive(try_send_many).await;
}

#[tokio::test]
async fn send_queue_racing_peel_off_loses_nothing() {
    messages_sent_during_peel_off_arrive(EndpointSender::try_send_queue).await;
}

//! Shared parts of the kernel tests. Each needs a kernel with SCTP: cargo runs them through
//! `.kernel/run`, which provides one or says how to get it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
#![allow(clippy::unwrap_used, reason = "a failed set-up fails the test")]

pub mod full;
pub mod netns;
pub mod patience;
pub mod raw;
pub mod sync;

use std::{future::Future, net::SocketAddr, time::Duration};

use sctp_tokio::{
    AssocId, Association, End, Endpoint, Event, Notification, Received, SctpListener,
    SocketBuilder,
    options::{AssocInfo, RtoInfo},
};

pub use patience::patience;

pub const LOOPBACK: &str = "127.0.0.1:0";

/// Waits for something that must happen.
#[track_caller]
pub fn must<F: Future>(what: F) -> impl Future<Output = F::Output> {
    patience::within(patience(), what)
}

pub async fn listener() -> (SctpListener, SocketAddr) {
    listener_with(SocketBuilder::new()).await
}

pub async fn listener_with(builder: SocketBuilder) -> (SctpListener, SocketAddr) {
    let listener = builder
        .with_local_addrs([LOOPBACK.parse().unwrap()])
        .listen()
        .unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    (listener, addr)
}

pub async fn endpoint() -> (Endpoint, SocketAddr) {
    let endpoint = Endpoint::bind(LOOPBACK).await.unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    (endpoint, addr)
}

/// Retransmits soon: for senders whose peer closes its window, and is asked for news in vain.
///
/// Never gives up an association: packets that arrive at a full buffer are discarded, and ten discards
/// take half a second.
pub fn quick() -> SocketBuilder {
    let millis = Duration::from_millis;
    let timeouts = RtoInfo::new()
        .with_initial(millis(50))
        .with_min(millis(10))
        .with_max(millis(50));
    let persistent = AssocInfo::new().with_max_retransmissions(u16::MAX);
    SocketBuilder::new().configure(move |socket| {
        socket.set_rto_info(AssocId::FUTURE, &timeouts)?;
        socket.set_assoc_info(AssocId::FUTURE, &persistent)
    })
}

/// A client's and a server's end of one association.
pub async fn pair() -> (Association, Association) {
    pair_with(SocketBuilder::new(), SocketBuilder::new()).await
}

pub async fn pair_with(client: SocketBuilder, server: SocketBuilder) -> (Association, Association) {
    let (mut listener, addr) = listener_with(server).await;
    let peer = [addr];
    let (client, server) =
        must(async { tokio::join!(client.connect(&peer), listener.accept()) }).await;
    (client.unwrap(), server.unwrap())
}

/// Receives until the end, and returns the payloads that came before it, and how it ended.
pub async fn until_end(association: &mut Association) -> (Vec<bytes::Bytes>, End) {
    let mut messages = Vec::new();
    loop {
        match must(association.next_event()).await.unwrap() {
            Event::Message(message) => messages.push(message.payload),
            Event::Closed(end) => return (messages, end),
            _ => {}
        }
    }
}

/// Receives until a notification of a kind comes by; messages before it are dropped.
pub async fn notification<T>(
    association: &mut Association,
    mut wanted: impl FnMut(Notification) -> Option<T>,
) -> T {
    loop {
        match must(association.next_event()).await.unwrap() {
            Event::Notification(notification) => {
                if let Some(found) = wanted(notification) {
                    return found;
                }
            }
            Event::Closed(end) => panic!("the association ended first: {end}"),
            _ => {}
        }
    }
}

/// Waits for a state of the kernel that nothing announces.
#[track_caller]
pub fn eventually(mut reached: impl FnMut() -> bool) -> impl Future<Output = ()> {
    must(async move {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Waits until the peer's kernel has everything that was sent.
#[track_caller]
pub fn acknowledged(association: &Association) -> impl Future<Output = ()> {
    eventually(|| {
        let socket = association.socket().unwrap();
        socket.send_buffer_used().unwrap() == 0
    })
}

/// The next message of an endpoint; what comes before it is dropped.
pub async fn endpoint_message(endpoint: &mut Endpoint) -> (AssocId, Received) {
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Message(message) = event.event {
            return (event.assoc, message);
        }
    }
}

/// The next end of an association of an endpoint; what comes before it is dropped.
pub async fn endpoint_end(endpoint: &mut Endpoint) -> (AssocId, End) {
    loop {
        let event = must(endpoint.next_event()).await.unwrap();
        if let Event::Closed(end) = event.event {
            return (event.assoc, end);
        }
    }
}

/// The next message of an association.
pub async fn next(association: &mut Association) -> Received {
    must(association.recv())
        .await
        .unwrap()
        .expect("a message, not the end")
}

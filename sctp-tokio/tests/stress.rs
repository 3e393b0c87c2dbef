//! Many associations at once, ended in every way at random moments.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::collections::HashMap;

use rustix::net::sockopt;
use sctp_tokio::{
    AbortReason, Association, End, Endpoint, Event, RecvError, SendError, Side, SocketBuilder,
};
use support::{LOOPBACK, listener, must, next, until_end};
use tokio::task::JoinSet;

const CLIENTS: u32 = 200;

/// A small generator: the same numbers in each run.
fn random(seed: u32) -> u32 {
    let mut x = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for _ in 0..3 {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    }
    x
}

/// Sends some messages and has them echoed, then ends as its number says.
async fn client(number: u32, to: std::net::SocketAddr) {
    let mut client = must(Association::connect(to)).await.unwrap();
    let count = 1 + random(number) % 8;
    for at in 0..count {
        let len = 1 + usize::try_from(random(number ^ at) % 4000).unwrap();
        let payload: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(len).collect();
        must(client.send(payload.clone())).await.unwrap();
        assert!(next(&mut client).await.payload == payload);
    }
    match number % 4 {
        0 => assert!(must(client.shutdown()).await.unwrap().is_orderly()),
        1 => {
            let reason = AbortReason::new(number.to_be_bytes().to_vec()).unwrap();
            client.abort(&reason).unwrap();
            assert!(!until_end(&mut client).await.1.is_orderly());
        }
        2 => drop(client),
        _ => {
            // Asks the server to end it.
            must(client.send("abort me")).await.unwrap();
            assert_eq!(until_end(&mut client).await.1.reason().unwrap(), "done");
        }
    }
}

fn check_end(ends: &mut HashMap<&'static str, u32>, end: &End) {
    let kind = match end {
        End::Shutdown { by: Side::Peer } => "shut down",
        End::Aborted {
            by: Side::Local, ..
        } => "aborted here",
        End::Aborted { by: Side::Peer, .. } => {
            assert_eq!(end.reason().unwrap().len(), 4);
            "aborted there"
        }
        other => panic!("{other}"),
    };
    *ends.entry(kind).or_default() += 1;
}

fn check_all(ends: &HashMap<&'static str, u32>) {
    assert_eq!(ends["shut down"], CLIENTS / 2);
    assert_eq!(ends["aborted there"], CLIENTS / 4);
    assert_eq!(ends["aborted here"], CLIENTS / 4);
}

/// Creates an endpoint whose receive buffer has space for a message of each client, above the limit
/// of `net.core.rmem_max`.
///
/// The kernel discards packets that arrive while a thread uses the socket and its buffer is full.
/// Everything but an ABORT is sent again.
fn roomy_endpoint() -> Endpoint {
    SocketBuilder::new()
        .with_local_addrs([LOOPBACK.parse().unwrap()])
        .configure(|socket| Ok(sockopt::set_socket_recv_buffer_size_force(socket, 4 << 20)?))
        .endpoint()
        .unwrap()
}

fn clients(to: std::net::SocketAddr) -> JoinSet<()> {
    (0..CLIENTS).map(|number| client(number, to)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listener_serves_two_hundred_peers() {
    let (mut listener, addr) = listener().await;
    let clients = clients(addr);
    let mut servers = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut server = must(listener.accept()).await.unwrap();
        servers.spawn(async move {
            loop {
                match must(server.recv()).await {
                    Ok(Some(message)) if message.payload == "abort me" => {
                        server.abort(&AbortReason::from_static("done")).unwrap();
                    }
                    Ok(Some(message)) => {
                        match must(server.send(message.reply(message.payload.clone()))).await {
                            Ok(()) | Err(SendError::Closed(_) | SendError::ShuttingDown) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    Ok(None) => return server.end().unwrap().clone(),
                    Err(RecvError::Closed(end)) => return end,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    clients.join_all().await;
    let mut ends = HashMap::new();
    for end in servers.join_all().await {
        check_end(&mut ends, &end);
    }
    check_all(&ends);
    eventually_empty(listener.socket()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoint_serves_two_hundred_peers() {
    let mut endpoint = roomy_endpoint();
    let addr = endpoint.local_addrs().unwrap()[0];
    let clients = clients(addr);
    let mut ends = HashMap::new();
    let mut ended = 0;
    while ended < CLIENTS {
        let event = must(endpoint.next_event()).await.unwrap();
        match event.event {
            Event::Message(message) if message.payload == "abort me" => {
                let reason = AbortReason::from_static("done");
                endpoint.abort(event.assoc, &reason).unwrap();
            }
            Event::Message(message) => {
                let reply = message.reply(message.payload.clone());
                match must(endpoint.send(event.assoc, reply)).await {
                    Ok(()) | Err(SendError::Closed(_) | SendError::ShuttingDown) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Event::Closed(end) => {
                ended += 1;
                check_end(&mut ends, &end);
            }
            _ => {}
        }
    }
    clients.join_all().await;
    check_all(&ends);
    eventually_empty(endpoint.socket()).await;
}

async fn eventually_empty(socket: &sctp_tokio::Socket) {
    support::eventually(|| socket.assoc_count().unwrap() == 0).await;
}

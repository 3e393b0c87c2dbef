//! Clients and servers that the network in memory connects: what the kernel has no word for.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::Duration,
};

use sctp_service::{
    AssocId, ConnectInfo, End, Event, Listener, Payload, Side, Transport,
    client::{Client, ClientConfig, Connect},
    serve,
    testing::{Duplex, ScriptedListener, duplex},
};
use sctp_tokio::Notification;
use tokio::time::{Instant, sleep};

use crate::support::{call, must, payload, settle};

async fn echo(Payload(payload): Payload) -> Payload {
    Payload(payload)
}

#[tokio::test(start_paused = true)]
async fn address_is_taken_until_its_listener_is_dropped() {
    let (mut listener, network) = ScriptedListener::new();
    let error = network.listen().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    listener.stop_listening().unwrap();
    let error = network.listen().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    // A connector that was made before finds the next listener.
    let mut connector = network.connector();
    drop(listener);
    connector.connect().await.unwrap_err();
    let mut listener = network.listen().unwrap();
    let (client, server) = tokio::join!(connector.connect(), listener.accept());
    assert_eq!(
        client.unwrap().connect_info().assoc(),
        server.unwrap().connect_info().assoc()
    );
}

#[tokio::test(start_paused = true)]
async fn both_ends_see_the_same_association() {
    let (mut listener, network) = ScriptedListener::new();
    let mut connector = network.connector();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (client, server) = tokio::join!(connector.connect(), listener.accept());
        let (client, server) = (client.unwrap(), server.unwrap());
        let (info, theirs) = (client.connect_info(), server.connect_info());
        assert_eq!(info.peer_addrs(), listener.local_addrs().unwrap());
        assert_eq!(info.peer_addrs(), theirs.local_addrs());
        assert_eq!(info.local_addrs(), theirs.peer_addrs());
        clients.push(info.local_addrs().to_vec());
    }
    assert_ne!(clients[0], clients[1], "each has its own");
    let info = ConnectInfo::new(AssocId::new(9)).with_streams(5, 7);
    let mut connector = network.connector_with(Duplex::new().with_connect_info(info.clone()));
    let client = connector.connect().await.unwrap().connect_info();
    assert_eq!(must(listener.accept()).await.unwrap().connect_info(), info);
    assert_eq!(
        (client.inbound_streams(), client.outbound_streams()),
        (7, 5)
    );
}

#[tokio::test(start_paused = true)]
async fn accept_peer_returns_the_accept_error() {
    let (mut listener, network) = ScriptedListener::new();
    network.fail_accept(io::ErrorKind::OutOfMemory.into()).await;
    let error = must(listener.accept_peer()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
}

#[tokio::test(start_paused = true)]
async fn connect_waits_while_backlog_is_full() {
    let (mut listener, network) = ScriptedListener::new();
    let mut up = Vec::new();
    let mut connector = network.connector();
    for _ in 0..1024 {
        up.push(must(connector.connect()).await.unwrap());
    }
    // Or the next one is pending because this task has had its turn.
    settle().await;
    let mut one_more = pin!(connector.connect());
    let first = poll_fn(|cx| Poll::Ready(one_more.as_mut().poll(cx).is_pending()));
    assert!(first.await);
    let _accepted = must(listener.accept()).await.unwrap();
    must(one_more).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_takes_no_time_and_is_exact() {
    let (listener, network) = ScriptedListener::new();
    let slow = async |Payload(payload): Payload| {
        sleep(Duration::from_secs(1800)).await;
        Payload(payload)
    };
    tokio::spawn(serve(listener, slow).into_future());
    let began = Instant::now();
    let client = Client::builder()
        .with_config(ClientConfig::new().with_call_timeout(None))
        .connect(network.connector())
        .await
        .unwrap();
    assert_eq!(payload(call(&client, "x")).await, "x");
    assert_eq!(began.elapsed(), Duration::from_secs(1800));
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_announced_once_however_long_it_takes() {
    let (mut transport, peer) = duplex();
    peer.hold_acks();
    peer.shutdown();
    let event = must(poll_fn(|cx| transport.poll_next_event(cx))).await;
    assert!(matches!(
        event.unwrap(),
        Event::Notification(Notification::Shutdown { .. })
    ));
    peer.release_acks();
    let event = must(poll_fn(|cx| transport.poll_next_event(cx))).await;
    let end = End::Shutdown { by: Side::Peer };
    assert_eq!(event.unwrap(), Event::Closed(end));
}

/// Runs a test on several threads, where what nobody wakes is noticed after a minute.
fn on_threads(workers: usize, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let test = tokio::time::timeout(Duration::from_secs(60), test);
        test.await.expect("nothing happened for a minute");
    });
}

/// With room for one message there and one back, each end waits for the other all the time: a
/// wake-up that is forgotten is the end of the test.
#[test]
fn wake_up_arrives_with_room_for_one_message() {
    for workers in [1, 2] {
        on_threads(workers, async {
            let (listener, network) = ScriptedListener::new();
            tokio::spawn(serve(listener, echo).into_future());
            let connector = network.connector_with(Duplex::new().with_capacity(1));
            let client = Client::builder().connect(connector).await.unwrap();
            let callers: Vec<_> = (0..64)
                .map(|caller| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for n in 0..50 {
                            let text = format!("{caller} {n}");
                            let reply = must(client.request(text.clone())).await.unwrap();
                            assert_eq!(reply.payload, text);
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            let end = must(client.graceful_shutdown()).await;
            assert_eq!(end, Some(End::Shutdown { by: Side::Local }));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_does_not_read_blocks_a_client() {
    let (mut listener, network) = ScriptedListener::new();
    let connector = network.connector_with(Duplex::new().with_capacity(2));
    let client = Client::builder().connect(connector).await.unwrap();
    let server = must(listener.accept_peer()).await.unwrap();
    let sends: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send("x").await })
        })
        .collect();
    settle().await;
    let sent = |sends: &[tokio::task::JoinHandle<_>]| {
        sends.iter().filter(|send| send.is_finished()).count()
    };
    assert_eq!(sent(&sends), 2);
    server.expect_message("x").await;
    settle().await;
    assert_eq!(sent(&sends), 3);
    // What is unread where the reading end stops for good makes the end an abort.
    drop(server);
    settle().await;
    let end = client.last_end().unwrap();
    assert_eq!(end.reason().unwrap(), "");
}

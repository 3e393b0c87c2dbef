//! Fifteen mistakes that are easily made with Linux's SCTP, and that this library does not make.
//!
//! | mistake | what is right | tested in |
//! |---|---|---|
//! | one reassembly buffer for a whole socket | one for each association | `reassembly.rs`, `endpoint.rs` |
//! | `shutdown(2)` on a peeled-off socket | `SCTP_EOF` | here, `terminations.rs` |
//! | `SCTP_EOF`, `SCTP_ABORT` on a one-to-one socket | no such socket under an association | here |
//! | a full buffer answered by trying again at once | waiting | here |
//! | messages and reports cut at the buffer's length | whole ones | `messages.rs`, `early_end.rs` |
//! | trust in the order and kind of ancillary data | looking for what is meant | here |
//! | descriptors leaked, inherited, closed twice | owned ones | `descriptor_count.rs` |
//! | a connect that waits for writability | the notification | `traps.rs`, `setup.rs` |
//! | causes and event numbers in the wrong order | decoded ones | here, `terminations.rs` |
//! | packed structures laid out by eye | checked offsets | here |
//! | addresses all taken to be of one length | each of its own | here |
//! | a batch reports the end before the data | the data first | `traps.rs` |
//! | the end told once, to whoever asks | told to all, again and again | `traps.rs`, `terminations.rs` |
//! | a subscription whose structure grew | one event at a time | here |
//! | memory without bound for a peer | a limit | `reassembly.rs`, `terminations.rs` |
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Wake, Waker},
};

use sctp_tokio::{
    AbortReason, End, ErrorCause, Event, EventSet, Message, Notification, Side, SocketBuilder,
};
use support::{acknowledged, listener, must, next, pair, pair_with, quick, until_end};

#[tokio::test]
async fn peeled_off_association_shuts_down() {
    let (mut client, mut server) = pair().await;
    server.send("last words").await.unwrap();
    let (ended, (messages, heard)) =
        must(async { tokio::join!(server.shutdown(), until_end(&mut client)) }).await;
    assert_eq!(ended.unwrap(), End::Shutdown { by: Side::Local });
    assert_eq!(messages, ["last words"]);
    assert_eq!(heard, End::Shutdown { by: Side::Peer });
}

#[tokio::test]
async fn either_side_of_an_association_can_abort_with_a_reason() {
    for by_client in [true, false] {
        let (client, server) = pair().await;
        let (aborting, mut hearing) = match by_client {
            true => (client, server),
            false => (server, client),
        };
        assert!(aborting.socket().unwrap().is_seqpacket().unwrap());
        aborting.abort(&AbortReason::from_static("reason")).unwrap();
        let end = until_end(&mut hearing).await.1;
        assert_eq!(end.reason().unwrap(), "reason");
        assert_eq!(end.cause_code(), Some(ErrorCause::USER_INITIATED_ABORT));
    }
}

#[tokio::test]
async fn waiting_send_does_not_spin() {
    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    let (mut client, mut server) = pair_with(quick(), small).await;
    let mut queued = 0;
    while client.try_send(&Message::new(vec![0; 1000])).is_ok() {
        queued += 1;
    }
    let count = Arc::new(Count(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = std::task::Context::from_waker(&waker);
    let message = Message::new("more");
    assert!(client.poll_send(&mut cx, &message).is_pending());
    // Another association's traffic keeps the runtime turning meanwhile.
    let (mut other, mut echo) = pair().await;
    for _ in 0..100 {
        other.send("tick").await.unwrap();
        let tick = next(&mut echo).await;
        echo.send(tick.reply("tock")).await.unwrap();
        next(&mut other).await;
    }
    // A late acknowledgement may make some room; what must not be is a wake-up for each turn.
    assert!(count.0.load(Ordering::Relaxed) < 10);
    let sent = client.poll_send(&mut cx, &message).is_ready();
    let woken = count.0.load(Ordering::Relaxed);
    for _ in 0..queued {
        next(&mut server).await;
    }
    if !sent {
        support::eventually(|| count.0.load(Ordering::Relaxed) > woken).await;
        assert!(client.poll_send(&mut cx, &message).is_ready());
    }
    assert_eq!(next(&mut server).await.payload, "more");
}

#[tokio::test]
async fn receive_info_is_found_among_other_control_data() {
    let server = SocketBuilder::new().configure(|socket| {
        socket.set_recv_nxtinfo(true)?;
        let socket = socket2::SockRef::from(socket);
        socket.set_recv_tos_v4(true)
    });
    let (client, mut server) = pair_with(SocketBuilder::new(), server).await;
    for at in 0..10u16 {
        let message = Message::new("x").on_stream(at).with_ppid(u32::from(at));
        client.send(message).await.unwrap();
    }
    acknowledged(&client).await;
    for at in 0..10u16 {
        let info = next(&mut server).await.info;
        assert_eq!((info.stream.get(), info.ppid.get()), (at, u32::from(at)));
        assert_eq!(info.assoc, server.id());
    }
}

#[tokio::test]
async fn failed_sends_and_remote_ends_are_told_apart() {
    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    let (mut client, server) = pair_with(SocketBuilder::new(), small).await;
    while client
        .try_send(&Message::new(vec![3; 1000]).on_stream(3).with_ppid(46u32))
        .is_ok()
    {}
    server.abort(&AbortReason::from_static("full")).unwrap();
    let mut failed = 0;
    let end = loop {
        match must(client.next_event()).await.unwrap() {
            Event::Notification(Notification::SendFailed(event)) => {
                assert_eq!((event.stream.get(), event.ppid.get()), (3, 46));
                assert_eq!(event.payload, vec![3; 1000]);
                failed += 1;
            }
            Event::Notification(other) => panic!("{other:?}"),
            Event::Closed(end) => break end,
            _ => {}
        }
    };
    assert!(failed > 0);
    assert_eq!(end.cause_code(), Some(12));
}

#[tokio::test]
async fn status_fields_are_read_from_the_right_offsets() {
    let (client, _server) = pair().await;
    let status = client.socket().unwrap().status(client.id()).unwrap();
    assert_eq!(
        status.primary.addr,
        Some(client.control().peer_addrs().unwrap()[0])
    );
    assert_eq!(
        status.primary.mtu, 65_532,
        "the loopback interface's, rounded down"
    );
    assert_eq!(status.outbound_streams, client.outbound_streams());
    assert_eq!(status.inbound_streams, client.inbound_streams());
    let path = client
        .socket()
        .unwrap()
        .path_info(client.id(), client.control().peer_addrs().unwrap()[0])
        .unwrap();
    assert_eq!(path.mtu, status.primary.mtu);
}

#[tokio::test]
async fn addresses_of_both_families_are_bound_together() {
    let addrs: [SocketAddr; 3] = [
        "[::1]:0".parse().unwrap(),
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.3:0".parse().unwrap(),
    ];
    let canonical = |addrs: &[SocketAddr]| {
        let mut ips: Vec<_> = addrs.iter().map(|addr| addr.ip().to_canonical()).collect();
        ips.sort();
        ips
    };
    let mut listener = SocketBuilder::new()
        .with_local_addrs(addrs)
        .listen()
        .unwrap();
    let bound = listener.local_addrs().unwrap();
    assert_eq!(canonical(&bound), canonical(&addrs));
    let mut client = must(SocketBuilder::new().connect(&bound)).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    assert_eq!(
        canonical(&client.control().peer_addrs().unwrap()),
        canonical(&addrs)
    );
    assert_eq!(
        canonical(&server.control().local_addrs().unwrap()),
        canonical(&addrs)
    );
    server.send("hello").await.unwrap();
    assert_eq!(next(&mut client).await.payload, "hello");
}

#[tokio::test]
async fn every_event_can_be_subscribed_to() {
    let all = SocketBuilder::new().with_events(EventSet::all());
    let (mut client, server) = pair_with(all.clone(), all).await;
    let events = client.socket().unwrap().events(client.id()).unwrap();
    assert!(events.contains(EventSet::all()));
    // The last that the kernel has learnt, of those that need no further setting.
    client.send("x").await.unwrap();
    acknowledged(&client).await;
    let dry = |event| matches!(event, Notification::SenderDry { .. }).then_some(());
    support::notification(&mut client, dry).await;
    drop(server);
}

#[tokio::test]
async fn unread_notification_does_not_abort_on_close() {
    let (mut listener, addr) = listener().await;
    let mut client = sctp_tokio::Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    let socket = server.socket().unwrap();
    socket.subscribe(server.id(), EventSet::SENDER_DRY).unwrap();
    server.send("x").await.unwrap();
    acknowledged(&server).await;
    drop(server);
    let (messages, end) = until_end(&mut client).await;
    assert_eq!(
        (messages, end),
        (vec!["x".into()], End::Shutdown { by: Side::Peer })
    );
}

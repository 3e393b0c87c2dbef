//! Limits of accepted messages.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, future::join_all};
use sctp_service::{
    AssociationHandle, Config, SendError, Shutdown, TrySendError,
    testing::{Duplex, Peer},
};
use tokio::time::timeout;

use crate::{
    Handles, heard,
    support::{must, on, settle},
};

/// A peer that holds one message unread, and reads none; `hello` was answered.
async fn narrow(config: Config) -> (Handles, Peer, AssociationHandle) {
    let mut server = Handles::new(config);
    let settings = Duplex::new().with_capacity(1).with_max_message(1_000);
    let peer = server.server.network.connect_with(settings).await.unwrap();
    let handle = server.ask(&peer).await;
    (server, peer, handle)
}

/// Limits of the outbound queue.
fn queue(messages: usize, bytes: usize) -> Config {
    Config::new()
        .with_outbound_queue(messages)
        .with_outbound_queue_bytes(bytes)
}

fn is_full(result: Result<(), TrySendError>) -> bool {
    result.is_err_and(|refused| matches!(refused.error, SendError::Full))
}

#[tokio::test(start_paused = true)]
async fn send_waits_for_a_peer_that_does_not_read() {
    let (_server, peer, handle) = narrow(queue(3, 1_000)).await;
    // One is with the peer, three wait.
    for number in 0..4 {
        must(handle.send(number.to_string())).await.unwrap();
        settle().await;
    }
    assert!(is_full(handle.try_send("5")));
    let mut waiting = Box::pin(handle.send("4"));
    assert!(
        timeout(Duration::from_secs(60), &mut waiting)
            .await
            .is_err()
    );
    // Dropped, it is not sent, and its turn is the next one's.
    drop(waiting);
    let mut next = Box::pin(handle.send("6"));
    assert!((&mut next).now_or_never().is_none());
    peer.expect_message("0").await;
    must(next).await.unwrap();
    settle().await;
    let mut all = Vec::new();
    while all.last().is_none_or(|last| last != "6") {
        all.push(must(peer.recv()).await.unwrap().payload);
    }
    assert_eq!(all, ["1", "2", "3", "6"]);
}

#[tokio::test(start_paused = true)]
async fn queued_bytes_are_bounded_except_for_one_long_message() {
    let (_server, peer, handle) = narrow(queue(100, 10)).await;
    must(handle.send("unread")).await.unwrap();
    settle().await;
    must(handle.send("12345")).await.unwrap();
    assert!(is_full(handle.try_send("123456")));
    handle.try_send("67890").unwrap();
    assert!(is_full(handle.try_send("!")));
    for expected in ["unread", "12345", "67890"] {
        peer.expect_message(expected).await;
    }
    settle().await;
    handle.try_send("unread").unwrap();
    settle().await;
    handle.try_send(Bytes::from(vec![b'a'; 1_000])).unwrap();
    assert!(is_full(handle.try_send("!")));
    peer.expect_message("unread").await;
    peer.expect_message([b'a'; 1_000]).await;
    settle().await;
    handle.try_send("!").unwrap();
}

#[tokio::test(start_paused = true)]
async fn refused_message_is_returned_whole() {
    let (_server, peer, handle) = narrow(Config::new().with_outbound_queue(1)).await;
    for text in ["unread", "waiting"] {
        must(handle.send(text)).await.unwrap();
        settle().await;
    }
    let notice = on(1, vec![b'n'; 100]).with_ppid(7u32);
    let memory = notice.payload.as_ptr();
    let TrySendError { message, error } = handle.try_send(notice).unwrap_err();
    assert!(matches!(error, SendError::Full), "{error}");
    assert_eq!(message.payload.as_ptr(), memory);
    assert_eq!((message.info.stream.get(), message.info.ppid.get()), (1, 7));
    peer.expect_message("unread").await;
    peer.expect_message("waiting").await;
    settle().await;
    handle.try_send(message).unwrap();
    peer.expect_message([b'n'; 100]).await;
    handle.shutdown(Shutdown::AfterAck).unwrap();
    let late = handle.try_send("late").unwrap_err();
    assert!(matches!(late.error, SendError::ShuttingDown), "{late}");
    assert_eq!(late.message.payload, "late");
}

#[tokio::test(start_paused = true)]
async fn full_outbound_queue_does_not_hold_up_requests() {
    let config = queue(2, 1_000)
        .with_reply_queue(2)
        .with_reply_queue_bytes(1_000);
    let (_server, peer, handle) = narrow(config).await;
    for number in 0..3 {
        must(handle.send(number.to_string())).await.unwrap();
        settle().await;
    }
    // Pushes that wait do not keep requests from being read: each queue has its own limit.
    for stream in 0..3 {
        peer.send(on(stream, "ask")).await;
        settle().await;
        assert!(is_full(handle.try_send("more")));
    }
    assert_eq!(peer.unread_by_server(), 1);
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(must(peer.recv()).await.unwrap().payload);
    }
    assert_eq!(all[..3], ["0", "1", "2"]);
    assert_eq!(all[3..], ["ask"; 3]);
}

#[tokio::test(start_paused = true)]
async fn waiting_senders_are_served_in_order() {
    let (_server, peer, handle) = narrow(queue(1, 1_000)).await;
    let pushes = (0..50).map(|number| {
        let handle = handle.clone();
        async move { must(handle.send(format!("{number}"))).await.unwrap() }
    });
    let pushing = tokio::spawn(join_all(pushes));
    for number in 0..50 {
        peer.expect_message(number.to_string()).await;
    }
    must(pushing).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unsendable_message_is_refused_at_once() {
    let (_server, peer, handle) = narrow(Config::new()).await;
    let streams = handle.connect_info().unwrap().outbound_streams();
    let refused = [
        (on(0, ""), "empty"),
        (on(streams, "hello"), "exceeds the"),
        (on(0, vec![0; 1_001]), "1001 bytes"),
    ];
    for (message, why) in refused {
        for result in [
            handle.try_send(message.clone()).map_err(SendError::from),
            must(handle.send(message)).await,
        ] {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
    }
    must(handle.send(on(streams - 1, "hello"))).await.unwrap();
    peer.expect_message("hello").await;
    assert!(heard(&peer).is_empty());
}

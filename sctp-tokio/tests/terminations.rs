//! Ends of associations, as each side sees them.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use sctp_tokio::{
    AbortReason, Association, End, ErrorCause, Event, Message, Notification, RecvError, SendError,
    Side, SocketBuilder,
};
use support::{endpoint, endpoint_message, listener, must, next, pair, pair_with, until_end};

#[tokio::test]
async fn shutdown_delivers_everything_and_is_orderly() {
    let (mut client, mut server) = pair().await;
    for at in 0..50u8 {
        client.send(vec![at; 1000]).await.unwrap();
    }
    let (ended, (messages, heard)) = tokio::join!(client.shutdown(), until_end(&mut server));
    assert_eq!(ended.unwrap(), End::Shutdown { by: Side::Local });
    assert_eq!(heard, End::Shutdown { by: Side::Peer });
    assert_eq!(messages.len(), 50);
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(at, payload)| usize::from(payload[0]) == at)
    );
    assert!(must(server.recv()).await.unwrap().is_none());
}

#[tokio::test]
async fn abort_reason_arrives_byte_for_byte() {
    let reasons: [Vec<u8>; 5] = [
        vec![],
        b"x".to_vec(),
        b"go away".to_vec(),
        vec![0xff, 0x00, 0xfe, b'\n'],
        (0..AbortReason::MAX_LEN)
            .map(|at| at.to_le_bytes()[0])
            .collect(),
    ];
    for reason in reasons {
        let (mut client, mut server) = pair().await;
        server
            .abort(&AbortReason::new(reason.clone()).unwrap())
            .unwrap();
        let (_, end) = until_end(&mut client).await;
        assert_eq!(end.reason().unwrap(), reason);
        assert_eq!(end.cause_code(), Some(ErrorCause::USER_INITIATED_ABORT));
        let (_, end) = until_end(&mut server).await;
        assert!(
            matches!(
                end,
                End::Aborted {
                    by: Side::Local,
                    ..
                }
            ),
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn abort_discards_unsent_messages() {
    // The server's window is small and it does not read, so most of this stays unsent.
    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    let (mut client, mut server) = pair_with(SocketBuilder::new(), small).await;
    let mut sent = 0;
    while client.try_send(&Message::new(vec![7; 1000])).is_ok() {
        sent += 1;
    }
    client.abort(&AbortReason::from_static("enough")).unwrap();
    let mut failed = 0;
    let end = loop {
        match must(client.next_event()).await.unwrap() {
            Event::Notification(Notification::SendFailed(event)) => {
                assert_eq!(event.payload, vec![7; 1000]);
                assert!(event.first_fragment && event.last_fragment);
                failed += 1;
            }
            Event::Closed(end) => break end,
            _ => {}
        }
    };
    assert!(
        matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        ),
        "{end:?}"
    );
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(end.reason().unwrap(), "enough");
    assert!(messages.len() < sent, "all {sent} messages arrived");
    assert!(
        failed > 0 && failed + messages.len() >= sent,
        "{failed} failed, {} of {sent} arrived",
        messages.len()
    );
}

#[tokio::test]
async fn end_is_returned_repeatedly() {
    let (client, mut server) = pair().await;
    client.abort(&AbortReason::from_static("goodbye")).unwrap();
    let (_, end) = until_end(&mut server).await;
    assert_eq!(until_end(&mut server).await.1, end);
    assert_eq!(must(server.closed()).await, end);
    assert!(matches!(server.recv().await, Err(RecvError::Closed(told)) if told == end));
    assert!(matches!(server.send("x").await, Err(SendError::Closed(told)) if told == end));
    server.abort(&AbortReason::default()).unwrap();
    server.start_shutdown().unwrap();
}

#[tokio::test]
async fn messages_before_an_abort_are_received() {
    let (client, mut server) = pair().await;
    client.send("one").await.unwrap();
    client.send("two").await.unwrap();
    // They have arrived once they are acknowledged.
    while client
        .socket()
        .unwrap()
        .status(client.id())
        .unwrap()
        .unacknowledged_chunks
        > 0
    {
        tokio::task::yield_now().await;
    }
    client.abort(&AbortReason::from_static("bye")).unwrap();
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(messages, ["one", "two"]);
    assert_eq!(end.reason().unwrap(), "bye");
}

#[tokio::test]
async fn send_after_peer_shutdown_fails() {
    let (client, mut server) = pair().await;
    client.start_shutdown().unwrap();
    until_end(&mut server).await;
    assert!(matches!(
        server.send("late").await,
        Err(SendError::Closed(End::Shutdown { by: Side::Peer }))
    ));
}

#[tokio::test]
async fn send_during_own_shutdown_fails() {
    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    let (client, _server) = pair_with(SocketBuilder::new(), small).await;
    // Enough to keep the shutdown pending: the server does not read.
    for _ in 0..20 {
        client.send(vec![1; 1000]).await.unwrap();
    }
    client.start_shutdown().unwrap();
    assert!(matches!(
        client.send("late").await,
        Err(SendError::ShuttingDown)
    ));
}

#[tokio::test]
async fn dropped_association_shuts_down() {
    let (client, mut server) = pair().await;
    client.send("last words").await.unwrap();
    drop(client);
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(messages, ["last words"]);
    assert_eq!(end, End::Shutdown { by: Side::Peer });
}

#[tokio::test]
async fn dropped_association_with_unread_messages_aborts() {
    let (mut client, server) = pair().await;
    client.send("unread").await.unwrap();
    while client
        .socket()
        .unwrap()
        .status(client.id())
        .unwrap()
        .unacknowledged_chunks
        > 0
    {
        tokio::task::yield_now().await;
    }
    drop(server);
    let (_, end) = until_end(&mut client).await;
    assert_eq!(end.reason().unwrap(), "");
}

/// An association that has received this many messages of three, all of which its socket has taken
/// from the kernel.
async fn received_of_three(count: usize) -> (Association, Association) {
    let (client, mut server) = pair().await;
    for at in 0..3u8 {
        client.send(vec![at; 10]).await.unwrap();
    }
    client.flushed().await.unwrap();
    for _ in 0..count {
        next(&mut server).await;
    }
    (client, server)
}

fn aborted_without_reason(end: &End) -> bool {
    end.reason().is_some_and(|reason| reason.is_empty())
}

#[tokio::test]
async fn drop_after_partial_reading_aborts() {
    let (mut client, server) = received_of_three(1).await;
    drop(server);
    let (_, end) = until_end(&mut client).await;
    assert!(aborted_without_reason(&end), "{end:?}");
    let (mut client, server) = received_of_three(3).await;
    drop(server);
    let (_, end) = until_end(&mut client).await;
    assert_eq!(end, End::Shutdown { by: Side::Peer });
}

#[tokio::test]
async fn drop_of_half_a_message_aborts() {
    let narrow = SocketBuilder::new().with_recv_buffer_size(15_000);
    let (mut client, mut server) = pair_with(SocketBuilder::new(), narrow).await;
    client.send(vec![0; 100_000]).await.unwrap();
    // More than its kernel holds, so it is handed over in parts, and all those are read.
    assert!(server.try_recv().is_err());
    drop(server);
    let (_, end) = until_end(&mut client).await;
    assert!(aborted_without_reason(&end), "{end:?}");
}

#[tokio::test]
async fn receiver_dropped_after_partial_reading_aborts_with_the_last_handle() {
    let (mut client, server) = received_of_three(1).await;
    let (sender, receiver) = server.split();
    drop(receiver);
    sender.send("still here").await.unwrap();
    assert_eq!(next(&mut client).await.payload, "still here");
    drop(sender);
    let (_, end) = until_end(&mut client).await;
    assert!(aborted_without_reason(&end), "{end:?}");
}

#[tokio::test]
async fn endpoint_dropped_after_partial_reading_aborts() {
    for read in [1, 3] {
        let (mut endpoint, addr) = endpoint().await;
        let mut client = Association::connect(addr).await.unwrap();
        for at in 0..3u8 {
            client.send(vec![at; 10]).await.unwrap();
        }
        client.flushed().await.unwrap();
        for _ in 0..read {
            endpoint_message(&mut endpoint).await;
        }
        drop(endpoint);
        let (_, end) = until_end(&mut client).await;
        if read == 3 {
            assert_eq!(end, End::Shutdown { by: Side::Peer });
        } else {
            assert!(aborted_without_reason(&end), "{end:?}");
        }
    }
}

#[tokio::test]
async fn closing_one_association_leaves_others() {
    let (mut listener, addr) = listener().await;
    let first = Association::connect(addr).await.unwrap();
    let first_served = must(listener.accept()).await.unwrap();
    let mut second = Association::connect(addr).await.unwrap();
    let second_served = must(listener.accept()).await.unwrap();
    first_served
        .abort(&AbortReason::from_static("only you"))
        .unwrap();
    let mut first = first;
    assert_eq!(until_end(&mut first).await.1.reason().unwrap(), "only you");
    second_served.send("you may stay").await.unwrap();
    assert_eq!(
        must(second.recv()).await.unwrap().unwrap().payload,
        "you may stay"
    );
}

#[tokio::test]
async fn closed_returns_the_end_to_another_task() {
    let (client, mut server) = pair().await;
    let sender = server.sender();
    let waiting = tokio::spawn(async move { sender.closed().await });
    client.abort(&AbortReason::from_static("x")).unwrap();
    let (_, end) = until_end(&mut server).await;
    assert_eq!(must(waiting).await.unwrap(), end);
}

#[tokio::test]
async fn closed_detects_the_end_without_receiving() {
    let (client, server) = pair().await;
    client.send("in the way").await.unwrap();
    let mut client = client;
    client.shutdown().await.unwrap();
    assert_eq!(must(server.closed()).await, End::Unread);
    let mut server = server;
    let (messages, end) = until_end(&mut server).await;
    assert_eq!(messages, ["in the way"]);
    assert_eq!(end, End::Shutdown { by: Side::Peer });
}

#[tokio::test]
async fn oversized_message_aborts_the_peer_with_a_reason() {
    let (mut client, mut server) = pair_with(
        SocketBuilder::new(),
        SocketBuilder::new().with_max_message_size(10_000),
    )
    .await;
    client.send(vec![0; 10_000]).await.unwrap();
    assert_eq!(
        must(server.recv()).await.unwrap().unwrap().payload.len(),
        10_000
    );
    client.send(vec![0; 10_001]).await.unwrap();
    assert!(matches!(
        must(server.recv()).await,
        Err(RecvError::TooLarge { limit: 10_000 })
    ));
    assert_eq!(
        until_end(&mut client).await.1.reason().unwrap(),
        "message too large"
    );
    assert!(matches!(
        until_end(&mut server).await.1,
        End::Aborted {
            by: Side::Local,
            ..
        }
    ));
}

#[tokio::test]
async fn shutdown_within_aborts_a_peer_that_does_not_read() {
    let small = SocketBuilder::new().with_recv_buffer_size(4000);
    let (mut client, mut server) = pair_with(SocketBuilder::new(), small).await;
    while client.try_send(&Message::new(vec![7; 1000])).is_ok() {}
    let limit = std::time::Duration::from_millis(100);
    let reason = AbortReason::from_static("shutdown timed out");
    let end = must(client.shutdown_within(limit, &reason)).await.unwrap();
    assert!(
        matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        ),
        "{end:?}"
    );
    assert_eq!(
        until_end(&mut server).await.1.reason().unwrap(),
        "shutdown timed out"
    );
}

#[tokio::test]
async fn simultaneous_shutdowns_are_each_local() {
    let (mut client, mut server) = pair().await;
    client.start_shutdown().unwrap();
    server.start_shutdown().unwrap();
    let (client, server) =
        tokio::join!(client.discard_until_closed(), server.discard_until_closed());
    assert_eq!(client.unwrap(), End::Shutdown { by: Side::Local });
    assert_eq!(server.unwrap(), End::Shutdown { by: Side::Local });
}

//! Ends of an association, and their effect on calls.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sctp_service::{
    AssocId, ConnectInfo, End, Fate, Message, RecvError, Side,
    client::{Client, ClientConfig},
    testing::{Duplex, Peer},
};
use sctp_tokio::Reliability;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::{
    restarting::Restarting,
    support::{
        Reply, Reporting, assert_failed, call, client, client_with, failure, must, payload,
        send_failed, settle, streams_each_way,
    },
};

/// A client with one call sent and one that waits for its stream.
pub(crate) async fn sent_and_waiting() -> (Client, Peer, Reply, Reply) {
    let (client, peer) = client_with(Client::builder(), 2);
    let sent = call(&client, "sent");
    must(peer.recv()).await.unwrap();
    let waiting = call(&client, "waiting");
    settle().await;
    (client, peer, sent, waiting)
}

#[tokio::test(start_paused = true)]
async fn peer_shuts_down() {
    let (client, peer, sent, waiting) = sent_and_waiting().await;
    peer.shutdown();
    assert_failed(&failure(sent).await, "shut down by peer", Fate::Unknown);
    assert_failed(&failure(waiting).await, "shut down by peer", Fate::NotSent);
    assert_eq!(client.last_end(), Some(End::Shutdown { by: Side::Peer }));
}

#[tokio::test(start_paused = true)]
async fn reply_before_the_shutdown_completes_its_call() {
    let (_client, peer, sent, waiting) = sent_and_waiting().await;
    peer.hold_acks();
    peer.send(Message::new("S").on_stream(1)).await;
    peer.shutdown();
    assert_eq!(payload(sent).await, "S");
    // The freed stream is of no use any more: this one fails before the end has come.
    assert_failed(&failure(waiting).await, "shut down by peer", Fate::NotSent);
    peer.release_acks();
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_the_peer_that_never_ends_is_aborted() {
    let (client, peer, sent, _waiting) = sent_and_waiting().await;
    peer.hold_acks();
    peer.shutdown();
    let began = Instant::now();
    assert_failed(&failure(sent).await, "shut down by peer", Fate::Unknown);
    assert_eq!(began.elapsed().as_secs(), 10);
    peer.expect_abort("shutdown timed out").await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn peer_aborts_with_a_reason() {
    let (client, peer, sent, waiting) = sent_and_waiting().await;
    peer.abort("no more");
    let error = failure(sent).await;
    assert_failed(&error, "aborted by peer, reason \"no more\"", Fate::Unknown);
    assert_eq!(error.reason().unwrap(), "no more");
    let error = failure(waiting).await;
    assert_failed(&error, "aborted by peer", Fate::NotSent);
    assert_eq!(client.last_end().unwrap().reason().unwrap(), "no more");
}

#[tokio::test(start_paused = true)]
async fn peer_is_lost() {
    let (_client, peer, sent, waiting) = sent_and_waiting().await;
    peer.lose();
    assert_failed(
        &failure(sent).await,
        "association lost: timed out",
        Fate::Unknown,
    );
    assert_failed(&failure(waiting).await, "association lost", Fate::NotSent);
}

#[tokio::test(start_paused = true)]
async fn kernel_reports_unsent_messages() {
    let (transport, peer) = streams_each_way(10).build();
    let (transport, report) = Reporting::new(transport);
    let client = Client::over(transport);
    let (unsent, unknown) = (call(&client, "unsent"), call(&client, "unknown"));
    let unsent_context = must(peer.recv()).await.unwrap().info.context;
    let unknown_context = must(peer.recv()).await.unwrap().info.context;
    let acknowledged = call(&client, "acknowledged");
    must(peer.recv()).await.unwrap();
    report.send(send_failed(unsent_context, false)).unwrap();
    report.send(send_failed(unknown_context, true)).unwrap();
    settle().await;
    assert!(!unsent.is_finished(), "the end says why");
    peer.abort("gone");
    assert_failed(&failure(unsent).await, "aborted by peer", Fate::NotSent);
    assert_failed(&failure(unknown).await, "aborted by peer", Fate::Unknown);
    assert_failed(
        &failure(acknowledged).await,
        "aborted by peer",
        Fate::Unknown,
    );
}

#[tokio::test(start_paused = true)]
async fn message_that_expires_fails_its_call_alone() {
    let (transport, peer) = streams_each_way(3).build();
    let (transport, report) = Reporting::new(transport);
    let client = Client::over(transport);
    let expiring =
        || Message::new("x").with_reliability(Reliability::Lifetime(Duration::from_millis(50)));
    for (sent, fate) in [(false, Fate::NotSent), (true, Fate::Unknown)] {
        let one = tokio::spawn(client.clone().oneshot(expiring()));
        let message = must(peer.recv()).await.unwrap();
        assert_eq!(message.info.stream.get(), 1 + u16::from(sent));
        report
            .send(send_failed(message.info.context, sent))
            .unwrap();
        assert_failed(&failure(one).await, "message expired", fate);
    }
    // Stream 1 is free again; the reply on stream 2 may still come, and is nobody's.
    let (a, b) = (call(&client, "a"), call(&client, "b"));
    assert_eq!(must(peer.recv()).await.unwrap().info.stream.get(), 1);
    settle().await;
    assert_eq!(peer.try_recv(), None);
    peer.send(Message::new("late").on_stream(2)).await;
    assert_eq!(must(peer.recv()).await.unwrap().info.stream.get(), 2);
    peer.send(Message::new("B").on_stream(2)).await;
    peer.send(Message::new("A").on_stream(1)).await;
    assert_eq!(payload(a).await, "A");
    assert_eq!(payload(b).await, "B");
}

#[tokio::test(start_paused = true)]
async fn restarted_peer_gets_the_waiting_calls() {
    let (client, peer, sent, waiting) = sent_and_waiting().await;
    peer.restart();
    assert_failed(&failure(sent).await, "peer restarted", Fate::Unknown);
    // The peer may have started again before the message was sent, and then answers it.
    settle().await;
    assert_eq!(peer.try_recv(), None);
    peer.send(Message::new("S").on_stream(1)).await;
    assert_eq!(must(peer.recv()).await.unwrap().payload, "waiting");
    peer.send(Message::new("W").on_stream(1)).await;
    assert_eq!(payload(waiting).await, "W");
    assert!(client.connect_info().is_some());
}

#[tokio::test(start_paused = true)]
async fn messages_queued_for_a_restarted_peer_are_not_sent() {
    let info = ConnectInfo::new(AssocId::new(3)).with_streams(9, 9);
    let transport = Duplex::new().with_connect_info(info).with_capacity(1);
    let (transport, peer) = transport.build();
    let client = Client::over(transport);
    let sent = call(&client, "sent");
    settle().await;
    let queued = call(&client, "queued");
    let sending = client.clone();
    let one_way = tokio::spawn(async move { must(sending.send("one way")).await });
    settle().await;
    peer.restart();
    let text = "peer restarted";
    assert_failed(&failure(sent).await, text, Fate::Unknown);
    assert_failed(&failure(queued).await, text, Fate::NotSent);
    let error = must(one_way).await.unwrap().unwrap_err();
    assert_failed(&error, text, Fate::NotSent);
    settle().await;
    assert_eq!(peer.try_recv(), None);
}

/// A client whose server restarts so often just before the next message is sent.
fn restarting() -> (Client, Arc<Peer>, Arc<AtomicU8>) {
    let (inner, peer) = streams_each_way(3).build();
    let (peer, restarts) = (Arc::new(peer), Arc::new(AtomicU8::new(0)));
    let client = Client::over(Restarting {
        inner,
        peer: Arc::clone(&peer),
        restarts: Arc::clone(&restarts),
    });
    (client, peer, restarts)
}

#[tokio::test(start_paused = true)]
async fn late_reply_from_before_a_restart_is_discarded() {
    let (client, peer, restarts) = restarting();
    let early = call(&client, "early");
    assert_eq!(must(peer.recv()).await.unwrap().payload, "early");
    // The client sends the call before it reads the notification.
    restarts.store(1, Ordering::Relaxed);
    let sent = call(&client, "sent");
    assert_failed(&failure(sent).await, "peer restarted", Fate::Unknown);
    assert_failed(&failure(early).await, "peer restarted", Fate::Unknown);
    assert_eq!(peer.expect_message("sent").await.info.stream.get(), 2);
    peer.send(Message::new("reply to sent").on_stream(2)).await;
    let next = call(&client, "next");
    assert_eq!(must(peer.recv()).await.unwrap().info.stream.get(), 2);
    peer.send(Message::new("reply to next").on_stream(2)).await;
    assert_eq!(payload(next).await, "reply to next");
}

#[tokio::test(start_paused = true)]
async fn late_replies_are_expected_through_a_second_restart() {
    let (client, peer, restarts) = restarting();
    settle().await;
    restarts.store(2, Ordering::Relaxed);
    let sent = call(&client, "sent");
    assert_failed(&failure(sent).await, "peer restarted", Fate::Unknown);
    peer.expect_message("sent").await;
    let (a, b) = (call(&client, "a"), call(&client, "b"));
    peer.send(Message::new("late").on_stream(1)).await;
    for (payload, stream) in [("a", 2), ("b", 1)] {
        let message = peer.expect_message(payload).await;
        assert_eq!(message.info.stream.get(), stream);
    }
    peer.send(Message::new("A").on_stream(2)).await;
    peer.send(Message::new("B").on_stream(1)).await;
    assert_eq!(payload(a).await, "A");
    assert_eq!(payload(b).await, "B");
}

#[tokio::test(start_paused = true)]
async fn stream_with_an_overdue_reply_is_reused() {
    let config = ClientConfig::new()
        .with_call_timeout(Duration::from_secs(60))
        .with_overdue_after(Duration::from_secs(20));
    let (client, peer) = client_with(Client::builder().with_config(config), 2);
    let sent = call(&client, "sent");
    must(peer.recv()).await.unwrap();
    peer.restart();
    failure(sent).await;
    let restarted = Instant::now();
    let next = call(&client, "next");
    peer.expect_message("next").await;
    assert_eq!(restarted.elapsed().as_secs(), 20);
    peer.send(Message::new("reply to next").on_stream(1)).await;
    assert_eq!(payload(next).await, "reply to next");
}

#[tokio::test(start_paused = true)]
async fn abandoned_message_expects_no_late_reply() {
    let (transport, peer) = streams_each_way(2).build();
    let (transport, report) = Reporting::new(transport);
    let client = Client::over(transport);
    let sent = call(&client, "sent");
    must(peer.recv()).await.unwrap();
    report.send(send_failed(1, true)).unwrap();
    peer.restart();
    assert_failed(&failure(sent).await, "peer restarted", Fate::Unknown);
    let next = call(&client, "next");
    peer.expect_message("next").await;
    peer.send(Message::new("reply to next").on_stream(1)).await;
    assert_eq!(payload(next).await, "reply to next");
}

#[tokio::test(start_paused = true)]
async fn receive_that_fails_ends_the_association() {
    let (client, peer) = client();
    let one = call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.fail_receive(RecvError::TooLarge { limit: 1000 });
    assert_failed(
        &failure(one).await,
        "message from peer exceeds the limit of 1000 bytes",
        Fate::Unknown,
    );
    let (client, peer) = client_with(Client::builder(), 10);
    let one = call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.fail_receive(RecvError::Io(io::ErrorKind::OutOfMemory.into()));
    assert_failed(
        &failure(one).await,
        "association lost: out of memory",
        Fate::Unknown,
    );
}

#[tokio::test(start_paused = true)]
async fn client_of_one_association_ends_with_it() {
    let (mut client, peer) = client();
    client.ready().await.unwrap();
    peer.abort("no more");
    must(peer.closed()).await;
    settle().await;
    // The reservation is worth nothing any more.
    assert_failed(
        &client.call("x".into()).await.unwrap_err(),
        "aborted by",
        Fate::NotSent,
    );
    let error = client.ready().await.unwrap_err();
    assert_failed(&error, "aborted by peer, reason \"no more\"", Fate::NotSent);
    assert_failed(
        &client.send("x").await.unwrap_err(),
        "aborted by",
        Fate::NotSent,
    );
}

/// A runtime that ends before the client's task ran.
#[tokio::test(start_paused = true)]
async fn client_whose_task_never_ran_fails_its_calls() {
    let (transport, _peer) = streams_each_way(2).build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let client = {
        let _inside = runtime.enter();
        Client::over(transport)
    };
    let handle = client.association();
    let asked = call(&client, "x");
    settle().await;
    runtime.shutdown_background();
    assert_failed(&failure(asked).await, "closed by this end", Fate::NotSent);
    assert_eq!(must(handle.closed()).await, None);
}

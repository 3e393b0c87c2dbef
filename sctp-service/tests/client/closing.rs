//! Closing a client at this end.

use sctp_service::{
    Cause, End, Fate, Message, Side,
    client::{Client, ClientConfig},
};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::{
    ends::sent_and_waiting,
    support::{assert_failed, call, client, client_with, failure, must, payload, settle},
};

#[tokio::test(start_paused = true)]
async fn shutdown_finishes_the_calls_in_flight_first() {
    let (client, peer, sent, waiting) = sent_and_waiting().await;
    let shutdown = tokio::spawn({
        let client = client.clone();
        async move { must(client.graceful_shutdown()).await }
    });
    settle().await;
    assert_failed(
        &failure(call(&client, "late")).await,
        "closed by this end",
        Fate::NotSent,
    );
    peer.send(Message::new("S").on_stream(1)).await;
    peer.expect_message("waiting").await;
    peer.send(Message::new("W").on_stream(1)).await;
    assert_eq!(payload(sent).await, "S");
    assert_eq!(payload(waiting).await, "W");
    peer.expect_shutdown().await;
    assert_eq!(
        must(shutdown).await.unwrap(),
        Some(End::Shutdown { by: Side::Local })
    );
    assert_eq!(
        must(client.graceful_shutdown()).await,
        Some(End::Shutdown { by: Side::Local })
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_that_is_not_acknowledged_becomes_an_abort() {
    let (client, peer) = client();
    peer.hold_acks();
    let began = Instant::now();
    let end = must(client.graceful_shutdown()).await.unwrap();
    assert!(
        matches!(
            end,
            End::Aborted {
                by: Side::Local,
                ..
            }
        ),
        "{end}"
    );
    assert_eq!(began.elapsed().as_secs(), 10);
    peer.expect_abort("shutdown timed out").await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_finishes_calls_and_shuts_down() {
    let (mut client, peer) = client();
    let one = client.ready().await.unwrap().call("x".into());
    drop(client.clone());
    drop(client);
    peer.expect_message("x").await;
    settle().await;
    peer.send(Message::new("X").on_stream(1)).await;
    assert_eq!(one.await.unwrap().payload, "X");
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_call_does_not_hold_up_a_shutdown() {
    let config = ClientConfig::new().with_call_timeout(None);
    let (client, peer) = client_with(Client::builder().with_config(config), 10);
    let dropped = call(&client, "x");
    must(peer.recv()).await.unwrap();
    dropped.abort();
    must(client.graceful_shutdown()).await.unwrap();
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_by_peer_fails_the_rest_of_a_drain() {
    let (client, peer, sent, waiting) = sent_and_waiting().await;
    let shutdown = tokio::spawn(async move { must(client.graceful_shutdown()).await });
    settle().await;
    peer.shutdown();
    assert!(matches!(failure(sent).await.cause(), Cause::ShutDown));
    assert_eq!(failure(waiting).await.fate(), Fate::NotSent);
    assert_eq!(
        must(shutdown).await.unwrap(),
        Some(End::Shutdown { by: Side::Peer })
    );
}

#[tokio::test(start_paused = true)]
async fn call_at_a_shutdown_keeps_its_timeout() {
    let (client, peer) = client();
    let asked = call(&client, "x");
    must(peer.recv()).await.unwrap();
    let began = Instant::now();
    let shutdown = tokio::spawn(async move { must(client.graceful_shutdown()).await });
    assert_failed(&failure(asked).await, "no reply in time", Fate::Unknown);
    assert_eq!(began.elapsed().as_secs(), 30);
    peer.expect_shutdown().await;
    assert!(must(shutdown).await.unwrap().unwrap().is_orderly());
}

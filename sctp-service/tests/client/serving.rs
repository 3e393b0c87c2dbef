//! Requests of the server to a client that serves.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    AssociationHandle, Cause, Counts, Fate, IncomingAssociation, Message, Shutdown,
    client::{Client, ClientBuilder, ClientConfig, ClientEvent},
    handler::handler_fn,
    serve,
    testing::{Peer, ScriptedListener, duplex},
};
use tokio::sync::mpsc;
use tower::{Service, ServiceExt, service_fn};

use crate::{
    events::Heard,
    identifiers::keyed,
    support::{assert_failed, call, client_with, failure, must, payload, settle},
};

/// Answers a request with its reversed text.
async fn reversed(payload: Bytes) -> Bytes {
    let mut reply = payload.to_vec();
    reply[4] = b'A';
    reply[5..].reverse();
    reply.into()
}

/// Asks back, and answers with the reply.
async fn ask_back(peer: AssociationHandle, payload: Bytes) -> Bytes {
    let reply = peer.request(payload.slice(5..)).await.unwrap();
    [&payload[..4], b"A", &reply.payload[5..]].concat().into()
}

/// A handshake: the server sends a word, and the client answers.
fn after_handshake(builder: ClientBuilder) -> ClientBuilder {
    builder.serving(service_fn(
        async |mut incoming: IncomingAssociation| match incoming.recv().await {
            Some(word) if word.payload == "0000Qhello" => {
                let _ = incoming.send("0000Qhello yourself").await;
                Ok(handler_fn(reversed))
            }
            _ => Err(Shutdown::abort("wrong word")),
        },
    ))
}

#[tokio::test(start_paused = true)]
async fn handlers_of_both_ends_call_back() {
    let (listener, network) = ScriptedListener::new();
    let correlation = || sctp_service::Correlation::by_key(|_| crate::identifiers::Header);
    let server = serve(listener, ask_back).with_correlation(correlation());
    tokio::spawn(server.into_future());
    let client = keyed().serving(reversed).connect(network.connector());
    let client = must(client).await.unwrap();
    let calls: Vec<_> = (0..200)
        .map(|n| (n, call(&client, format!("{n:05}"))))
        .collect();
    for (n, call) in calls {
        let text: String = format!("{n:05}").chars().rev().collect();
        assert!(payload(call).await.ends_with(text.as_bytes()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_is_lost_while_calls_are_made() {
    let (client, peer) = client_with(keyed().serving(reversed), 2);
    let calls: Vec<_> = (0..100).map(|n| call(&client, format!("{n:03}"))).collect();
    let mut replies = 0;
    for n in 0..1000 {
        peer.send(format!("{n:04}Qx")).await;
        if n % 10 == 0 {
            settle().await;
        }
        while let Some(message) = peer.try_recv() {
            match message.payload[4] {
                b'Q' => {
                    let reply = [&message.payload[..4], b"A"].concat();
                    peer.send(reply).await;
                }
                _ => replies += 1,
            }
        }
    }
    for call in calls {
        payload(call).await;
    }
    settle().await;
    while peer.try_recv().is_some() {
        replies += 1;
    }
    assert_eq!(replies, 1000);
}

#[tokio::test(start_paused = true)]
async fn call_waits_for_the_end_of_the_handshake() {
    let (client, peer) = client_with(after_handshake(keyed()), 2);
    let early = call(&client, "early");
    settle().await;
    assert_eq!(peer.try_recv(), None);
    assert!(client.connect_info().is_none());
    peer.send("0000Qhello").await;
    peer.expect_message("0000Qhello yourself").await;
    let request = must(peer.recv()).await.unwrap();
    assert!(request.payload.ends_with(b"early"));
    peer.send([&request.payload[..4], b"A"].concat()).await;
    payload(early).await;
}

#[tokio::test(start_paused = true)]
async fn restarted_peer_gets_a_waiting_call_after_its_handshake() {
    let (client, peer) = client_with(after_a_word(), 2);
    peer.send("hello").await;
    let sent = call(&client, "sent");
    assert_eq!(must(peer.recv()).await.unwrap().payload, "sent");
    let waiting = call(&client, "waiting");
    settle().await;
    peer.restart();
    failure(sent).await;
    peer.send(Message::new("a late reply").on_stream(1)).await;
    settle().await;
    assert_eq!(peer.try_recv(), None);
    peer.send("hello again").await;
    assert_eq!(must(peer.recv()).await.unwrap().payload, "waiting");
    peer.send(Message::new("W").on_stream(1)).await;
    assert_eq!(payload(waiting).await, "W");
}

#[tokio::test(start_paused = true)]
async fn failed_handshake_fails_the_attempt_to_connect() {
    let peers = mpsc::unbounded_channel();
    let (up, mut peers): (mpsc::UnboundedSender<Peer>, _) = peers;
    let connect = move || {
        let (transport, peer) = duplex();
        let up = up.clone();
        async move {
            peer.send("0000Qwrong").await;
            up.send(peer).unwrap();
            Ok(transport)
        }
    };
    let connecting = after_handshake(keyed()).connect(connect);
    let error = must(connecting).await.unwrap_err();
    assert!(error.to_string().contains("closed by this end"), "{error}");
    let peer = must(peers.recv()).await.unwrap();
    peer.expect_abort("wrong word").await;
}

#[tokio::test(start_paused = true)]
async fn message_without_a_service_is_an_event_and_counted() {
    let (unsolicited, counts) = (Heard::default(), Heard::<Counts>::default());
    let (heard, counted) = (unsolicited.clone(), counts.clone());
    let builder = Client::builder().on_event(move |event| match event {
        ClientEvent::Unsolicited { received, .. } => heard.push(received.payload.clone()),
        ClientEvent::Closed { counts, .. } => counted.push(**counts),
        _ => {}
    });
    let (client, peer) = client_with(builder, 2);
    peer.send("one").await;
    peer.send("two").await;
    settle().await;
    assert_eq!(unsolicited.take(), ["one", "two"]);
    must(client.graceful_shutdown()).await;
    assert_eq!(counts.take()[0].discarded_requests, 2);
}

#[tokio::test(start_paused = true)]
async fn handle_of_the_association_is_closed_by_a_restart() {
    let (client, peer) = client_with(keyed().serving(reversed), 2);
    settle().await;
    let before = client.association();
    must(before.send("0000Qbefore")).await.unwrap();
    peer.expect_message("0000Qbefore").await;
    peer.restart();
    settle().await;
    let after = client.association();
    assert!(before.is_closed() && !after.is_closed());
    let error = must(before.request("x")).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Restarted), "{error}");
    client.try_send("0000Qafter").unwrap();
    must(client.flush()).await.unwrap();
    peer.expect_message("0000Qafter").await;
}

#[tokio::test(start_paused = true)]
async fn call_with_a_time_of_its_own_fails_then() {
    let config = ClientConfig::new().with_call_timeout(None);
    let (client, peer) = client_with(Client::builder().with_config(config), 2);
    let time = Duration::from_secs(3);
    let began = tokio::time::Instant::now();
    let error = must(client.request_within(time, "x")).await.unwrap_err();
    assert_failed(&error, "no reply in time", Fate::Unknown);
    assert_eq!(began.elapsed(), time);
    must(peer.recv()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_that_awaits_a_call_serves_requests() {
    let (builder, mut inbox) = keyed().with_inbox(1);
    let (client, peer) = client_with(builder, 2);
    let asked = call(&client, "x");
    let request = must(peer.recv()).await.unwrap();
    let ending = tokio::spawn(async move { must(client.graceful_shutdown()).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.send("0000Qlast").await;
    settle().await;
    peer.send([&request.payload[..4], b"A"].concat()).await;
    payload(asked).await;
    assert!(must(ending).await.unwrap().unwrap().is_orderly());
    assert_eq!(must(inbox.recv()).await.unwrap().payload(), "0000Qlast");
}

#[tokio::test(start_paused = true)]
async fn on_drain_message_is_sent_before_the_shutdown() {
    let builder = keyed().on_drain(async |association| {
        // Without an answer the association is shut down all the same.
        let _ = association.request("goodbye").await;
    });
    let (client, peer) = client_with(builder, 2);
    settle().await;
    let ending = tokio::spawn(async move { must(client.graceful_shutdown()).await });
    let request = must(peer.recv()).await.unwrap();
    assert!(request.payload.ends_with(b"goodbye"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!ending.is_finished());
    peer.send([&request.payload[..4], b"A"].concat()).await;
    peer.expect_shutdown().await;
    assert!(must(ending).await.unwrap().unwrap().is_orderly());
}

/// A service that is made once the server has sent a word.
fn after_a_word() -> ClientBuilder {
    Client::builder().serving(service_fn(async |mut incoming: IncomingAssociation| {
        incoming.recv().await;
        Ok::<_, Shutdown>(handler_fn(reversed))
    }))
}

#[tokio::test(start_paused = true)]
async fn call_at_a_restart_waits_for_the_handshake() {
    let reserved = Arc::new(Mutex::new(None::<Client>));
    let (calls, mut made) = mpsc::unbounded_channel();
    let caller = Arc::clone(&reserved);
    let builder = after_a_word().on_event(move |event| {
        if let ClientEvent::Restarted { .. } = event {
            let mut client = caller.lock().unwrap().take().unwrap();
            calls.send(client.call("early".into())).unwrap();
        }
    });
    let (mut client, peer) = client_with(builder, 2);
    peer.send("hello").await;
    must(client.ready()).await.unwrap();
    let _kept = client.clone();
    *reserved.lock().unwrap() = Some(client);
    peer.restart();
    settle().await;
    assert_eq!(peer.try_recv(), None);
    peer.send("hello again").await;
    peer.expect_message("early").await;
    peer.send(Message::new("E").on_stream(1)).await;
    let early = made.try_recv().unwrap();
    assert_eq!(must(early).await.unwrap().payload, "E");
}

#[tokio::test(start_paused = true)]
async fn handshake_after_a_restart_has_a_new_handle() {
    let (client, peer) = client_with(after_a_word(), 2);
    peer.send("hello").await;
    settle().await;
    let before = client.association();
    peer.restart();
    settle().await;
    assert!(client.connect_info().is_none());
    let after = client.association();
    assert!(before.is_closed() && !after.is_closed());
    let sent = tokio::spawn(async move { must(after.send("word")).await });
    settle().await;
    assert_eq!(peer.try_recv(), None);
    peer.send("hello again").await;
    peer.expect_message("word").await;
    must(sent).await.unwrap().unwrap();
}

//! Correlation by an identifier in the payload.

use std::{collections::HashMap, error::Error, io, time::Duration};

use sctp_service::{
    Cause, Correlation, Correlator, End, Fate, Identity, Message, Received, Side, Waiting,
    client::{
        Client, ClientBuilder, ClientConfig,
        pool::{Pool, Target},
    },
    testing::{Duplex, duplex},
};
use tokio::sync::watch;

use crate::{
    pool::{addr, answer, calls, targets},
    support::{call, client_with, failure, must, payload, settle},
};

/// The first four bytes are the identifier; the fifth is `Q` in requests.
pub(crate) struct Header;

impl Correlator for Header {
    type Key = [u8; 4];

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<[u8; 4], Box<dyn Error + Send + Sync>> {
        if message.payload.starts_with(b"bad") {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let key = if message.payload.starts_with(b"fixed") {
            [0xff; 4]
        } else {
            number.to_be_bytes()
        };
        message.payload = [&key, &b"Q"[..], &message.payload].concat().into();
        Ok(key)
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, [u8; 4]>) -> Identity<[u8; 4]> {
        match received.payload.first_chunk() {
            Some(&[_, _, _, _, b'Q']) | None => Identity::Request,
            Some(&[a, b, c, d, _]) => Identity::Reply([a, b, c, d]),
        }
    }
}

pub(crate) fn keyed() -> ClientBuilder {
    Client::builder().with_correlation(Correlation::by_key(|_| Header))
}

/// The request waits for room when the answer comes.
#[tokio::test(start_paused = true)]
async fn answer_to_an_unsent_request_is_discarded() {
    let (transport, peer) = Duplex::new().with_capacity(1).build();
    let client = keyed().over(transport);
    let sent = call(&client, "sent");
    settle().await;
    let unsent = call(&client, "fixed");
    settle().await;
    peer.send(&b"\xff\xff\xff\xffA stray"[..]).await;
    settle().await;
    must(peer.recv()).await.unwrap();
    must(peer.recv()).await.unwrap();
    peer.send(&b"\xff\xff\xff\xffA"[..]).await;
    assert_eq!(payload(unsent).await, &b"\xff\xff\xff\xffA"[..]);
    drop(sent);
}

#[tokio::test(start_paused = true)]
async fn invalid_identifiers_are_refused() {
    let (client, peer) = client_with(keyed(), 2);
    let error = failure(call(&client, "bad")).await;
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(
        error.to_string().starts_with("no identifier for the call"),
        "{error}"
    );
    let first = call(&client, "fixed");
    must(peer.recv()).await.unwrap();
    let error = failure(call(&client, "fixed")).await;
    assert!(
        error.to_string().contains("identifier already used"),
        "{error}"
    );
    peer.send(&b"\xff\xff\xff\xffA"[..]).await;
    assert_eq!(payload(first).await, &b"\xff\xff\xff\xffA"[..]);
    // Free again; and while a dropped call has it, it is not.
    let dropped = call(&client, "fixed");
    must(peer.recv()).await.unwrap();
    dropped.abort();
    settle().await;
    assert_eq!(failure(call(&client, "fixed")).await.fate(), Fate::NotSent);
    tokio::time::sleep(Duration::from_secs(31)).await;
    let again = call(&client, "fixed");
    must(peer.recv()).await.unwrap();
    peer.send(&b"\xff\xff\xff\xffB"[..]).await;
    assert_eq!(payload(again).await, &b"\xff\xff\xff\xffB"[..]);
}

#[tokio::test(start_paused = true)]
async fn reply_with_an_unknown_identifier_is_discarded() {
    let (builder, mut inbox) = keyed().with_inbox(1);
    let (client, peer) = client_with(builder, 2);
    peer.send("0000A: to nobody").await;
    peer.send("0000Q: a request").await;
    assert_eq!(
        must(inbox.recv()).await.unwrap().payload(),
        "0000Q: a request"
    );
    let one = call(&client, "x");
    let request = must(peer.recv()).await.unwrap();
    let id = request.payload.slice(..4);
    let reply = [&id, &b"A"[..]].concat();
    peer.send(reply.clone()).await;
    peer.send(reply.clone()).await;
    assert_eq!(payload(one).await, reply);
    settle().await;
    assert!(client.connect_info().is_some());
}

#[tokio::test(start_paused = true)]
async fn only_the_last_calls_given_up_are_remembered() {
    let config = ClientConfig::new().with_max_in_flight(3);
    let (client, peer) = client_with(keyed().with_config(config), 2);
    for text in ["fixed", "a", "b"] {
        let dropped = call(&client, text);
        must(peer.recv()).await.unwrap();
        dropped.abort();
        settle().await;
    }
    assert_eq!(failure(call(&client, "fixed")).await.fate(), Fate::NotSent);
    let dropped = call(&client, "c");
    must(peer.recv()).await.unwrap();
    dropped.abort();
    settle().await;
    // The first one is forgotten, and its identifier is free.
    let again = call(&client, "fixed");
    must(peer.recv()).await.unwrap();
    peer.send(&b"\xff\xff\xff\xffA"[..]).await;
    assert_eq!(payload(again).await, &b"\xff\xff\xff\xffA"[..]);
}

/// Breaks when it sees a reply.
struct Broken;

impl Correlator for Broken {
    type Key = u32;

    fn stamp(&mut self, number: u32, _: &mut Message) -> Result<u32, Box<dyn Error + Send + Sync>> {
        Ok(number)
    }

    fn identify(&mut self, _: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        panic!("this correlator is broken, as the test wants it");
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_correlator_ends_the_client_without_hanging_calls() {
    let (client, peer) = client_with(
        Client::builder().with_correlation(Correlation::by_key(|_| Broken)),
        2,
    );
    let one = call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.send("X").await;
    let error = failure(one).await;
    assert!(matches!(error.cause(), Cause::Closed), "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    assert_eq!(failure(call(&client, "y")).await.fate(), Fate::NotSent);
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
    peer.expect_abort("internal error").await;
}

#[tokio::test(start_paused = true)]
async fn client_that_panicked_gets_no_call_of_its_pool() {
    let mut peers = Vec::new();
    let mut transports = HashMap::new();
    for server in 1..=2 {
        let (transport, peer) = duplex();
        transports.insert(Target::from(addr(server)), transport);
        peers.push(peer);
    }
    let listed = watch::channel(targets([1, 2])).1;
    let pool = Pool::builder().watch_with(listed, move |target, client| {
        let transport = transports.remove(target).unwrap();
        match *target == addr(1).into() {
            true => client
                .with_correlation(Correlation::by_key(|_| Broken))
                .over(transport),
            false => client.over(transport),
        }
    });
    // One for each.
    let _first = calls(&pool, 2).await;
    peers[0].send("X").await;
    let calls = calls(&pool, 20).await;
    answer(&peers[1], 2).await;
    for call in calls {
        assert_eq!(must(call).await.unwrap().unwrap().payload, &[2][..]);
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_calls_keep_stream_and_ordering() {
    for (builder, kept) in [(keyed(), true), (Client::builder(), false)] {
        let (client, peer) = client_with(builder, 8);
        let message = Message::new("x").on_stream(7).unordered();
        tokio::spawn(async move { must(client.request(message)).await });
        let info = must(peer.recv()).await.unwrap().info;
        assert_eq!((info.stream.get() == 7, info.unordered), (kept, kept));
    }
}

//! Handlers that take and return the messages of a protocol.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{convert::Infallible, fmt};

use bytes::{Bytes, BytesMut};
use sctp_service::{
    Ppid, Reply, Router, StreamId, Typed,
    codec::{BadPayload, DecodePayload, EncodePayload, OneFrame},
};
use support::{Server, on};
use tokio_util::codec::{LengthDelimitedCodec, LinesCodec};

/// `key=value`, as text.
#[derive(Debug)]
struct Pair {
    key: String,
    value: String,
}

struct Pairs;

#[derive(Debug, PartialEq)]
struct NoPair(String);

impl fmt::Display for NoPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no pair: {}", self.0)
    }
}

impl DecodePayload<Pair> for Pairs {
    type Error = NoPair;

    fn decode(payload: Bytes) -> Result<Pair, NoPair> {
        let text = String::from_utf8_lossy(&payload);
        let (key, value) = text.split_once('=').ok_or(NoPair(text.to_string()))?;
        Ok(Pair {
            key: key.into(),
            value: value.into(),
        })
    }
}

impl EncodePayload<Pair> for Pairs {
    type Error = &'static str;

    fn encode(pair: Pair) -> Result<Bytes, &'static str> {
        match pair.key.as_str() {
            "" => Err("a pair without a key"),
            key => Ok(format!("{key}={}", pair.value).into()),
        }
    }
}

/// Swaps both, beside an argument that is not the payload.
async fn swap(stream: StreamId, Typed(pair): Typed<Pair, Pairs>) -> Typed<Pair, Pairs> {
    assert_eq!(stream.get(), 4);
    let Pair { key, value } = pair;
    Typed(Pair {
        key: value,
        value: key,
    })
}

#[tokio::test(start_paused = true)]
async fn typed_messages_are_decoded_and_encoded() {
    let server = Server::new(swap);
    let peer = server.connect().await;
    peer.send(on(4, "a=b").with_ppid(46)).await;
    let reply = peer.expect_message("b=a").await;
    assert_eq!((reply.info.stream.get(), reply.info.ppid.get()), (4, 46));
}

#[tokio::test(start_paused = true)]
async fn bad_payload_aborts_without_details() {
    let server = Server::new(Router::new().route(Ppid::new(46), swap));
    let peer = server.connect().await;
    peer.send(on(4, "secret").with_ppid(46)).await;
    peer.expect_abort("malformed payload").await;
}

#[tokio::test(start_paused = true)]
async fn handler_that_takes_a_result_decides_itself() {
    let server = Server::new(
        async |pair: Result<Typed<Pair, Pairs>, BadPayload<NoPair>>| match pair {
            Ok(pair) => Reply::new(pair.value.clone()),
            Err(BadPayload(NoPair(text))) => Reply::new(format!("what is {text}?")),
        },
    );
    let peer = server.connect().await;
    for (payload, reply) in [("a=b", "b"), ("nonsense", "what is nonsense?")] {
        peer.send(payload).await;
        peer.expect_message(reply).await;
    }
}

#[tokio::test(start_paused = true)]
async fn message_that_cannot_be_encoded_is_an_internal_error() {
    let server = Server::new(swap);
    let peer = server.connect().await;
    peer.send(on(4, "a=")).await;
    peer.expect_abort("internal error").await;
}

#[tokio::test(start_paused = true)]
async fn codec_of_tokio_util_must_use_up_the_payload() {
    type Frame = Typed<BytesMut, OneFrame<LengthDelimitedCodec>>;
    let server = Server::new(async |frame: Frame| {
        Typed::<Bytes, OneFrame<LengthDelimitedCodec>>::new(frame.into_inner().freeze())
    });
    let peer = server.connect().await;
    peer.send(&b"\0\0\0\x02hi"[..]).await;
    peer.expect_message(b"\0\0\0\x02hi").await;
    for bad in [&b"\0\0\0\x02h"[..], b"\0\0\0\x02hi!", b"\xff\xff\xff\xff"] {
        let peer = server.connect().await;
        peer.send(bad).await;
        peer.expect_abort("malformed payload").await;
    }
}

#[tokio::test(start_paused = true)]
async fn end_of_a_payload_ends_the_last_line() {
    let server = Server::new(async |line: Typed<String, OneFrame<LinesCodec>>| line.into_inner());
    let peer = server.connect().await;
    for line in ["hello\n", "hello"] {
        peer.send(line).await;
        peer.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn result_of_a_part_can_be_the_last_argument() {
    let server = Server::new(async |stream: Result<StreamId, Infallible>| match stream {
        Ok(stream) => stream.to_string(),
        Err(never) => match never {},
    });
    let peer = server.connect().await;
    peer.send(on(3, "x")).await;
    peer.expect_message("3").await;
}

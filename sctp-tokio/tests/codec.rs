//! Codecs of tokio-util, one frame for each message.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::io;

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use sctp_tokio::{DecodeError, EncodeError, MessageFramed, SendError, SendInfo};
use support::{must, pair};
use tokio_util::codec::{BytesCodec, Decoder, LengthDelimitedCodec, LinesCodec};

#[tokio::test]
async fn items_are_sent_as_messages_with_info() {
    let (client, server) = pair().await;
    let mut client = MessageFramed::new(client, LinesCodec::new());
    let mut server = MessageFramed::new(server, LinesCodec::new());
    let info = SendInfo::on_stream(4).with_ppid(7u32);
    client.send(("hello", info)).await.unwrap();
    let (line, info) = must(server.next()).await.unwrap().unwrap();
    assert_eq!(
        (line.as_str(), info.stream.get(), info.ppid.get()),
        ("hello", 4, 7)
    );
    server.send((line, info.reply())).await.unwrap();
    assert_eq!(must(client.next()).await.unwrap().unwrap().0, "hello");
    SinkExt::<(&str, SendInfo)>::close(&mut client)
        .await
        .unwrap();
    assert!(must(server.next()).await.is_none());
    assert!(must(server.next()).await.is_none());
}

#[tokio::test]
async fn halves_are_framed_separately() {
    let (client, server) = pair().await;
    let (sender, _receiver) = client.split();
    let (_sender, receiver) = server.split();
    let mut sink = MessageFramed::new(sender, BytesCodec::new());
    let mut stream = MessageFramed::new(receiver, BytesCodec::new());
    sink.send((bytes::Bytes::from_static(b"x"), SendInfo::default()))
        .await
        .unwrap();
    assert_eq!(&must(stream.next()).await.unwrap().unwrap().0[..], b"x");
}

#[tokio::test]
async fn framed_into_parts_returns_unsent_messages() {
    let (client, mut server) = pair().await;
    let mut client = MessageFramed::new(client, LinesCodec::new());
    client.feed(("held", SendInfo::on_stream(2))).await.unwrap();
    let (client, _, mut unsent) = client.into_parts();
    client.send("ahead").await.unwrap();
    client.send_queue(&mut unsent).await.unwrap();
    for (payload, stream) in [("ahead", 0), ("held\n", 2)] {
        let received = must(server.recv()).await.unwrap().unwrap();
        assert_eq!(
            (&received.payload[..], received.info.stream.get()),
            (payload.as_bytes(), stream)
        );
    }
}

#[tokio::test]
async fn leftover_after_a_frame_is_an_error() {
    let (client, server) = pair().await;
    let mut server = MessageFramed::new(server, LinesCodec::new());
    client.send("one\ntwo\n").await.unwrap();
    client.send("three\n").await.unwrap();
    let error = must(server.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, DecodeError::Leftover { len: 4, of: 8 }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "message of 8 bytes has 4 bytes after its frame"
    );
    assert_eq!(must(server.next()).await.unwrap().unwrap().0, "three");
}

/// The end of a message is to the codec what the end of a stream is.
#[tokio::test]
async fn frame_that_only_the_end_completes_is_decoded() {
    let (client, server) = pair().await;
    for line in ["one", "two\n", "three"] {
        client.send(line).await.unwrap();
    }
    drop(client);
    let server = MessageFramed::new(server, LinesCodec::new());
    let lines: Vec<_> = server
        .map(|line| line.map(|(line, _)| line).unwrap())
        .collect()
        .await;
    assert_eq!(lines, ["one", "two", "three"]);
}

#[tokio::test]
async fn partial_frame_is_not_joined_to_next_message() {
    let (client, server) = pair().await;
    let mut server = MessageFramed::new(server, LengthDelimitedCodec::new());
    client.send(&b"\0\0\0\x0aabc"[..]).await.unwrap();
    client.send(&b"\0\0\0\x01x"[..]).await.unwrap();
    let error = must(server.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, DecodeError::Incomplete { len: 7, .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "message of 7 bytes ends before its frame: bytes remaining on stream"
    );
    assert!(must(server.next()).await.is_none());
}

#[tokio::test]
async fn item_encoded_to_nothing_is_refused() {
    let (client, _server) = pair().await;
    let mut client = MessageFramed::new(client, BytesCodec::new());
    let error = client
        .send((bytes::Bytes::new(), SendInfo::default()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, EncodeError::Send(SendError::Empty)),
        "{error}"
    );
}

/// Keeps where its input lay.
struct Whole;

impl Decoder for Whole {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, buf: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        Ok(Some(buf.split()))
    }
}

#[tokio::test]
async fn decoding_does_not_change_neighbouring_messages() {
    let (client, server) = pair().await;
    let mut server = MessageFramed::new(server, Whole);
    for at in 0..20u8 {
        client.send(vec![at; 500]).await.unwrap();
    }
    client.sender().flushed().await.unwrap();
    let mut frames = Vec::new();
    for _ in 0..20 {
        let (mut frame, _) = must(server.next()).await.unwrap().unwrap();
        // Growing one must not run into the next, which lies directly behind it.
        frame.extend_from_slice(&[0xff; 100]);
        frames.push(frame);
    }
    for (at, frame) in frames.iter().enumerate() {
        assert!(frame[..500].iter().all(|byte| usize::from(*byte) == at));
    }
}

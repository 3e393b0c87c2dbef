//! Recognition of replies.

use std::time::Duration;

use sctp_service::{
    AssociationHandle, ByStream, Cause, Config, Fate, Message, Refusal, ReplyMessage, Request,
    testing::Peer,
};
use tokio::sync::mpsc;

use crate::{
    Calling, ask_back, assert_failed, by_header, call, reply_to,
    support::{Server, must, on, settle},
    text,
};

#[tokio::test(start_paused = true)]
async fn reply_completes_its_call() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let (one, two) = (call(&handle, "one"), call(&handle, "two"));
    let (first, second) = (peer.recv().await.unwrap(), peer.recv().await.unwrap());
    assert_eq!((text(&first), text(&second)), (&b"one"[..], &b"two"[..]));
    peer.send(reply_to(&second, "2")).await;
    peer.send(reply_to(&first, "1")).await;
    assert_eq!(&one.await.unwrap().unwrap().payload[5..], b"1");
    assert_eq!(&two.await.unwrap().unwrap().payload[5..], b"2");
}

#[tokio::test(start_paused = true)]
async fn handler_is_answered_on_the_stream_of_its_request() {
    let server = Server::with(ask_back, |server| server.with_correlation(by_header()));
    let peer = server.connect().await;
    peer.send(on(3, "who?")).await;
    let question = peer.recv().await.unwrap();
    assert_eq!(question.info.stream.get(), 3);
    // A request that waits for its turn is no obstacle.
    peer.send(on(3, "next?")).await;
    peer.send(reply_to(&question, "me")).await;
    assert_eq!(peer.expect_message("me").await.info.stream.get(), 3);
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "me too")).await;
    peer.expect_message("me too").await;
}

#[tokio::test(start_paused = true)]
async fn handlers_in_every_slot_are_answered() {
    let config = Config::new().with_max_in_flight(8);
    let server = Server::with(ask_back, |server| {
        server.with_config(config).with_correlation(by_header())
    });
    let peer = server.connect().await;
    for stream in 0..40 {
        peer.send(on(stream, "?")).await;
    }
    let mut answered = 0;
    while answered < 40 {
        let message = peer.recv().await.unwrap();
        match &message.payload[..] {
            b"yes" => answered += 1,
            _ => peer.send(reply_to(&message, "yes")).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn call_without_correlation_is_refused_unsent() {
    let (tell, mut handles) = mpsc::channel(1);
    let server = Server::new(async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        request.into_payload()
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    let handle = handles.recv().await.unwrap();
    let error = handle.request("?").await.unwrap_err();
    let is_refused = |cause: &Cause| matches!(cause, Cause::Refused(refusal) if matches!(**refusal, Refusal::NoCorrelation));
    assert_failed(&error, is_refused, Fate::NotSent);
    settle().await;
    assert!(peer.try_recv().is_none());
}

#[tokio::test(start_paused = true)]
async fn streams_of_calls_carry_replies_and_others_requests() {
    let (tell, mut handles) = mpsc::channel(1);
    let handler = async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        request.into_payload()
    };
    let server = Server::with(handler, |server| {
        server.with_correlation(ByStream::on(10..))
    });
    let peer = server.connect().await;
    peer.send(on(1, "a request")).await;
    peer.expect_message("a request").await;
    let handle = handles.recv().await.unwrap();
    let answered = call(&handle, "a call");
    let question = peer.expect_message("a call").await;
    assert_eq!(question.info.stream.get(), 10);
    peer.send(on(10, "an answer")).await;
    assert_eq!(answered.await.unwrap().unwrap().payload, "an answer");
    peer.send(on(11, "who asked?")).await;
    peer.expect_abort("unexpected reply").await;
}

#[tokio::test(start_paused = true)]
async fn late_reply_is_counted_and_discarded() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let asked = handle.request_within(Duration::from_secs(1), "?");
    let error = asked.await.unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::TimedOut),
        Fate::Unknown,
    );
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "late")).await;
    peer.send(Message::new(&b"!\0\0\xff\xffmade up"[..])).await;
    server.ask(&peer).await;
    peer.shutdown();
    peer.closed().await;
    settle().await;
    let closed = server.server.log.closed();
    assert!(closed.contains("requests: 2"), "{closed}");
    assert!(closed.contains("late_replies: 2"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn full_reply_queue_does_not_hold_up_replies() {
    let config = Config::new().with_reply_queue(1).with_reply_queue_bytes(1);
    let server = Server::with(ask_back, |server| {
        server.with_config(config).with_correlation(by_header())
    });
    let settings = sctp_service::testing::Duplex::new().with_capacity(4);
    let peer = server.network.connect_with(settings).await.unwrap();
    for stream in 0..4 {
        peer.send(on(stream, "?")).await;
    }
    // Neither end reads before it has written.
    let mut questions = Vec::new();
    for _ in 0..4 {
        questions.push(peer.recv().await.unwrap());
    }
    for question in &questions {
        peer.send(reply_to(question, "yes")).await;
    }
    for _ in 0..4 {
        peer.expect_message("yes").await;
    }
}

/// The kernel names a message that it could not send by its context.
#[tokio::test(start_paused = true)]
async fn context_is_the_number_of_a_call_or_zero() {
    let (tell, mut handles) = mpsc::channel(1);
    let handler = async move |request: Request| {
        tell.send(request.association().clone()).await.unwrap();
        ReplyMessage::from(with_context(request.payload().clone()))
    };
    let server = Server::with(handler, |server| server.with_correlation(by_header()));
    let peer = server.connect().await;
    peer.send("a request").await;
    let reply = peer.expect_message("a request").await;
    let handle = handles.recv().await.unwrap();
    handle.send(with_context("one way")).await.unwrap();
    let one_way = peer.expect_message("one way").await;
    assert_eq!((reply.info.context, one_way.info.context), (0, 0));
    for number in 1..=3 {
        let _asked = tokio::spawn({
            let handle = handle.clone();
            async move { handle.request(with_context("?")).await }
        });
        assert_eq!(must(peer.recv()).await.unwrap().info.context, number);
    }
}

fn with_context(payload: impl Into<bytes::Bytes>) -> Message {
    let mut message = Message::new(payload);
    message.info.context = 9;
    message
}

#[tokio::test(start_paused = true)]
async fn unexpected_reply_fails_the_calls_in_flight() {
    let mut server = ByStreams::new();
    let (peer, handle) = server.connect().await;
    let asked = call(&handle, "?");
    peer.expect_message("?").await;
    peer.send(on(12, "who asked?")).await;
    let error = must(asked).await.unwrap().unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::Uncorrelated),
        Fate::Unknown,
    );
    peer.expect_abort("unexpected reply").await;
}

#[tokio::test(start_paused = true)]
async fn one_way_message_on_a_call_stream_fails() {
    let mut server = ByStreams::new();
    let (peer, handle) = server.connect().await;
    handle.send(on(10, "no call")).await.unwrap();
    handle.send(on(9, "one way")).await.unwrap();
    peer.expect_message("one way").await;
    server.server.log.assert_has("SendRefused");
}

/// A server whose calls have the streams from 10.
struct ByStreams {
    server: Server,
    handles: mpsc::Receiver<AssociationHandle>,
}

impl ByStreams {
    fn new() -> Self {
        let (tell, handles) = mpsc::channel(1);
        let handler = async move |request: Request| {
            tell.send(request.association().clone()).await.unwrap();
            request.into_payload()
        };
        let server = Server::with(handler, |server| {
            server.with_correlation(ByStream::on(10..))
        });
        Self { server, handles }
    }

    async fn connect(&mut self) -> (Peer, AssociationHandle) {
        let peer = self.server.connect().await;
        peer.send("hello").await;
        peer.expect_message("hello").await;
        (peer, self.handles.recv().await.unwrap())
    }
}

//! Middleware that changes requests and replies.

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{
    Extension, Ppid, Reply, Request, Shutdown, State, StreamId,
    handler::handler_fn,
    layer::{map_reply, map_request, map_request_with_state},
};
use support::{Server, on};
use tokio::time::{Instant, sleep};
use tower::ServiceBuilder;

#[tokio::test(start_paused = true)]
async fn request_is_changed_or_refused() {
    async fn check(stream: StreamId, mut request: Request) -> Result<Request, Shutdown> {
        sleep(Duration::from_secs(1)).await;
        if request.payload().is_empty() || stream.get() == 9 {
            return Err(Shutdown::abort("not on stream 9"));
        }
        request.extensions_mut().insert(stream.get());
        Ok(request)
    }
    let service = ServiceBuilder::new()
        .layer(map_request(check))
        .service(handler_fn(
            async |Extension(seen): Extension<u16>, payload: Bytes| {
                format!("{} bytes on {seen}", payload.len())
            },
        ));
    let server = Server::new(service);
    let peer = server.connect().await;
    let begin = Instant::now();
    peer.send(on(4, "abc")).await;
    peer.expect_message("3 bytes on 4").await;
    assert_eq!(begin.elapsed().as_secs(), 1);
    peer.send(on(9, "abc")).await;
    peer.expect_abort("not on stream 9").await;
}

#[tokio::test(start_paused = true)]
async fn mapped_request_takes_state_and_holds_the_permit() {
    async fn slow(State(text): State<&'static str>, request: Request) -> Request {
        sleep(Duration::from_secs(1)).await;
        let (parts, _) = request.into_parts();
        Request::from_parts(parts, text.into())
    }
    // Tower's limit counts a permit that was reserved and dropped as free: were the call not made on
    // the service that was ready, it would panic or run without one.
    let service = ServiceBuilder::new()
        .layer(map_request_with_state("state", slow))
        .concurrency_limit(1)
        .service(handler_fn(async |payload: Bytes| payload));
    let server = Server::new(service);
    let peer = server.connect().await;
    let begin = Instant::now();
    peer.send(on(1, "a")).await;
    peer.send(on(2, "b")).await;
    peer.expect_message("state").await;
    peer.expect_message("state").await;
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn reply_is_changed() {
    async fn mark(reply: Reply) -> (Ppid, Reply) {
        sleep(Duration::from_secs(1)).await;
        (Ppid::NGAP, reply)
    }
    let service = ServiceBuilder::new()
        .layer(map_reply(mark))
        .service(handler_fn(async |text: String| {
            Reply::new(text.clone())
                .with_message(text)
                .with_shutdown(Shutdown::AfterAck)
        }));
    let server = Server::new(service);
    let peer = server.connect().await;
    peer.send(on(4, "abc").with_ppid(1)).await;
    for _ in 0..2 {
        let reply = peer.expect_message("abc").await;
        assert_eq!(reply.info.ppid, Ppid::NGAP);
        assert_eq!(reply.info.stream.get(), 4);
    }
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn destination_of_a_stream_of_replies_is_changed() {
    let server = Server::new(async || {
        let parts = futures::stream::iter(["a", "b"]);
        (StreamId::new(7), Reply::stream(parts))
    });
    let peer = server.connect().await;
    peer.send(on(4, "x").with_ppid(60)).await;
    for text in ["a", "b"] {
        let reply = peer.expect_message(text).await;
        assert_eq!((reply.info.stream.get(), reply.info.ppid.get()), (7, 60));
    }
}

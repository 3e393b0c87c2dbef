//! Arguments and replies of handlers.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use bytes::Bytes;
use sctp_service::{
    AssocId, ConnectInfo, Extension, Message, Parts, Payload, Ppid, Received, RecvInfo, Request,
    Shutdown, State, StreamId,
    extract::{
        AsyncFromRequest, AsyncFromRequestParts, FromRef, FromRequest, FromRequestParts, NotUtf8,
    },
    handler::{Handler, awaiting, handler_fn},
    testing::{MockConnectInfo, request},
};
use support::{Server, on};
use tower::{ServiceBuilder, ServiceExt};

/// Serves one request, and returns the first message of the reply.
async fn answer<S>(service: S, request: Request) -> Bytes
where
    S: tower::Service<
            Request,
            Response = sctp_service::Reply,
            Error = std::convert::Infallible,
            Future: Send,
        >,
{
    let reply = service.oneshot(request).await.unwrap();
    let message = reply
        .messages()
        .next()
        .map(|message| message.payload.clone());
    message.unwrap_or_default()
}

#[tokio::test]
async fn arguments_of_every_kind_are_extracted() {
    #[expect(clippy::too_many_arguments, reason = "that is the point")]
    async fn all(
        stream: StreamId,
        ppid: Ppid,
        info: RecvInfo,
        assoc: AssocId,
        peer: ConnectInfo,
        State(state): State<&'static str>,
        mark: Option<Extension<u8>>,
        Payload(payload): Payload,
    ) -> String {
        assert_eq!(info.stream, stream);
        assert_eq!(peer.assoc(), assoc);
        assert!(mark.is_none());
        format!("{stream} {ppid} {state} {}", payload.len())
    }
    let service = all.with_state("state");
    assert_eq!(
        answer(service, request(on(5, "four").with_ppid(60))).await,
        "5 60 state 4"
    );
}

#[tokio::test]
async fn sixteen_arguments_are_extracted() {
    #[expect(clippy::too_many_arguments, reason = "that is the point")]
    async fn all(
        a: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        _: StreamId,
        b: Ppid,
        text: String,
    ) -> String {
        format!("{a} {b} {text}")
    }
    let request = request(on(5, "last").with_ppid(60));
    assert_eq!(answer(handler_fn(all), request).await, "5 60 last");
}

#[tokio::test]
async fn tuple_extracts_its_parts_in_order() {
    type Destination = (StreamId, Ppid);
    let parts = handler_fn(async |(stream, ppid): Destination, text: String| {
        format!("{stream} {ppid} {text}")
    });
    let message = || request(on(5, "text").with_ppid(60));
    assert_eq!(answer(parts, message()).await, "5 60 text");
    let whole =
        handler_fn(async |((stream, _), text): (Destination, String)| format!("{stream} {text}"));
    assert_eq!(answer(whole, message()).await, "5 text");

    // The rejection of a part is that of the tuple.
    let refusing = handler_fn(async |_: (StreamId, Extension<u8>)| "called");
    let reply = refusing.oneshot(message()).await.unwrap();
    assert_eq!(reply.shutdown(), Some(&Shutdown::abort("internal error")));
}

#[tokio::test]
async fn option_and_result_keep_a_rejection_from_the_peer() {
    let optional = handler_fn(async |text: Option<String>| text.unwrap_or("no text".into()));
    assert_eq!(answer(optional.clone(), request("text")).await, "text");
    assert_eq!(answer(optional, request(&b"\xff"[..])).await, "no text");
    let result = handler_fn(async |text: Result<String, NotUtf8>| match text {
        Ok(text) => text,
        Err(error) => error.to_string(),
    });
    assert_eq!(
        answer(result, request(&b"\xff"[..])).await,
        "payload is not UTF-8"
    );
}

/// Waits once, and then is there, or is not.
struct Later(u64);

impl<S: Sync> AsyncFromRequestParts<S> for Later {
    type Rejection = &'static str;

    async fn from_request_parts_async(parts: &mut Parts, _: &S) -> Result<Self, &'static str> {
        tokio::task::yield_now().await;
        match parts.number {
            1 => Ok(Self(1)),
            _ => Err("not the first"),
        }
    }
}

/// Waits once for the length of the payload.
struct Len(usize);

impl<S: Sync> AsyncFromRequest<S> for Len {
    type Rejection = &'static str;

    async fn from_request_async(request: Request, _: &S) -> Result<Self, &'static str> {
        tokio::task::yield_now().await;
        Ok(Self(request.payload().len()))
    }
}

#[tokio::test]
async fn awaiting_handler_mixes_extractors_of_both_kinds() {
    let message = || request(on(2, "text"));
    let mixed = handler_fn(awaiting(
        async |stream: StreamId, Later(number): Later, text: String| {
            format!("{stream} {number} {text}")
        },
    ));
    assert_eq!(answer(mixed.clone(), message()).await, "2 1 text");
    assert_eq!(
        answer(mixed, message().with_number(2)).await,
        "not the first"
    );
    let parts_last = handler_fn(awaiting(async |Later(number): Later| number.to_string()));
    assert_eq!(answer(parts_last, message()).await, "1");
    let payload_last = handler_fn(awaiting(async |_: Later, Len(len): Len| len.to_string()));
    assert_eq!(answer(payload_last, message()).await, "4");
}

#[test]
fn rejected_extraction_is_no_future() {
    // Extractors can be called where there is no runtime, and at once.
    let (mut parts, _) = request(on(3, "x")).into_parts();
    assert_eq!(
        StreamId::from_request_parts(&mut parts, &()),
        Ok(StreamId::new(3))
    );
    assert_eq!(Bytes::from_request(request("x"), &()), Ok("x".into()));
}

#[tokio::test]
async fn message_in_every_form() {
    let message = || request(on(2, "text"));
    assert_eq!(
        answer(handler_fn(async |b: Bytes| b), message()).await,
        "text"
    );
    assert_eq!(
        answer(handler_fn(async |s: String| s), message()).await,
        "text"
    );
    assert_eq!(
        answer(handler_fn(async |p: Payload| p), message()).await,
        "text"
    );
    assert_eq!(
        answer(handler_fn(async |r: Received| r.payload), message()).await,
        "text"
    );
    assert_eq!(
        answer(handler_fn(async |r: Request| r.into_payload()), message()).await,
        "text"
    );
    assert_eq!(
        answer(handler_fn(async || "nothing taken"), message()).await,
        "nothing taken"
    );
    assert_eq!(
        answer(handler_fn(async |s: StreamId| s.to_string()), message()).await,
        "2"
    );
}

#[tokio::test(start_paused = true)]
async fn payload_answers_on_its_stream_with_its_ppid() {
    let server = Server::new(async |Payload(payload): Payload| payload);
    let peer = server.connect().await;
    peer.send(on(4, "hello").with_ppid(Ppid::DIAMETER)).await;
    let reply = peer.expect_message("hello").await;
    assert_eq!(
        (reply.info.stream, reply.info.ppid),
        (StreamId::new(4), Ppid::DIAMETER)
    );
}

#[tokio::test(start_paused = true)]
async fn message_goes_where_it_says() {
    let server = Server::new(async || Message::new("elsewhere").on_stream(7).with_ppid(9));
    let peer = server.connect().await;
    peer.send(on(4, "hello")).await;
    let reply = peer.expect_message("elsewhere").await;
    assert_eq!((reply.info.stream.get(), reply.info.ppid.get()), (7, 9));
}

#[tokio::test(start_paused = true)]
async fn payload_that_is_not_text_is_rejected() {
    let server = Server::new(async |text: String| text);
    let peer = server.connect().await;
    peer.send(&b"\xff"[..]).await;
    peer.expect_abort("payload is not UTF-8").await;
}

#[tokio::test(start_paused = true)]
async fn missing_extension_is_an_internal_error() {
    let server = Server::new(async |_: Extension<u8>| ());
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_abort("internal error").await;
}

#[tokio::test(start_paused = true)]
async fn extractor_of_ones_own_rejects_with_any_reply() {
    struct Known;
    impl<S: Sync> FromRequestParts<S> for Known {
        type Rejection = (&'static str, Shutdown);
        fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            match parts.info.ppid {
                Ppid::NGAP => Ok(Self),
                _ => Err(("who are you?", Shutdown::AfterAck)),
            }
        }
    }
    let server = Server::new(async |_: Known, Payload(payload): Payload| payload);
    let peer = server.connect().await;
    peer.send(Message::new("me").with_ppid(Ppid::NGAP)).await;
    peer.expect_message("me").await;
    peer.send("stranger").await;
    peer.expect_message("who are you?").await;
    peer.expect_shutdown().await;
}

#[tokio::test]
async fn handler_takes_a_part_of_the_state() {
    #[derive(Clone)]
    struct App {
        name: &'static str,
    }
    struct Name(&'static str);
    impl FromRef<App> for Name {
        fn from_ref(app: &App) -> Self {
            Self(app.name)
        }
    }
    let handler = async |State(Name(name)): State<Name>| name;
    assert_eq!(
        answer(handler.with_state(App { name: "amf" }), request("x")).await,
        "amf"
    );
}

#[tokio::test]
async fn association_can_be_mocked() {
    let peer = "192.0.2.7:1234".parse().unwrap();
    let mock = ConnectInfo::new(AssocId::new(9)).with_peer_addrs([peer]);
    let service = ServiceBuilder::new()
        .layer(MockConnectInfo(mock))
        .service(handler_fn(async |peer: ConnectInfo| peer.to_string()));
    assert_eq!(
        answer(service, request("x")).await,
        "association 9 with 192.0.2.7:1234"
    );
}

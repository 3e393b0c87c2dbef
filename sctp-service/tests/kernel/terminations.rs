//! Replies and the two terminations, as a peer sees them.

use std::io;

use sctp_service::{End, Ppid, Side};
use sctp_tokio::{AbortReason, ErrorCauses, Message};

use crate::{
    both_styles, must, reply,
    server::{Server, echo, textbook},
    until_end,
};

both_styles! {
    async fn replies_have_the_stream_and_ppid_of_requests(style: Style) {
        let server = Server::start(style, echo);
        let mut client = server.connect().await;
        for stream in [0, 3, 9] {
            let message = Message::new(format!("on {stream}")).on_stream(stream).with_ppid(Ppid::NGAP);
            client.send(message).await.unwrap();
            let reply = reply(&mut client).await;
            assert_eq!(reply.payload, format!("on {stream}"));
            assert_eq!((reply.info.stream.get(), reply.info.ppid), (stream, Ppid::NGAP));
        }
    }

    async fn after_ack_delivers_the_reply_first(style: Style) {
        let mut server = Server::start(style, textbook);
        let mut client = server.connect().await;
        client.send("hello").await.unwrap();
        assert_eq!(reply(&mut client).await.payload, "hello");
        client.send("quit").await.unwrap();
        let (messages, end) = until_end(&mut client).await;
        assert_eq!(messages, ["quit"]);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        assert_eq!(server.closed().await, (End::Shutdown { by: Side::Local }, None));
    }

    async fn abort_delivers_its_reason_byte_for_byte(style: Style) {
        let mut server = Server::start(style, textbook);
        let long = vec![b'r'; AbortReason::MAX_LEN];
        for reason in [&b""[..], b"x", b"go away", b"\xff\x00\xfe\n", &long] {
            let mut client = server.connect().await;
            client.send([b"abort ", reason].concat()).await.unwrap();
            let (messages, end) = until_end(&mut client).await;
            assert!(messages.is_empty());
            assert_eq!(end.reason().unwrap(), reason);
            let (end, given) = server.closed().await;
            assert_eq!(end, End::Aborted { by: Side::Local, causes: ErrorCauses::default() });
            assert_eq!(given.unwrap().as_bytes(), reason);
        }
    }

    async fn too_long_reason_is_replaced(style: Style) {
        let server = Server::start(style, textbook);
        let mut client = server.connect().await;
        client.send([&b"abort "[..], &vec![b'r'; AbortReason::MAX_LEN + 1]].concat()).await.unwrap();
        assert_eq!(until_end(&mut client).await.1.reason().unwrap(), "reason too long");
    }

    async fn the_reason_of_a_clients_abort_reaches_the_hook(style: Style) {
        let mut server = Server::start(style, textbook);
        let mut client = server.connect().await;
        client.send("hello").await.unwrap();
        reply(&mut client).await;
        client.abort(&AbortReason::from_static("goodbye")).unwrap();
        let (end, given) = server.closed().await;
        assert_eq!((end.reason().unwrap().as_ref(), given), (&b"goodbye"[..], None));
    }

    async fn a_client_that_shuts_down_is_closed_in_order(style: Style) {
        let mut server = Server::start(style, echo);
        let mut client = server.connect().await;
        client.send("hello").await.unwrap();
        assert!(must(client.shutdown()).await.unwrap().is_orderly());
        assert_eq!(server.closed().await, (End::Shutdown { by: Side::Peer }, None));
    }

    async fn one_is_terminated_and_another_goes_on(style: Style) {
        let server = Server::start(style, textbook);
        let mut first = server.connect().await;
        let mut second = server.connect().await;
        let mut third = server.connect().await;
        first.send("quit").await.unwrap();
        assert!(until_end(&mut first).await.1.is_orderly());
        second.send("abort only you").await.unwrap();
        assert_eq!(until_end(&mut second).await.1.reason().unwrap(), "only you");
        third.send("still here").await.unwrap();
        assert_eq!(reply(&mut third).await.payload, "still here");
    }

    async fn requests_of_ten_streams_are_answered_in_order(style: Style) {
        let server = Server::start(style, echo);
        let mut client = server.connect().await;
        for at in 0..100u16 {
            client.send(Message::new(at.to_be_bytes().to_vec()).on_stream(at % 10)).await.unwrap();
        }
        let mut next = [0u16; 10];
        for _ in 0..100 {
            let reply = reply(&mut client).await;
            let stream = reply.info.stream.get();
            let number = u16::from_be_bytes([reply.payload[0], reply.payload[1]]);
            assert_eq!(number, next[usize::from(stream)] * 10 + stream);
            next[usize::from(stream)] += 1;
        }
    }

    async fn a_long_message_comes_back_whole(style: Style) {
        let server = Server::start(style, echo);
        let mut client = server.connect().await;
        let payload: Vec<u8> = (0..100_000u32).map(|at| at.to_le_bytes()[1]).collect();
        client.send(payload.clone()).await.unwrap();
        assert!(reply(&mut client).await.payload == payload);
    }

    async fn a_message_above_the_limit_aborts_its_sender_alone(style: Style) {
        let small = sctp_tokio::SocketBuilder::new().with_max_message_size(1000);
        let server = Server::start_with(style, sctp_service::Config::default(), small, echo);
        let mut greedy = server.connect().await;
        let mut modest = server.connect().await;
        greedy.send(vec![0; 1001]).await.unwrap();
        assert_eq!(until_end(&mut greedy).await.1.reason().unwrap(), "message too large");
        modest.send(vec![0; 1000]).await.unwrap();
        assert_eq!(reply(&mut modest).await.payload.len(), 1000);
    }
}

#[tokio::test]
async fn kernel_that_refuses_the_address_says_which() {
    let taken = sctp_tokio::SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addrs().unwrap()[0];
    let error = sctp_tokio::Endpoint::bind(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}

//! Handshakes of the application, and streams of replies.

use std::convert::Infallible;

use sctp_service::{Config, IncomingAssociation, Message, Side, handler::handler_fn};
use sctp_tokio::{SocketBuilder, options::InitMsg};
use tower::service_fn;

use crate::{both_styles, must, reply, server::Server};

both_styles! {
    async fn handshake_is_acknowledged_before_requests_are_served(style: Style) {
        let make = service_fn(async |mut incoming: IncomingAssociation| {
            assert_eq!(incoming.initiated_by(), Side::Peer);
            incoming.acknowledged().await.unwrap();
            let hello = incoming.recv().await.unwrap();
            for _ in 0..20 {
                incoming.send(hello.payload.clone()).await.unwrap();
            }
            incoming.acknowledged().await.unwrap();
            Ok::<_, Infallible>(handler_fn(async || "served"))
        });
        let server = Server::start_with(style, Config::new(), SocketBuilder::new(), make);
        let mut client = server.connect().await;
        client.send("hello").await.unwrap();
        client.send(Message::new("a request").on_stream(1)).await.unwrap();
        for _ in 0..20 {
            assert_eq!(reply(&mut client).await.payload, "hello");
        }
        assert_eq!(reply(&mut client).await.payload, "served");
    }

    async fn reply_without_its_stream_uses_stream_zero(style: Style) {
        let server = Server::start_with(style, Config::new(), SocketBuilder::new(), async |text: String| text);
        let init = InitMsg::new().with_outbound_streams(50).with_max_inbound_streams(2);
        let socket = SocketBuilder::new().with_init(init);
        let mut client = must(socket.connect(&[server.addr])).await.unwrap();
        for (asked, answered) in [(10, 0), (1, 1)] {
            client.send(Message::new("x").on_stream(asked)).await.unwrap();
            assert_eq!(reply(&mut client).await.info.stream.get(), answered);
        }
    }
}

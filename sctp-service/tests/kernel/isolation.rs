//! Isolation of peers and handlers from each other.

use std::future::pending;

use bytes::Bytes;
use sctp_service::{Config, Payload, Request};
use sctp_tokio::{AbortReason, Message, SocketBuilder};

use crate::{
    both_styles, must, reply,
    server::{Server, echo, quick},
    until_end,
};

/// Answers everything but what begins with "never".
async fn never_or_echo(Payload(payload): Payload) -> Payload {
    if payload.starts_with(b"never") {
        pending::<()>().await;
    }
    Payload(payload)
}

/// Answers each message with a thousand times as much.
async fn magnify(request: Request) -> Vec<Bytes> {
    vec![Bytes::from(vec![b'm'; 1000]); request.payload().len()]
}

both_styles! {
    async fn endless_handler_holds_up_only_its_stream(style: Style) {
        let server = Server::start(style, never_or_echo);
        let mut client = server.connect().await;
        client.send(Message::new("never").on_stream(1)).await.unwrap();
        client.send(Message::new("behind it").on_stream(1)).await.unwrap();
        client.send(Message::new("beside it").on_stream(2)).await.unwrap();
        assert_eq!(reply(&mut client).await.payload, "beside it");
    }

    async fn peer_with_many_requests_delays_no_other(style: Style) {
        let server = Server::start(style, never_or_echo);
        let flooding = server.connect().await;
        // Until the server's window is closed and the own buffer is full.
        flooding.send("never").await.unwrap();
        let flood = tokio::spawn(async move {
            let mut sent = 0u32;
            loop {
                let send = flooding.send(vec![b'f'; 1000]);
                match tokio::time::timeout(std::time::Duration::from_millis(300), send).await {
                    Ok(sent_one) => sent_one.unwrap(),
                    Err(_) => return (flooding, sent),
                }
                sent += 1;
                assert!(sent < 20_000, "nobody held the flood back");
            }
        });
        let mut other = server.connect().await;
        for round in 0..50 {
            other.send(format!("round {round}")).await.unwrap();
            assert_eq!(reply(&mut other).await.payload, format!("round {round}"));
        }
        let (_flooding, _sent) = must(flood).await.unwrap();
        other.send("and after it").await.unwrap();
        assert_eq!(reply(&mut other).await.payload, "and after it");
    }

    async fn peer_that_does_not_read_delays_no_other(style: Style) {
        let server = Server::start_with(style, Config::default(), quick(), magnify);
        let small = SocketBuilder::new().with_recv_buffer_size(60_000);
        let mut lazy = must(small.connect(&[server.addr])).await.unwrap();
        for _ in 0..10 {
            lazy.send(vec![b'x'; 40]).await.unwrap();
        }
        let mut other = server.connect().await;
        for _ in 0..20 {
            other.send("x").await.unwrap();
            assert_eq!(reply(&mut other).await.payload.len(), 1000);
        }
        // It gets everything as soon as it reads.
        for _ in 0..10 * 40 {
            assert_eq!(reply(&mut lazy).await.payload.len(), 1000);
        }
    }

    async fn a_panicking_handler_aborts_its_own_association_alone(style: Style) {
        let service = async |Payload(payload): Payload| {
            assert_ne!(payload, "panic", "as asked");
            Payload(payload)
        };
        let server = Server::start(style, service);
        let mut unlucky = server.connect().await;
        let mut lucky = server.connect().await;
        unlucky.send("panic").await.unwrap();
        assert_eq!(until_end(&mut unlucky).await.1.reason().unwrap(), "internal error");
        lucky.send("fine").await.unwrap();
        assert_eq!(reply(&mut lucky).await.payload, "fine");
    }

    async fn peers_that_come_and_go_leave_nothing_behind(style: Style) {
        let mut server = Server::start(style, echo);
        for round in 0..50 {
            let mut client = server.connect().await;
            client.send("x").await.unwrap();
            match round % 3 {
                0 => drop(client),
                1 => client.abort(&AbortReason::from_static("bye")).unwrap(),
                _ => {
                    reply(&mut client).await;
                    must(client.shutdown()).await.unwrap();
                }
            }
            server.closed().await;
        }
        server.stop();
        server.stopped().await;
    }

    async fn calls_of_a_dead_peer_are_dropped(style: Style) {
        struct Guard(tokio::sync::mpsc::Sender<()>);
        impl Drop for Guard {
            fn drop(&mut self) {
                let _ = self.0.try_send(());
            }
        }
        let (dropped, mut drops) = tokio::sync::mpsc::channel(1000);
        let config = Config::default().with_max_in_flight(1).with_read_ahead(1);
        let service = move |_: Payload| {
            let guard = Guard(dropped.clone());
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        };
        let server = Server::start_with(style, config, SocketBuilder::new(), service);
        let client = server.connect().await;
        // More than the driver reads, so that the end is queued behind messages.
        for _ in 0..10 {
            client.send("x").await.unwrap();
        }
        client.abort(&AbortReason::from_static("gone")).unwrap();
        must(drops.recv()).await.unwrap();
    }
}

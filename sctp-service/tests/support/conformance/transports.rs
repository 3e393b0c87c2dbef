//! Tests of what each end's transport hears, below client and server.

use std::{collections::VecDeque, future::poll_fn};

use sctp_service::{
    AbortReason, End, Event, Listener, Message, SendError, Side, Transport, client::Connect,
};
use sctp_tokio::{ConnectError, Notification};

use super::assert_aborted_here;
use crate::{
    must,
    world::{Place, run},
};

/// A client's end, and the server's.
async fn up() -> (impl Transport, impl Transport) {
    let (place, mut listener) = Place::new();
    let client = must(place.connector().connect()).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    (client, server)
}

async fn send(transport: &mut impl Transport, message: Message) -> Result<(), SendError> {
    let mut queue = VecDeque::from([message]);
    must(poll_fn(|cx| transport.poll_send(cx, &mut queue))).await
}

/// Reads to the end: one line for each message and notification that is not about paths and the
/// like, and then the end, which is told again and again.
async fn read(transport: &mut impl Transport) -> (Vec<String>, End) {
    let mut heard = Vec::new();
    loop {
        match must(poll_fn(|cx| transport.poll_next_event(cx)))
            .await
            .unwrap()
        {
            Event::Message(received) => heard.push(format!("{:?}", received.payload)),
            Event::Notification(Notification::Shutdown { .. }) => heard.push("shutdown".into()),
            Event::Closed(end) => {
                let again = must(poll_fn(|cx| transport.poll_next_event(cx))).await;
                assert_eq!(again.unwrap(), Event::Closed(end.clone()));
                assert_eq!(must(poll_fn(|cx| transport.poll_closed(cx))).await, end);
                let late = send(transport, Message::new("late")).await.unwrap_err();
                assert!(
                    matches!(&late, SendError::Closed(told) if *told == end),
                    "{late}"
                );
                return (heard, end);
            }
            _ => {}
        }
    }
}

#[test]
fn orderly_end_follows_the_data() {
    run(async {
        let (mut client, mut server) = up().await;
        send(&mut client, Message::new("first")).await.unwrap();
        send(&mut client, Message::new("second")).await.unwrap();
        client.start_shutdown().unwrap();
        // Once more is the same.
        let _ = client.start_shutdown();
        let (heard, end) = read(&mut server).await;
        assert_eq!(heard, ["b\"first\"", "b\"second\"", "shutdown"]);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        let (heard, end) = read(&mut client).await;
        assert_eq!(heard, [""; 0]);
        assert_eq!(end, End::Shutdown { by: Side::Local });
    });
}

#[test]
fn abort_is_not_announced_and_leaves_what_was_delivered() {
    run(async {
        let (mut client, mut server) = up().await;
        send(&mut server, Message::new("first")).await.unwrap();
        // Read once, the rest is there as well.
        must(poll_fn(|cx| client.poll_next_event(cx)))
            .await
            .unwrap();
        server.abort(&AbortReason::from_static("enough")).unwrap();
        let (heard, end) = read(&mut client).await;
        assert_eq!(heard, [""; 0]);
        assert_eq!(end.reason().unwrap(), "enough");
        let (heard, end) = read(&mut server).await;
        assert_eq!(heard, [""; 0]);
        assert_aborted_here(&end);
    });
}

#[test]
fn missing_stream_is_refused_at_either_end() {
    run(async {
        let (mut client, mut server) = up().await;
        let message = Message::new("x").on_stream(128);
        for refused in [
            send(&mut client, message.clone()).await.unwrap_err(),
            send(&mut server, message).await.unwrap_err(),
        ] {
            assert!(
                matches!(refused, SendError::InvalidStream { stream, negotiated: 128 } if stream.get() == 128),
                "{refused}"
            );
        }
    });
}

#[test]
fn stopped_listener_hands_over_established_associations() {
    run(async {
        let (place, mut listener) = Place::new();
        let mut connector = place.connector();
        let _client = must(connector.connect()).await.unwrap();
        Listener::stop_listening(&mut listener).unwrap();
        let Err(refused) = must(connector.connect()).await else {
            panic!("it listens");
        };
        assert!(matches!(refused, ConnectError::Refused { .. }), "{refused}");
        must(listener.accept()).await.unwrap();
    });
}

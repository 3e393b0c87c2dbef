//! A client of a server that the test is.

use std::time::Duration;

use sctp_service::{
    Cause, End, Fate, Side,
    client::{Client, ClientConfig, Connect},
};

use super::{builder, call, config, failure, payload};
use crate::{
    must,
    world::{Hand, Listener, Place, run},
};

const PEER: End = End::Shutdown { by: Side::Peer };

async fn up_with(config: ClientConfig) -> (Client, Hand, Listener) {
    let (place, mut listener) = Place::new();
    let client = builder()
        .with_config(config)
        .connect(place.connector())
        .await
        .unwrap();
    let server = must(Hand::accept(&mut listener)).await;
    (client, server, listener)
}

async fn up() -> (Client, Hand, Listener) {
    up_with(config()).await
}

#[test]
fn answers_out_of_order_go_to_their_calls() {
    run(async {
        let (client, mut server, _listener) = up().await;
        let calls = ["a", "b", "c"].map(|text| call(&client, text));
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(must(server.recv()).await);
        }
        for (stream, payload) in requests.into_iter().rev() {
            let reply = [b"re: ", &payload[..]].concat();
            server.send(stream, reply).await;
        }
        for (call, text) in calls.into_iter().zip(["re: a", "re: b", "re: c"]) {
            assert_eq!(payload(call).await, text);
        }
    });
}

#[test]
fn late_reply_is_discarded() {
    run(async {
        // On the kernel it takes that long, and the next call is to be answered within it.
        let timeout = Duration::from_secs(1);
        let (client, mut server, _listener) = up_with(config().with_call_timeout(timeout)).await;
        let late = call(&client, "late");
        let (stream, _) = must(server.recv()).await;
        let (cause, fate) = failure(late).await;
        assert!(matches!(cause, Cause::TimedOut), "{cause}");
        assert_eq!(fate, Fate::Unknown);
        server.send(stream, "too late").await;
        // The association is none the worse.
        let (client, next) = (client.clone(), call(&client, "next"));
        let (stream, payload) = must(server.recv()).await;
        assert_eq!(payload, "next");
        server.send(stream, "in time").await;
        assert_eq!(super::payload(next).await, "in time");
        assert_eq!(client.last_end(), None);
    });
}

#[test]
fn server_that_never_answers_is_aborted() {
    run(async {
        // On the kernel it takes that long: every call is to have gone out before.
        let config = config()
            .with_call_timeout(Duration::from_secs(1))
            .with_overdue_after(Duration::from_millis(20));
        let (client, mut server, _listener) = up_with(config).await;
        let streams = client.connect_info().unwrap().outbound_streams();
        for _ in 1..streams {
            drop(call(&client, "x"));
        }
        for _ in 1..streams {
            must(server.recv()).await;
        }
        let end = server.end().await;
        assert_eq!(end.reason().unwrap(), "no reply");
    });
}

#[test]
fn duplicate_reply_aborts() {
    run(async {
        let (client, mut server, _listener) = up().await;
        let first = call(&client, "x");
        let never = call(&client, "never");
        let (stream, _) = must(server.recv()).await;
        must(server.recv()).await;
        server.send(stream, "once").await;
        assert_eq!(payload(first).await, "once");
        server.send(stream, "twice").await;
        let (cause, fate) = failure(never).await;
        assert!(matches!(cause, Cause::Uncorrelated), "{cause}");
        assert_eq!(fate, Fate::Unknown);
        assert_eq!(server.end().await.reason().unwrap(), "unexpected reply");
    });
}

#[test]
fn call_after_an_abort_has_another_association() {
    run(async {
        let (client, mut server, mut listener) = up().await;
        let one = call(&client, "x");
        must(server.recv()).await;
        server.abort("go away");
        let error = must(one).await.unwrap().unwrap_err();
        assert_eq!(error.reason().unwrap(), "go away");
        assert_eq!(error.fate(), Fate::Unknown);
        let two = call(&client, "y");
        let mut server = must(Hand::accept(&mut listener)).await;
        let (stream, _) = must(server.recv()).await;
        server.send(stream, "Y").await;
        assert_eq!(payload(two).await, "Y");
    });
}

#[test]
fn reply_before_an_orderly_end_counts() {
    run(async {
        let (client, mut server, _listener) = up().await;
        let (one, two) = (call(&client, "1"), call(&client, "2"));
        let (stream, payload) = must(server.recv()).await;
        must(server.recv()).await;
        server.send(stream, payload.clone()).await;
        server.shutdown();
        let [answered, unanswered] = if payload == "1" {
            [one, two]
        } else {
            [two, one]
        };
        assert_eq!(super::payload(answered).await, payload);
        let (cause, fate) = failure(unanswered).await;
        assert!(matches!(cause, Cause::ShutDown), "{cause}");
        assert_eq!(fate, Fate::Unknown);
        assert_eq!(client.last_end(), Some(PEER));
        assert_eq!(server.end().await, End::Shutdown { by: Side::Local });
    });
}

#[test]
fn unsolicited_message_arrives_in_the_inbox() {
    run(async {
        let (place, mut listener) = Place::new();
        let (builder, mut inbox) = builder().with_inbox(1);
        let _client = builder.connect(place.connector()).await.unwrap();
        let server = must(Hand::accept(&mut listener)).await;
        server.send(0, "news").await;
        assert_eq!(must(inbox.recv()).await.unwrap().payload(), "news");
    });
}

#[test]
fn unaccepted_associations_close_with_the_listener() {
    run(async {
        let (place, listener) = Place::new();
        let client = Client::over(must(place.connector().connect()).await.unwrap());
        drop(listener);
        assert_eq!(must(client.closed()).await, Some(PEER));
        assert_eq!(client.last_end(), Some(PEER));
    });
}

#[test]
fn dropped_server_aborts_only_with_unread_messages() {
    run(async {
        for unread in [false, true] {
            let (place, mut listener) = Place::new();
            let client = Client::over(must(place.connector().connect()).await.unwrap());
            let server = must(Hand::accept(&mut listener)).await;
            if unread {
                must(client.send("unread")).await.unwrap();
                server.unread().await;
            }
            drop(server);
            let end = must(client.closed()).await.unwrap();
            if unread {
                assert!(matches!(end, End::Aborted { by: Side::Peer, .. }), "{end}");
                assert_eq!(end.reason().unwrap(), "");
            } else {
                assert_eq!(end, PEER);
            }
        }
    });
}

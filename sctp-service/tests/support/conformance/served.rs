//! A client of `serve`.

use std::time::Duration;

use sctp_service::{
    AbortReason, Cause, Config, End, Fate, Refusal, SendError, Side,
    client::{Client, Connect},
};
use sctp_tokio::ConnectError;
use tower::ServiceExt;

use super::{answer, assert_aborted_here, builder, call, failure, payload, server::Server};
use crate::{
    must,
    world::{Place, run},
};

const LOCAL: End = End::Shutdown { by: Side::Local };
const PEER: End = End::Shutdown { by: Side::Peer };

#[test]
fn each_call_gets_its_own_reply() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        let calls: Vec<_> = (0..300usize)
            .map(|n| call(&client, n.to_string().repeat(1 + n % 700)))
            .collect();
        for (n, reply) in calls.into_iter().enumerate() {
            assert_eq!(payload(reply).await, n.to_string().repeat(1 + n % 700));
        }
        assert_eq!(must(client.graceful_shutdown()).await, Some(LOCAL));
        assert_eq!(must(server.closed()).await, (PEER, None));
    });
}

#[test]
fn message_on_another_stream_is_for_the_inbox() {
    run(async {
        let (place, listener) = Place::new();
        let _server = Server::start(listener);
        let (builder, mut inbox) = builder().with_inbox(64);
        let client = builder.connect(place.connector()).await.unwrap();
        assert_eq!(answer(&client, "push").await, "pushed");
        let news = must(inbox.recv()).await.unwrap();
        assert_eq!(
            (&news.payload()[..], news.stream().get()),
            (&b"news"[..], 0)
        );
        // A message that is no call is answered, too: on its stream, where that is a request.
        must(client.send("noted")).await.unwrap();
        assert_eq!(must(inbox.recv()).await.unwrap().payload(), "noted");
    });
}

#[test]
fn after_ack_discards_calls_in_flight() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        let never = call(&client, "never");
        server.await_waiting(1).await;
        assert_eq!(answer(&client, "quit").await, "quit");
        let (cause, fate) = failure(never).await;
        assert!(matches!(cause, Cause::ShutDown), "{cause}");
        assert_eq!(fate, Fate::Unknown);
        assert_eq!(client.last_end(), Some(PEER));
        assert_eq!(must(server.closed()).await, (LOCAL, None));
        // There is another association for the next call.
        assert_eq!(answer(&client, "again").await, "again");
    });
}

#[test]
fn abort_reaches_every_call_in_flight_byte_for_byte() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        let long = vec![b'r'; AbortReason::MAX_LEN];
        for reason in [&b""[..], b"x", b"go away", b"\xff\x00\xfe\n", &long] {
            let never = call(&client, "never");
            server.await_waiting(1).await;
            let aborted = call(&client, [b"abort ", reason].concat());
            for call in [never, aborted] {
                let error = must(call).await.unwrap().unwrap_err();
                assert!(matches!(error.cause(), Cause::Aborted(_)), "{error}");
                assert_eq!(error.reason().unwrap(), reason);
                assert_eq!(error.fate(), Fate::Unknown);
            }
            assert_eq!(client.last_end().unwrap().reason().unwrap(), reason);
            let (end, given) = must(server.closed()).await;
            assert_aborted_here(&end);
            assert_eq!(given.unwrap().as_bytes(), reason);
            assert_eq!(answer(&client, "again").await, "again");
        }
    });
}

#[test]
fn client_of_a_draining_server_finds_the_next() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        let calls = [call(&client, "wait"), call(&client, "wait")];
        server.await_waiting(2).await;
        server.begin_stop();
        for call in calls {
            assert_eq!(payload(call).await, "wait");
        }
        assert_eq!(must(server.closed()).await, (LOCAL, None));
        must(server.stopped()).await;
        // Nobody listens now.
        let error = must(Client::builder().connect(place.connector()))
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        let again = call(&client, "again");
        let _next = Server::start(place.listen());
        assert_eq!(payload(again).await, "again");
        assert_eq!(client.last_end(), Some(PEER));
    });
}

#[test]
fn requests_outliving_the_drain_are_aborted() {
    run(async {
        let (place, listener) = Place::new();
        let config = Config::new().with_drain_timeout(Duration::ZERO);
        let mut server = Server::start_with(listener, config, "server");
        let client = builder().connect(place.connector()).await.unwrap();
        let never = call(&client, "never");
        server.await_waiting(1).await;
        server.begin_stop();
        must(server.stopped()).await;
        let error = must(never).await.unwrap().unwrap_err();
        assert_eq!(error.reason().unwrap(), "drain timed out");
        assert_eq!(error.fate(), Fate::Unknown);
    });
}

#[test]
fn connection_refused_is_reported() {
    run(async {
        let (place, listener) = Place::new();
        drop(listener);
        let error = must(Client::builder().connect(place.connector()))
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        let client = Client::builder().connect_lazily(place.connector());
        let (cause, fate) = failure(call(&client, "x")).await;
        let Cause::NotConnected(error) = cause else {
            panic!("{cause}");
        };
        assert!(matches!(*error, ConnectError::Refused { .. }), "{error}");
        assert_eq!(fate, Fate::NotSent);
    });
}

#[test]
fn one_association_too_many_is_aborted() {
    run(async {
        let (place, listener) = Place::new();
        let config = Config::new().with_max_associations(1);
        let _server = Server::start_with(listener, config, "server");
        let first = builder().connect(place.connector()).await.unwrap();
        assert_eq!(answer(&first, "x").await, "x");
        // It is up before the server looks, as every association is.
        let second = Client::over(must(place.connector().connect()).await.unwrap());
        let error = must(second.request("x")).await.unwrap_err();
        assert_eq!(error.reason().unwrap(), "too many associations");
        assert_eq!(answer(&first, "y").await, "y");
    });
}

#[test]
fn client_that_is_shut_down_finishes_its_calls() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let mut client = builder().connect(place.connector()).await.unwrap();
        let wait = call(&client, "wait");
        server.await_waiting(1).await;
        let ending = tokio::spawn({
            let client = client.clone();
            async move { must(client.graceful_shutdown()).await }
        });
        must(async {
            while client.ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(!ending.is_finished(), "a call is in flight");
        server.release();
        assert_eq!(payload(wait).await, "wait");
        assert_eq!(must(ending).await.unwrap(), Some(LOCAL));
        assert_eq!(must(server.closed()).await, (PEER, None));
    });
}

#[test]
fn last_handle_that_is_dropped_ends_it_in_order() {
    run(async {
        let (place, listener) = Place::new();
        let mut server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        assert_eq!(answer(&client, "x").await, "x");
        drop(client);
        assert_eq!(must(server.closed()).await, (PEER, None));
    });
}

#[test]
fn unsendable_call_is_refused_alone() {
    run(async {
        let (place, listener) = Place::new();
        let _server = Server::start(listener);
        let client = builder().connect(place.connector()).await.unwrap();
        for (payload, empty) in [(vec![0; 300_000], false), (Vec::new(), true)] {
            let (cause, fate) = failure(call(&client, payload)).await;
            let Cause::Refused(refusal) = cause else {
                panic!("{cause}");
            };
            match &*refusal {
                Refusal::Send(SendError::Empty) if empty => {}
                Refusal::Send(SendError::TooLarge { len: 300_000, .. }) if !empty => {}
                other => panic!("{other}"),
            }
            assert_eq!(fate, Fate::NotSent);
        }
        assert_eq!(answer(&client, vec![1; 100_000]).await, vec![1; 100_000]);
    });
}

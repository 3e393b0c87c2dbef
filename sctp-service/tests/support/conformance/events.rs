//! Tests of the hooks of clients and pools.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::client::{Backoff, Client, ClientEvent, pool::PoolEvent};
use sctp_tokio::ConnectError;
use tokio::sync::mpsc;

use super::{answer, assert_aborted_here, builder, call, config, failure, payload};
use crate::{
    must,
    world::{Hand, Place, run},
};

/// Each event as a line, in order.
pub(super) struct Events {
    heard: mpsc::UnboundedReceiver<String>,
}

/// A hook of a client's, and what it has heard.
fn client_hook() -> (impl Fn(&ClientEvent<'_>) + Clone + Send + Sync, Events) {
    let (told, heard) = mpsc::unbounded_channel();
    let hook = move |event: &ClientEvent<'_>| {
        if let ClientEvent::Open { .. } = event {
            return;
        }
        // A test that has ended does not listen any more.
        drop(told.send(line(event)));
    };
    (hook, Events { heard })
}

/// A hook of a pool's, and what it has heard.
pub(super) fn pool_hook() -> (impl Fn(&PoolEvent<'_>) + Send + Sync, Events) {
    let (told, heard) = mpsc::unbounded_channel();
    let hook = move |event: &PoolEvent<'_>| {
        let number = event
            .server()
            .map(|server| server.addrs()[0].ip().to_string());
        let number = number.and_then(|addr| addr.rsplit('.').next().map(str::to_owned));
        let server = number.unwrap_or_else(|| "pool".into());
        let what = match event {
            PoolEvent::Client {
                event: ClientEvent::Open { .. },
                ..
            } => return,
            PoolEvent::Added { .. } => "added".into(),
            PoolEvent::Removed { .. } => "removed".into(),
            PoolEvent::Client { event, .. } => line(event),
            PoolEvent::Unavailable { last_error, .. } => {
                format!("unavailable: {}", last_error.unwrap())
            }
            PoolEvent::Available { failed_calls, .. } => {
                format!("available, {failed_calls} failed")
            }
            other => format!("{other:?}"),
        };
        drop(told.send(format!("{server} {what}")));
    };
    (hook, Events { heard })
}

fn line(event: &ClientEvent<'_>) -> String {
    match event {
        ClientEvent::Up { connect_info, .. } => {
            assert!(connect_info.peer_addr().is_some());
            "up".into()
        }
        ClientEvent::Closed {
            end,
            reason,
            counts,
            lasted,
            ..
        } => {
            assert!(*lasted < Duration::from_secs(3600));
            let reason = reason.map(|reason| format!(" ({reason})"));
            format!(
                "{end}{}: {} calls, {} answered, {} late, {}/{} discarded, {} lost, {} unsent",
                reason.unwrap_or_default(),
                counts.calls,
                counts.replies,
                counts.late_replies,
                counts.discarded_requests,
                counts.requests + counts.discarded_requests,
                counts.lost_calls,
                counts.unsent_calls,
            )
        }
        ClientEvent::ConnectFailed {
            error,
            failures,
            next,
            ..
        } => format!("{error}, {failures} times, again: {}", next.is_some()),
        other => format!("{other:?}"),
    }
}

impl Events {
    #[track_caller]
    pub(super) fn next(&mut self) -> impl Future<Output = String> {
        let next = must(self.heard.recv());
        async move { must(next).await.unwrap() }
    }

    pub(super) async fn expect(&mut self, expected: &[&str]) {
        for line in expected {
            assert_eq!(self.next().await, *line);
        }
    }

    /// The next ones in any order.
    pub(super) async fn expect_all(&mut self, expected: &[&str]) {
        let mut heard = Vec::new();
        for _ in expected {
            heard.push(self.next().await);
        }
        heard.sort();
        assert_eq!(heard, expected);
    }
}

#[test]
fn hook_receives_associations_and_their_failed_calls() {
    run(async {
        let (place, mut listener) = Place::new();
        let (hook, mut events) = client_hook();
        let client = builder()
            .on_event(hook)
            .connect(place.connector())
            .await
            .unwrap();
        let mut server = must(Hand::accept(&mut listener)).await;
        events.expect(&["up"]).await;
        let answered = call(&client, "1");
        let (stream, text) = must(server.recv()).await;
        server.send(stream, text).await;
        assert_eq!(payload(answered).await, "1");
        let lost = [call(&client, "2"), call(&client, "3")];
        for _ in &lost {
            must(server.recv()).await;
        }
        server.abort("enough");
        for call in lost {
            failure(call).await;
        }
        let closed = "aborted by peer, reason \"enough\": 3 calls, 1 answered, 0 late, \
                      0/0 discarded, 2 lost, 0 unsent";
        events.expect(&[closed, "up"]).await;
        let _server = must(Hand::accept(&mut listener)).await;
        assert!(must(client.graceful_shutdown()).await.is_some());
        let closed = "shut down: 0 calls, 0 answered, 0 late, \
                      0/0 discarded, 0 lost, 0 unsent";
        events.expect(&[closed]).await;
    });
}

#[test]
fn hook_receives_failed_attempts_and_the_next_pause() {
    run(async {
        let (place, listener) = Place::new();
        drop(listener);
        let (hook, mut events) = client_hook();
        let builder = builder().on_event(hook);
        let error = must(builder.clone().connect(place.connector()))
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        // On the kernel with the address.
        let refused = error.to_string();
        assert!(refused.contains("association refused"), "{refused}");
        events
            .expect(&[&format!("{refused}, 1 times, again: false")])
            .await;
        let client = builder.connect_in_background(place.connector());
        for failures in 1..=3 {
            let expected = format!("{refused}, {failures} times, again: true");
            events.expect(&[&expected]).await;
        }
        let _listener = place.listen();
        while events.next().await != "up" {}
        drop(client);
        let end = events.next().await;
        assert!(end.starts_with("shut down: 0 calls"), "{end}");
    });
}

#[test]
fn reason_of_a_local_abort_is_reported() {
    run(async {
        let (place, mut listener) = Place::new();
        let (hook, mut events) = client_hook();
        let ends = Arc::new(Mutex::new(None));
        let end = Arc::clone(&ends);
        let backoff = Backoff::new(Duration::MAX, Duration::MAX);
        let client = builder()
            .with_config(config().with_backoff(backoff))
            .on_event(move |event| {
                if let ClientEvent::Closed { end: ended, .. } = event {
                    *end.lock().unwrap() = Some((*ended).clone());
                }
                hook(event);
            })
            .connect(place.connector())
            .await
            .unwrap();
        let server = must(Hand::accept(&mut listener)).await;
        server.send(5, "an answer to nothing").await;
        events.expect(&["up"]).await;
        let closed = events.next().await;
        assert!(closed.contains("(unexpected reply): 0 calls"), "{closed}");
        assert_aborted_here(ends.lock().unwrap().as_ref().unwrap());
        drop(client);
    });
}

#[test]
fn panicking_hook_has_no_effect() {
    run(async {
        let (place, listener) = Place::new();
        let _server = super::server::Server::start(listener);
        let client = Client::builder()
            .on_event(|event| panic!("as told: {event:?}"))
            .connect(place.connector())
            .await
            .unwrap();
        assert_eq!(answer(&client, "x").await, "x");
        assert!(must(client.graceful_shutdown()).await.unwrap().is_orderly());
    });
}

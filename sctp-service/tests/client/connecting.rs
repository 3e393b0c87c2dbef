//! Setting up associations, and again.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    Cause, Fate, IncomingAssociation, Message, Shutdown, Side,
    client::{Backoff, Client, ClientConfig, Connect, Reconnect},
    handler::handler_fn,
    testing::{InMemory, Peer, duplex},
};
use sctp_tokio::ConnectError;
use tokio::{sync::mpsc, time::Instant};
use tower::{Service, ServiceExt, service_fn};

use crate::{
    events::Heard,
    support::{assert_failed, call, failure, must, payload, settle},
};

/// Outcomes of the next attempts; after the last, attempts succeed.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<Attempt>>>);

#[derive(Clone, Copy)]
pub(crate) enum Attempt {
    Refused,
    Hangs,
}

/// A server that is connected to as the script says, and its peers as they come up.
pub(crate) struct Server {
    script: Script,
    pub(crate) peers: mpsc::UnboundedReceiver<(Peer, Instant)>,
}

pub(crate) fn server(
    attempts: impl IntoIterator<Item = Attempt>,
) -> (impl Connect<Transport = InMemory>, Server) {
    let script = Script::default();
    script.0.lock().unwrap().extend(attempts);
    let (up, peers) = mpsc::unbounded_channel();
    let attempts = script.clone();
    let connect = move || {
        let next = attempts.0.lock().unwrap().pop_front();
        let up = up.clone();
        async move {
            match next {
                None => {
                    let (transport, peer) = duplex();
                    up.send((peer, Instant::now())).unwrap();
                    Ok(transport)
                }
                Some(Attempt::Refused) => Err(ConnectError::Refused { peer: Vec::new() }),
                Some(Attempt::Hangs) => std::future::pending().await,
            }
        }
    };
    (connect, Server { script, peers })
}

impl Server {
    pub(crate) async fn peer(&mut self) -> Peer {
        must(self.peers.recv()).await.unwrap().0
    }

    pub(crate) fn then(&self, attempts: impl IntoIterator<Item = Attempt>) {
        self.script.0.lock().unwrap().extend(attempts);
    }
}

/// Answers the next call.
pub(crate) async fn answer(peer: &Peer, payload: &'static str) {
    let message = must(peer.recv()).await.unwrap();
    peer.send(Message::new(payload).on_stream(message.info.stream))
        .await;
}

#[tokio::test(start_paused = true)]
async fn eager_client_fails_with_its_first_attempt() {
    let (connect, _server) = server([Attempt::Refused]);
    let error = Client::builder().connect(connect).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }));
    let (connect, _server) = server([Attempt::Hangs]);
    let began = Instant::now();
    let error = Client::builder().connect(connect).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn lazy_client_connects_on_the_first_call() {
    let (connect, mut server) = server([]);
    let client = Client::builder().connect_lazily(connect);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.peers.try_recv().is_err());
    let one = call(&client, "x");
    let peer = server.peer().await;
    answer(&peer, "X").await;
    assert_eq!(payload(one).await, "X");
    peer.abort("enough");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.peers.try_recv().is_err());
    assert_eq!(client.last_end().unwrap().reason().unwrap(), "enough");
    let one = call(&client, "y");
    let peer = server.peer().await;
    answer(&peer, "Y").await;
    assert_eq!(payload(one).await, "Y");
}

#[tokio::test(start_paused = true)]
async fn association_that_ended_is_replaced_after_a_pause() {
    let (connect, mut server) = server([]);
    let client = Client::builder().connect(connect).await.unwrap();
    let first = server.peer().await;
    first.shutdown();
    settle().await;
    let error = must(client.request("too early")).await.unwrap_err();
    assert_failed(&error, "shut down by peer", Fate::NotSent);
    let second = server.peer().await;
    let one = call(&client, "x");
    answer(&second, "X").await;
    assert_eq!(payload(one).await, "X");
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_grow() {
    let (connect, mut server) = server([]);
    let config = ClientConfig::new()
        .with_backoff(Backoff::new(Duration::from_secs(1), Duration::from_secs(8)));
    let client = Client::builder()
        .with_config(config)
        .connect(connect)
        .await
        .unwrap();
    server.then([Attempt::Refused; 5]);
    let ended = Instant::now();
    server.peer().await.shutdown();
    let (peer, up) = must(server.peers.recv()).await.unwrap();
    // 1 + 2 + 4 + 8 + 8 + 8 seconds, each shortened by up to a half.
    let taken = (up - ended).as_secs_f64();
    assert!((15.4..=31.1).contains(&taken), "{taken}");
    // One that lived for long begins the row anew.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let ended = Instant::now();
    peer.shutdown();
    let (_, up) = must(server.peers.recv()).await.unwrap();
    assert!((up - ended).as_secs_f64() <= 1.01);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn calls_between_attempts_fail_or_wait_as_configured() {
    for wait in [false, true] {
        let (connect, mut server) = server([Attempt::Refused]);
        let config = ClientConfig::new().with_wait_for_connection(wait);
        let client = Client::builder()
            .with_config(config)
            .connect_in_background(connect);
        settle().await;
        let one = call(&client, "x");
        if wait {
            let peer = server.peer().await;
            answer(&peer, "X").await;
            assert_eq!(payload(one).await, "X");
        } else {
            let error = failure(one).await;
            let text = "no association: association refused";
            assert_failed(&error, text, Fate::NotSent);
            let Cause::NotConnected(source) = error.cause() else {
                panic!("{error}");
            };
            assert!(matches!(**source, ConnectError::Refused { .. }));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_attempt_times_out_and_is_repeated() {
    let (connect, mut server) = server([Attempt::Hangs]);
    let client = Client::builder().connect_lazily(connect);
    let began = Instant::now();
    let error = failure(call(&client, "x")).await;
    assert_eq!(began.elapsed().as_secs(), 10);
    let Cause::NotConnected(source) = error.cause() else {
        panic!("{error}");
    };
    assert!(matches!(**source, ConnectError::TimedOut { .. }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one = call(&client, "x");
    let peer = server.peer().await;
    answer(&peer, "X").await;
    assert_eq!(payload(one).await, "X");
}

#[tokio::test(start_paused = true)]
async fn reservation_of_an_ended_association_fails_or_waits() {
    let (connect, mut server) = server([]);
    let mut client = Client::builder().connect(connect).await.unwrap();
    client.ready().await.unwrap();
    server.peer().await.abort("gone");
    settle().await;
    let error = client.call("x".into()).await.unwrap_err();
    assert_failed(&error, "aborted by peer", Fate::NotSent);
    // Asked again, it waits for the next association or says so at once; it never hangs.
    let peer = server.peer().await;
    settle().await;
    let one = must(client.ready()).await.unwrap().call("y".into());
    answer(&peer, "Y").await;
    assert_eq!(one.await.unwrap().payload, "Y");
}

#[tokio::test(start_paused = true)]
async fn shutdown_at_any_moment_ends_the_client() {
    // Idle.
    let (connect, _server) = server([]);
    let client = Client::builder().connect_lazily(connect);
    assert_eq!(must(client.graceful_shutdown()).await, None);
    // While an attempt is under way, with a call that waits for it.
    let (connect, _server) = server([Attempt::Hangs]);
    let client = Client::builder().connect_in_background(connect);
    let one = call(&client, "x");
    settle().await;
    assert_eq!(must(client.graceful_shutdown()).await, None);
    assert_failed(&failure(one).await, "closed by this end", Fate::NotSent);
    // Between attempts.
    let (connect, _server) = server([Attempt::Refused]);
    let client = Client::builder().connect_in_background(connect);
    settle().await;
    assert_eq!(must(client.graceful_shutdown()).await, None);
    assert_failed(
        &must(client.request("x")).await.unwrap_err(),
        "closed by this end",
        Fate::NotSent,
    );
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_system_are_passed_on() {
    let connect =
        || async { Err::<InMemory, _>(ConnectError::Io(io::ErrorKind::OutOfMemory.into())) };
    let error = Client::builder().connect(connect).await.unwrap_err();
    assert!(matches!(error, ConnectError::Io(error) if error.kind() == io::ErrorKind::OutOfMemory));
}

#[tokio::test(start_paused = true)]
async fn client_reconnects_as_decided() {
    let (connect, mut server) = server([]);
    let client = Client::builder()
        .with_reconnect(|closed| {
            let reason = closed.end.and_then(|end| end.reason());
            match reason.as_deref() {
                Some(b"go away") => Reconnect::Never,
                Some(b"a bug") => panic!("as the test wants it"),
                _ => Reconnect::After(Duration::from_secs(60)),
            }
        })
        .connect(connect)
        .await
        .unwrap();
    let began = Instant::now();
    server.peer().await.abort("later");
    let second = server.peer().await;
    assert_eq!(began.elapsed().as_secs(), 60);
    second.abort("a bug");
    let third = server.peer().await;
    assert_eq!(began.elapsed().as_secs(), 60);
    third.abort("go away");
    let end = must(client.closed()).await.unwrap();
    assert_eq!(end.reason().unwrap(), "go away");
    let error = must(client.request("x")).await.unwrap_err();
    assert_failed(&error, "aborted by peer", Fate::NotSent);
}

#[tokio::test(start_paused = true)]
async fn lazy_client_with_a_handshake_connects_for_calls_alone() {
    let (connect, mut server) = server([]);
    let client = Client::builder()
        .serving(service_fn(async |mut incoming: IncomingAssociation| {
            incoming.recv().await;
            Ok::<_, Shutdown>(handler_fn(async |_: Bytes| {}))
        }))
        .connect_lazily(connect);
    let one = call(&client, "x");
    let peer = server.peer().await;
    settle().await;
    peer.send("hello").await;
    answer(&peer, "X").await;
    assert_eq!(payload(one).await, "X");
    peer.abort("enough");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.peers.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn reconnect_function_is_not_called_by_connect() {
    for is_refused_by_service in [false, true] {
        let attempts = (!is_refused_by_service).then_some(Attempt::Refused);
        let (connect, _server) = server(attempts);
        let asked = Heard::default();
        let hook = asked.clone();
        let builder = Client::builder()
            .serving(service_fn(async |incoming: IncomingAssociation| {
                let handler = handler_fn(async |_: Bytes| {});
                match incoming.initiated_by() {
                    Side::Local => Err(Shutdown::abort("not wanted")),
                    Side::Peer => Ok(handler),
                }
            }))
            .with_reconnect(move |closed| {
                hook.push(closed.cause.clone());
                Reconnect::After(closed.pause)
            });
        must(builder.connect(connect)).await.unwrap_err();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(asked.take().len(), 0);
    }
}

//! Servers that set associations up themselves.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_service::{
    Config, IncomingAssociation, PeerTable, ServerEvent, Shutdown, Side,
    client::{Backoff, Client, ClientEvent, Connect, Reconnect},
    handler::handler_fn,
    serve,
    testing::{Connector, InMemory, ScriptedListener},
};
use sctp_tokio::ConnectError;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};
use tower::service_fn;

use crate::{
    echo,
    support::{must, settle},
};

#[tokio::test(start_paused = true)]
async fn dialled_association_is_served_and_set_up_again() {
    let (_mine, listener) = (ScriptedListener::new(), ScriptedListener::new().0);
    let (mut far, network) = ScriptedListener::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, mut sides) = mpsc::unbounded_channel();
    let make = service_fn(move |incoming: IncomingAssociation| {
        tell.send(incoming.initiated_by()).unwrap();
        async { Ok::<_, Shutdown>(handler_fn(echo)) }
    });
    let server = serve(listener, make)
        .with_dial(network.connector())
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(server.into_future());
    for _ in 0..3 {
        let peer = must(far.accept_peer()).await.unwrap();
        peer.send("hello").await;
        peer.expect_message("hello").await;
        assert_eq!(sides.recv().await, Some(Side::Local));
        peer.abort("again");
    }
    let last = must(far.accept_peer()).await.unwrap();
    settle().await;
    stop.send(()).unwrap();
    last.expect_shutdown().await;
    must(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_dialled_peer_has_its_own_service() {
    let (mut first, to_first) = ScriptedListener::new();
    let (mut second, to_second) = ScriptedListener::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(None::<ScriptedListener>, echo)
        .with_dial(to_first.connector())
        .with_dial_service(to_second.connector(), async || "another")
        .with_graceful_shutdown(async { drop(stopped.await) });
    assert_eq!(server.local_addrs().unwrap(), []);
    let serving = tokio::spawn(server.into_future());
    let first = must(first.accept_peer()).await.unwrap();
    let second = must(second.accept_peer()).await.unwrap();
    for (peer, reply) in [(&first, "hello"), (&second, "another")] {
        peer.send("hello").await;
        peer.expect_message(reply).await;
    }
    stop.send(()).unwrap();
    first.expect_shutdown().await;
    second.expect_shutdown().await;
    must(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_reported_with_growing_pauses() {
    let (listener, _mine) = ScriptedListener::new();
    let (far, network) = ScriptedListener::new();
    drop(far);
    let failures = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&failures);
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
    let server = serve(listener, echo)
        .with_config(Config::new().with_backoff(backoff))
        .with_dial(network.connector())
        .on_event(move |event| {
            if let ServerEvent::ConnectFailed { failures, next, .. } = event {
                hook.lock().unwrap().push((*failures, *next));
            }
        });
    tokio::spawn(server.into_future());
    sleep(Duration::from_secs(30)).await;
    let failures = failures.lock().unwrap().clone();
    assert!(failures.len() > 6, "{failures:?}");
    for (index, (number, pause)) in failures.iter().enumerate() {
        assert_eq!(*number as usize, index + 1);
        let full = Duration::from_secs(1 << index.min(2));
        assert!(*pause >= full / 2 && *pause <= full, "{failures:?}");
    }
}

/// A peer that accepts and refuses the handshake is not dialled in a tight loop.
#[tokio::test(start_paused = true)]
async fn failed_handshake_counts_as_a_failed_attempt() {
    let (listener, _mine) = ScriptedListener::new();
    let (mut far, network) = ScriptedListener::new();
    let make = service_fn(
        async |mut incoming: IncomingAssociation| match incoming.recv().await {
            Some(_) => Ok(handler_fn(echo)),
            None => Err(Shutdown::AfterAck),
        },
    );
    let server = serve(listener, make).with_dial(network.connector());
    tokio::spawn(server.into_future());
    let begun = Instant::now();
    for _ in 0..10 {
        must(far.accept_peer()).await.unwrap().shutdown();
    }
    assert!(
        begun.elapsed() > Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn hanging_attempt_does_not_delay_a_drain() {
    let (listener, _mine) = ScriptedListener::new();
    let hangs = || std::future::pending::<Result<InMemory, ConnectError>>();
    let (tell, mut failed) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, echo)
        .with_dial(hangs)
        .on_event(move |event| {
            if let ServerEvent::ConnectFailed { error, .. } = event {
                tell.send(error.to_string()).unwrap();
            }
        })
        .with_graceful_shutdown(async { drop(stopped.await) });
    let begun = Instant::now();
    let serving = tokio::spawn(server.into_future());
    must(failed.recv()).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    stop.send(()).unwrap();
    must(serving).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// Connects only while there is no association with its peer.
struct Wanted {
    table: PeerTable<&'static str>,
    connector: Connector,
}

impl Connect for Wanted {
    type Transport = InMemory;

    async fn connect(&mut self) -> Result<InMemory, ConnectError> {
        self.connector.connect().await
    }

    async fn wanted(&mut self) {
        self.table.vacant(&"bob").await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dialled_while_the_peer_has_connected_itself() {
    let table = PeerTable::new();
    let (listener, mine) = ScriptedListener::new();
    let (mut far, network) = ScriptedListener::new();
    let claiming = table.clone();
    let make = service_fn(move |incoming: IncomingAssociation| {
        let claimed = claiming.claim("bob", &incoming).is_ok();
        async move {
            match claimed {
                true => Ok(handler_fn(echo)),
                false => Err(Shutdown::abort("claimed")),
            }
        }
    });
    let connect = Wanted {
        table: table.clone(),
        connector: network.connector(),
    };
    tokio::spawn(serve(listener, make).with_dial(connect).into_future());
    let dialled = must(far.accept_peer()).await.unwrap();
    let handle = must(table.wait_for(&"bob")).await;
    dialled.abort("gone");
    must(handle.closed()).await;
    let accepted = mine.connect().await.unwrap();
    must(table.wait_for(&"bob")).await;
    tokio::select! {
        _ = far.accept_peer() => panic!("a second association"),
        () = sleep(Duration::from_secs(60)) => {}
    }
    accepted.abort("gone");
    must(far.accept_peer()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dialled_associations_share_the_limit_and_the_executor() {
    #[derive(Clone, Default)]
    struct Counting(Arc<Mutex<u32>>);
    impl sctp_service::Executor for Counting {
        fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
            *self.0.lock().unwrap() += 1;
            tokio::spawn(task);
        }
    }
    let counting = Counting::default();
    let (listener, mine) = ScriptedListener::new();
    let (mut far, network) = ScriptedListener::new();
    let server = serve(listener, echo)
        .with_dial(network.connector())
        .with_executor(counting.clone())
        .with_config(Config::new().with_max_associations(1));
    tokio::spawn(server.into_future());
    let dialled = must(far.accept_peer()).await.unwrap();
    settle().await;
    let refused = mine.connect().await.unwrap();
    refused.expect_abort("too many associations").await;
    dialled.send("hello").await;
    dialled.expect_message("hello").await;
    // One each for the listener, the dialled peer and its association.
    assert_eq!(*counting.0.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn client_shakes_hands_and_connects_when_it_is_wanted() {
    let table = PeerTable::<&'static str>::new();
    let (mut far, network) = ScriptedListener::new();
    let claiming = table.clone();
    let (tell, mut sides) = mpsc::unbounded_channel();
    let make = service_fn(move |mut incoming: IncomingAssociation| {
        let (claiming, tell) = (claiming.clone(), tell.clone());
        async move {
            tell.send(incoming.initiated_by()).unwrap();
            claiming
                .claim("bob", &incoming)
                .map_err(|_| Shutdown::AfterAck)?;
            incoming.send("CER").await.map_err(|_| Shutdown::AfterAck)?;
            incoming.recv().await.ok_or(Shutdown::AfterAck)?;
            Ok::<_, Shutdown>(handler_fn(echo))
        }
    });
    let connect = Wanted {
        table: table.clone(),
        connector: network.connector(),
    };
    let client = Client::builder()
        .serving(make)
        .connect_in_background(connect);
    for _ in 0..2 {
        let peer = must(far.accept_peer()).await.unwrap();
        peer.expect_message("CER").await;
        assert!(table.get(&"bob").is_none());
        peer.send("CEA").await;
        must(table.wait_for(&"bob")).await;
        peer.send("a request").await;
        peer.expect_message("a request").await;
        assert_eq!(sides.recv().await, Some(Side::Local));
        peer.abort("again");
    }
    drop(client);
}

/// Panics in one place after the other, and then connects.
struct Fragile {
    attempts: u32,
    connector: Connector,
}

impl Connect for Fragile {
    type Transport = InMemory;

    fn connect(&mut self) -> impl Future<Output = Result<InMemory, ConnectError>> + Send {
        assert_ne!(self.attempts, 2, "before the future");
        async {
            assert_ne!(self.attempts, 3, "in connect");
            self.connector.connect().await
        }
    }

    async fn wanted(&mut self) {
        self.attempts += 1;
        assert_ne!(self.attempts, 1, "in wanted");
    }
}

#[tokio::test(start_paused = true)]
async fn connect_that_panics_counts_as_a_failed_attempt() {
    let (listener, _mine) = ScriptedListener::new();
    let (mut far, network) = ScriptedListener::new();
    let (tell, mut failed) = mpsc::unbounded_channel();
    let connect = Fragile {
        attempts: 0,
        connector: network.connector(),
    };
    let server = serve(listener, echo)
        .with_dial(connect)
        .on_event(move |event| {
            if let ServerEvent::ConnectFailed {
                error, failures, ..
            } = event
            {
                tell.send((*failures, error.to_string())).unwrap();
            }
        });
    tokio::spawn(server.into_future());
    for (number, place) in [
        (1, "in wanted"),
        (2, "before the future"),
        (3, "in connect"),
    ] {
        let (failures, error) = must(failed.recv()).await.unwrap();
        assert_eq!(failures, number);
        assert!(error.contains(place), "{error}");
    }
    let peer = must(far.accept_peer()).await.unwrap();
    peer.send("hello").await;
    peer.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn connect_of_a_client_that_panics_is_tried_again() {
    let (mut far, network) = ScriptedListener::new();
    let (tell, mut failed) = mpsc::unbounded_channel();
    let connect = Fragile {
        attempts: 0,
        connector: network.connector(),
    };
    let client = Client::builder()
        .on_event(move |event| {
            if let ClientEvent::ConnectFailed { failures, .. } = event {
                tell.send(*failures).unwrap();
            }
        })
        .connect_in_background(connect);
    for number in 1..4 {
        assert_eq!(must(failed.recv()).await, Some(number));
    }
    must(far.accept_peer()).await.unwrap();
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn panic_of_a_single_attempt_is_reported() {
    let (_far, network) = ScriptedListener::new();
    let connect = Fragile {
        attempts: 1,
        connector: network.connector(),
    };
    let error = must(Client::builder().connect(connect)).await.unwrap_err();
    assert!(error.to_string().contains("before the future"), "{error}");
}

/// A handshake that times out after as long a time as an association has to last.
#[tokio::test(start_paused = true)]
async fn handshakes_that_time_out_count_as_failed_attempts() {
    let (mut far, network) = ScriptedListener::new();
    let (tell, mut failed) = mpsc::unbounded_channel();
    let make = service_fn(async |_: IncomingAssociation| {
        std::future::pending::<()>().await;
        Ok::<_, Shutdown>(handler_fn(echo))
    });
    let client = Client::builder()
        .serving(make)
        .with_reconnect(move |closed| {
            tell.send(closed.failures).unwrap();
            Reconnect::After(closed.pause)
        })
        .connect_in_background(network.connector());
    for number in 1..4 {
        let _peer = must(far.accept_peer()).await.unwrap();
        assert_eq!(must(failed.recv()).await, Some(number));
    }
    drop(client);
}

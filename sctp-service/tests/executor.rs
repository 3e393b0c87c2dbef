//! Executors, which spawn every task.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    future::{Future, IntoFuture, ready},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    EndpointListener, Executor,
    client::{Client, pool::Pool},
    serve,
    testing::{InMemory, ScriptedListener, duplex},
};
use sctp_tokio::{ConnectError, Endpoint};
use support::{must, settle};
use tokio::sync::{mpsc, watch};

/// Counts the tasks.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Executor for Counting {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(task);
    }
}

impl Counting {
    /// Asserts that this many tasks were spawned, and that the runtime has no others but those of the
    /// test itself.
    #[track_caller]
    fn assert_all(&self, tasks: usize, of_test: usize) {
        assert_eq!(self.0.load(Ordering::Relaxed), tasks);
        let alive = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        assert_eq!(alive, tasks + of_test);
    }
}

fn refused() -> impl Future<Output = Result<InMemory, ConnectError>> {
    ready(Err(ConnectError::Refused { peer: Vec::new() }))
}

#[tokio::test(start_paused = true)]
async fn executor_spawns_every_task_of_a_server() {
    let counting = Counting::default();
    // Chosen at run time.
    let executor: Box<dyn Executor> = Box::new(counting.clone());
    let (listener, network) = ScriptedListener::new();
    let (second, other_network) = network.another();
    let server = serve(listener, async |payload: Bytes| payload)
        .with_listener(second)
        .with_dial(refused)
        .with_executor(executor);
    tokio::spawn(server.into_future());
    let mut peers = Vec::new();
    for network in [&network, &other_network, &network] {
        let peer = must(network.connect()).await.unwrap();
        peer.send("hello").await;
        peer.expect_message("hello").await;
        peers.push(peer);
    }
    counting.assert_all(3 + 3, 1);
}

#[tokio::test(start_paused = true)]
async fn executor_spawns_every_task_of_a_client() {
    let counting = Counting::default();
    let (up, mut peers) = mpsc::unbounded_channel();
    let connect = move || {
        let (transport, peer) = duplex();
        up.send(peer).unwrap();
        ready(Ok(transport))
    };
    let client = Client::builder()
        .with_executor(counting.clone())
        .serving(async |_: Bytes| std::future::pending::<()>().await)
        .connect(connect);
    let _client = must(client).await.unwrap();
    let peer = must(peers.recv()).await.unwrap();
    counting.assert_all(1, 0);
    // The service does not finish this request before the next association is up.
    peer.send("hello").await;
    settle().await;
    peer.shutdown();
    let _next = must(peers.recv()).await.unwrap();
    settle().await;
    counting.assert_all(2, 0);
}

#[tokio::test(start_paused = true)]
async fn executor_spawns_every_task_of_a_pool() {
    let of_pool = Counting::default();
    let server = std::net::SocketAddr::from(([192, 0, 2, 1], 9877));
    let (_list, servers) = watch::channel(vec![server.into()]);
    let pool = Pool::builder()
        .with_executor(of_pool.clone())
        .watch_with(servers, |_, client| client.connect_in_background(refused));
    // The list, the queue, and the client.
    of_pool.assert_all(3, 0);
    drop(pool);
    settle().await;

    let (of_pool, of_clients) = (Counting::default(), Counting::default());
    let lookup = || ready(Ok::<_, io::Error>(vec![([192, 0, 2, 1], 9877).into()]));
    let pool = Pool::builder()
        .with_client(Client::builder().with_executor(of_clients.clone()))
        .with_executor(of_pool.clone())
        .resolve(lookup, Duration::from_secs(10));
    let _pool = must(pool).await.unwrap();
    assert_eq!(of_clients.0.load(Ordering::Relaxed), 1);
    // The lookup, the list, and the queue; and the client, which has an executor of its own.
    of_pool.assert_all(3, 1);
}

#[tokio::test]
async fn executor_spawns_the_task_that_reads_an_endpoint() {
    let counting = Counting::default();
    let endpoint = must(Endpoint::bind("127.0.0.1:0")).await.unwrap();
    let _listener = EndpointListener::with_executor(endpoint, counting.clone());
    counting.assert_all(1, 0);
}

#[tokio::test(start_paused = true)]
async fn dropped_server_closes_its_listeners() {
    let (listener, network) = ScriptedListener::new();
    let server = tokio::spawn(serve(listener, async |payload: Bytes| payload).into_future());
    let peer = must(network.connect()).await.unwrap();
    server.abort();
    peer.expect_shutdown().await;
    assert!(must(network.connect()).await.is_err());
}

//! A server that shuts down.

mod support;

use std::{
    future::ready,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    Config, Listener, Reply, ServerEvent, serve,
    testing::{InMemory, Network, ScriptedListener, duplex},
};
use support::{Server, flood, must, on, settle};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

async fn slow_echo(payload: Bytes) -> Bytes {
    sleep(Duration::from_secs(2)).await;
    payload
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_finish_and_their_replies_arrive() {
    let mut server = Server::new(slow_echo);
    let peer = server.connect().await;
    peer.send("hello").await;
    settle().await;
    server.stop();
    peer.expect_message("hello").await;
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn idle_associations_are_shut_down_at_once() {
    let mut server = Server::new(slow_echo);
    let peers = [server.connect().await, server.connect().await];
    settle().await;
    let begin = Instant::now();
    server.stop();
    for peer in &peers {
        peer.expect_shutdown().await;
    }
    must(server.stopped()).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn new_peers_are_refused() {
    let mut server = Server::new(slow_echo);
    let peer = server.connect().await;
    peer.send("hello").await;
    settle().await;
    server.stop();
    settle().await;
    let refused = server.network.connect().await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    peer.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn unaccepted_association_is_shut_down_in_order() {
    let mut server = Server::new(slow_echo);
    server.stop();
    let peer = server.connect().await;
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

/// Starts a server that is to shut down at once, and returns how many associations it saw.
async fn serve_waiting(listener: impl Listener) -> usize {
    let seen = Arc::new(AtomicUsize::new(0));
    let up = Arc::clone(&seen);
    serve(listener, slow_echo)
        .on_event(move |event| {
            up.fetch_add(
                usize::from(matches!(event, ServerEvent::Up { .. })),
                Relaxed,
            );
        })
        .with_graceful_shutdown(ready(()))
        .await;
    seen.load(Relaxed)
}

/// More than one task may accept in its turn.
#[tokio::test(start_paused = true)]
async fn all_waiting_associations_are_shut_down_in_order() {
    let (listener, network) = ScriptedListener::new();
    let mut peers = Vec::new();
    for _ in 0..500 {
        peers.push(network.connect().await.unwrap());
    }
    assert_eq!(serve_waiting(listener).await, 500);
    for peer in peers {
        peer.expect_shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_associations_behind_errors_are_shut_down_in_order() {
    async fn fail(network: &Network, error: io::Error) {
        network.fail_accept(error).await;
    }
    let (listener, network) = ScriptedListener::new();
    for _ in 0..100 {
        fail(&network, io::ErrorKind::ConnectionAborted.into()).await;
    }
    let first = network.connect().await.unwrap();
    fail(&network, io::ErrorKind::OutOfMemory.into()).await;
    let second = network.connect().await.unwrap();
    assert_eq!(serve_waiting(listener).await, 2);
    first.expect_shutdown().await;
    second.expect_shutdown().await;
}

/// Endless behavior of a custom listener.
#[derive(Clone, Copy)]
enum Always {
    Fails(io::ErrorKind),
    Yields,
}

struct Endless {
    does: Always,
    accepts: Arc<AtomicUsize>,
}

impl Listener for Endless {
    type Transport = InMemory;

    async fn accept(&mut self) -> io::Result<InMemory> {
        // As a task that spins: the clock of the test stands still until it waits.
        if self.accepts.fetch_add(1, Relaxed) > 20_000 {
            sleep(Duration::from_secs(3600)).await;
        }
        yield_now().await;
        match self.does {
            Always::Fails(kind) => Err(kind.into()),
            Always::Yields => {
                sleep(Duration::from_millis(10)).await;
                Ok(duplex().0)
            }
        }
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<InMemory>> {
        Some(must(self.accept()).await)
    }
}

fn endless(does: Always) -> (Endless, Arc<AtomicUsize>) {
    let accepts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepts);
    (Endless { does, accepts }, counted)
}

#[tokio::test(start_paused = true)]
async fn accepting_waiting_associations_ends_with_the_drain_timeout() {
    for does in [
        Always::Yields,
        Always::Fails(io::ErrorKind::Other),
        Always::Fails(io::ErrorKind::ConnectionReset),
    ] {
        let begin = Instant::now();
        serve_waiting(endless(does).0).await;
        assert_eq!(begin.elapsed().as_secs(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_associations_in_a_row_make_accepting_pause() {
    let (listener, accepts) = endless(Always::Fails(io::ErrorKind::ConnectionRefused));
    serve(listener, slow_echo)
        .with_graceful_shutdown(sleep(Duration::from_secs(1)))
        .with_drain_timeout(Duration::ZERO)
        .await;
    assert!(
        (6_000..7_000).contains(&accepts.load(Relaxed)),
        "{accepts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_after_the_signal_are_not_served() {
    let mut server = Server::new(slow_echo);
    let peer = server.connect().await;
    peer.send(on(1, "early")).await;
    settle().await;
    server.stop();
    // All that has arrived is read by then.
    sleep(Duration::from_millis(10)).await;
    peer.send(on(2, "late")).await;
    peer.expect_message("early").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn associations_left_after_drain_timeout_are_aborted() {
    let mut server = Server::with(
        async |_: Bytes| std::future::pending::<()>().await,
        |server| server.with_drain_timeout(Duration::from_secs(5)),
    );
    let (hanging, idle) = (server.connect().await, server.connect().await);
    hanging.send("hang").await;
    settle().await;
    let begin = Instant::now();
    server.stop();
    idle.expect_shutdown().await;
    hanging.expect_abort("drain timed out").await;
    assert_eq!(begin.elapsed().as_secs(), 5);
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn endless_reply_stream_ends_with_the_drain_timeout() {
    let mut server = Server::new(async |_: Bytes| {
        let (sender, reply) = Reply::channel(1);
        tokio::spawn(async move {
            while sender.send("tick").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        reply
    });
    let peer = server.connect().await;
    peer.send("subscribe").await;
    peer.expect_message("tick").await;
    server.stop();
    while let Some(message) = must(peer.recv()).await {
        assert_eq!(message.payload, "tick");
    }
    peer.expect_abort("drain timed out").await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_data_does_not_delay_the_stop() {
    let mut server = Server::new(slow_echo);
    let peer = server.connect().await;
    peer.hold_acks();
    settle().await;
    server.stop();
    peer.expect_abort("shutdown timed out").await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn server_that_is_dropped_shuts_its_associations_down() {
    use std::future::IntoFuture;
    let (listener, network) = ScriptedListener::new();
    let server = tokio::spawn(serve(listener, slow_echo).into_future());
    let peer = network.connect().await.unwrap();
    settle().await;
    server.abort();
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn accepting_resumes_after_descriptors_run_out() {
    let server = Server::new(async |payload: Bytes| payload);
    let begin = Instant::now();
    server
        .network
        .fail_accept(io::Error::from_raw_os_error(sctp_core::errno::EMFILE))
        .await;
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    assert_eq!(begin.elapsed().as_secs(), 1);
    server.log.assert_has("accept failed: Too many open files");
}

#[tokio::test(start_paused = true)]
async fn lost_association_does_not_make_accepting_pause() {
    let server = Server::new(async |payload: Bytes| payload);
    let begin = Instant::now();
    server
        .network
        .fail_accept(io::ErrorKind::ConnectionAborted.into())
        .await;
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_message("hello").await;
    assert_eq!(begin.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn association_beyond_the_limit_is_aborted() {
    let server = Server::with_config(
        Config::new().with_max_associations(1),
        async |payload: Bytes| payload,
    );
    let first = server.connect().await;
    let second = server.connect().await;
    second.expect_abort("too many associations").await;
    server.log.assert_has("refused");
    first.shutdown();
    first.expect_shutdown().await;
    settle().await;
    let third = server.connect().await;
    third.send("hello").await;
    third.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn several_listeners_share_one_service() {
    use std::future::IntoFuture;
    let ((one, first), (two, second)) = (ScriptedListener::new(), ScriptedListener::new());
    let server = serve(one, async |payload: Bytes| payload).with_listener(two);
    assert_eq!(server.local_addrs().unwrap().len(), 2);
    tokio::spawn(server.into_future());
    for network in [first, second] {
        let peer = network.connect().await.unwrap();
        peer.send("hello").await;
        peer.expect_message("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_association_is_shut_down_unlike_a_busy_one() {
    let config = Config::new().with_idle_timeout(Duration::from_secs(5));
    let server = Server::with_config(config, async |payload: Bytes| {
        sleep(Duration::from_secs(7)).await;
        payload
    });
    let begin = Instant::now();
    let (idle, busy) = (server.connect().await, server.connect().await);
    busy.send("hello").await;
    idle.expect_shutdown().await;
    assert_eq!(begin.elapsed().as_secs(), 5);
    busy.expect_message("hello").await;
    busy.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_have_arrived_are_served() {
    let (note, mut served) = tokio::sync::mpsc::unbounded_channel();
    let mut server = Server::new(async move |payload: Bytes| {
        sleep(Duration::from_millis(10)).await;
        note.send(payload).unwrap();
    });
    let peer = server.connect().await;
    for number in 0..500 {
        peer.send(number.to_string()).await;
    }
    settle().await;
    server.stop();
    for number in 0..500 {
        assert_eq!(served.recv().await.unwrap(), number.to_string());
    }
    peer.expect_shutdown().await;
    assert!(server.log.closed().contains("discarded_requests: 0"));
    server.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn requests_of_an_association_not_yet_accepted_are_served() {
    let mut server = Server::new(slow_echo);
    server.stop();
    let peer = server.connect().await;
    for stream in 0..100 {
        assert!(peer.try_send(on(stream, "hello")));
    }
    for _ in 0..100 {
        peer.expect_message("hello").await;
    }
    peer.expect_shutdown().await;
    server.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_pauses_is_shut_down_in_order() {
    let mut server = Server::with(
        async |_: Bytes| sleep(Duration::from_millis(1)).await,
        |server| server.with_drain_timeout(Duration::from_millis(400)),
    );
    let peer = server.connect().await;
    server.stop();
    let begin = Instant::now();
    let read = async { while peer.recv().await.is_some() {} };
    tokio::select! {
        () = flood(&peer) => {}
        () = read => {}
    }
    peer.expect_shutdown().await;
    assert!((200..400).contains(&begin.elapsed().as_millis()));
}

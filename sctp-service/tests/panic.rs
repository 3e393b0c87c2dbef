//! Services that panic end their own association, and nothing else.

mod support;

use std::{
    convert::Infallible,
    future::{Future, IntoFuture, Ready, ready},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AssociationHandle, Correlation, Correlator, Executor, Fate, Identity, IncomingAssociation,
    Listener, Message, Received, Reply, Request, Shutdown, Waiting,
    handler::handler_fn,
    serve,
    testing::{InMemory, ScriptedListener},
};
use support::{Server, must, on, settle};
use tokio::sync::mpsc;
use tower::{Service, service_fn};

/// Panics where its request tells it to.
#[derive(Clone, Default)]
struct Fragile {
    panics_when_ready: bool,
}

impl Service<Request> for Fragile {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        assert!(!self.panics_when_ready, "in poll_ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match &request.payload()[..] {
            b"ready" => self.panics_when_ready = true,
            b"call" => panic!("in call"),
            _ => {}
        }
        ready(Ok(Reply::new(request.into_payload())))
    }
}

#[tokio::test(start_paused = true)]
async fn panic_in_call_or_poll_ready_aborts() {
    let server = Server::new(Fragile::default());
    let (one, two, other) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    one.send("call").await;
    one.expect_abort("internal error").await;
    server.log.assert_has("panicked: in call");
    two.send("ready").await;
    two.send("again").await;
    must(two.closed()).await;
    server.log.assert_has("panicked: in poll_ready");
    // It was read, and never reached the service.
    settle().await;
    let counts = server.log.closed();
    assert!(counts.contains("{ requests: 2, "), "{counts}");
    assert!(counts.contains(" discarded_requests: 1, "), "{counts}");
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_handler_drops_requests_in_flight() {
    let server = Server::new(async |payload: Bytes| {
        tokio::task::yield_now().await;
        assert_ne!(payload, "boom", "a handler of {} bytes", payload.len());
        std::future::pending::<()>().await;
    });
    let peer = server.connect().await;
    peer.send(on(1, "hang")).await;
    peer.send(on(2, "boom")).await;
    peer.expect_abort("internal error").await;
    settle().await;
    assert!(
        server.log.closed().contains("dropped_calls: 2"),
        "{}",
        server.log.closed()
    );
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_reply_stream_aborts() {
    let server = Server::new(async || {
        Reply::stream(futures::stream::poll_fn(|_| -> Poll<Option<Bytes>> {
            panic!("in a stream")
        }))
    });
    let peer = server.connect().await;
    peer.send("go").await;
    peer.expect_abort("internal error").await;
    server.log.assert_has("panicked: in a stream");
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_destructor_of_a_call_aborts() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let mut server = Server::new(async |payload: Bytes| {
        if payload == "quit" {
            return Shutdown::AfterAck;
        }
        let _bomb = Bomb;
        std::future::pending().await
    });
    let peer = server.connect().await;
    peer.send(on(1, "hang")).await;
    settle().await;
    peer.send(on(2, "quit")).await;
    peer.expect_shutdown().await;
    settle().await;
    server.log.assert_has("panicked: in a destructor");
    server.stop();
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_an_event_hook_is_ignored() {
    let (listener, network) = ScriptedListener::new();
    let server =
        serve(listener, async |payload: Bytes| payload).on_event(|event| panic!("at {event:?}"));
    tokio::spawn(server.into_future());
    let peer = network.connect().await.unwrap();
    peer.send("hello").await;
    peer.expect_message("hello").await;
}

/// Panics in the clone that a counter comes to zero for.
struct Brittle(Arc<AtomicUsize>);

impl Brittle {
    fn breaking_at(clone: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(clone)))
    }
}

impl Clone for Brittle {
    fn clone(&self) -> Self {
        assert!(self.0.fetch_sub(1, Relaxed) != 1, "in clone");
        Self(Arc::clone(&self.0))
    }
}

impl Service<Request> for Brittle {
    type Response = Bytes;
    type Error = Infallible;
    type Future = Ready<Result<Bytes, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ready(Ok(request.into_payload()))
    }
}

#[tokio::test(start_paused = true)]
async fn panic_in_clone_of_the_service_aborts() {
    // Whichever clone it is: of the server, of an association, of a restart.
    for clone in 2..8 {
        let server = Server::new(Brittle::breaking_at(clone));
        let mut aborted = 0;
        for _ in 0..6 {
            let peer = server.connect().await;
            for restarts in [false, true] {
                if restarts {
                    peer.restart();
                }
                assert!(peer.try_send("hello"));
                match must(peer.recv()).await {
                    Some(reply) => assert_eq!(reply.payload, "hello"),
                    None => {
                        peer.expect_abort("internal error").await;
                        aborted += 1;
                        break;
                    }
                }
            }
        }
        assert_eq!(aborted, 1, "clone {clone}");
        settle().await;
        server.log.assert_has("panicked: in clone");
    }
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_make_service_aborts() {
    let server = Server::new(service_fn(|incoming: IncomingAssociation| {
        let number = incoming.connect_info.assoc().get();
        assert_ne!(number, 3, "before its future");
        async move {
            assert_ne!(number, 4, "in its future");
            Ok::<_, Shutdown>(handler_fn(async |payload: Bytes| payload))
        }
    }));
    for place in ["before its future", "in its future"] {
        let peer = server.connect().await;
        peer.expect_abort("internal error").await;
        settle().await;
        let panics = server.log.lines();
        assert!(panics.iter().any(|line| line.contains(place)), "{panics:?}");
    }
    let other = server.connect().await;
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_executor_is_contained() {
    #[derive(Default)]
    struct Overloaded(AtomicUsize);
    impl Executor for Overloaded {
        fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
            // The first task is that of the listener.
            assert_ne!(self.0.fetch_add(1, Relaxed), 1, "in the executor");
            tokio::spawn(task);
        }
    }
    let (listener, network) = ScriptedListener::new();
    let server = serve(listener, async |payload: Bytes| payload);
    tokio::spawn(server.with_executor(Overloaded::default()).into_future());
    let lost = network.connect().await.unwrap();
    must(lost.closed()).await;
    let other = network.connect().await.unwrap();
    other.send("hello").await;
    other.expect_message("hello").await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_listener_is_contained() {
    struct Fragile(ScriptedListener, bool);
    impl Listener for Fragile {
        type Transport = InMemory;

        async fn accept(&mut self) -> std::io::Result<InMemory> {
            if !std::mem::replace(&mut self.1, true) {
                panic!("in accept");
            }
            must(self.0.accept()).await
        }

        fn local_addrs(&self) -> std::io::Result<Vec<SocketAddr>> {
            self.0.local_addrs()
        }

        fn stop_listening(&mut self) -> std::io::Result<()> {
            self.0.stop_listening()
        }
    }
    let (listener, network) = ScriptedListener::new();
    tokio::spawn(serve(Fragile(listener, false), async |payload: Bytes| payload).into_future());
    let peer = network.connect().await.unwrap();
    peer.send("hello").await;
    peer.expect_message("hello").await;
}

/// Panics where the text of a call tells it to.
struct Touchy;

impl Correlator for Touchy {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        assert!(message.payload != "boom", "in stamp");
        Ok(number)
    }

    fn identify(&mut self, _: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        Identity::Request
    }
}

#[tokio::test(start_paused = true)]
async fn panic_in_stamp_of_a_correlator_aborts() {
    let (tell, mut handles) = mpsc::channel(1);
    let handler = async move |peer: AssociationHandle| tell.send(peer).await.unwrap();
    let server = Server::with(handler, |server| {
        server.with_correlation(Correlation::by_key(|_| Touchy))
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    let handle = must(handles.recv()).await.unwrap();
    for request in ["before", "boom", "behind"] {
        let handle = handle.clone();
        tokio::spawn(async move { handle.request(request).await });
    }
    let error = must(handle.request("last")).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent);
    peer.expect_abort("internal error").await;
    settle().await;
    server.log.assert_has("panicked: in stamp");
}

/// A call that the session takes when the end has begun already.
#[tokio::test(start_paused = true)]
async fn panic_in_stamp_of_a_late_call_is_contained() {
    for end in [Shutdown::AfterAck, Shutdown::abort("no")] {
        let make = service_fn(move |incoming: IncomingAssociation| {
            let end = end.clone();
            async move {
                let mut asking = Box::pin(async move { incoming.request("boom").await });
                assert!((&mut asking).now_or_never().is_none());
                tokio::spawn(asking);
                Err::<Fragile, _>(end)
            }
        });
        let server = Server::with(make, |server| {
            server.with_correlation(Correlation::by_key(|_| Touchy))
        });
        let peer = server.connect().await;
        must(peer.closed()).await;
        settle().await;
        let closed = server.log.closed();
        assert!(closed.contains("unsent_calls: 1"), "{closed}");
    }
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_factory_of_correlators_aborts() {
    let server = Server::with(Fragile::default(), |server| {
        server.with_correlation(Correlation::by_key(|_| -> Touchy {
            panic!("in the factory")
        }))
    });
    let peer = server.connect().await;
    peer.expect_abort("internal error").await;
    settle().await;
    server.log.assert_has("panicked: in the factory");
    assert!(!server.log.closed().is_empty());
}

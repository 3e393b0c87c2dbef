//! Fate of accepted messages when something else happens.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::channel,
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures::FutureExt;
use sctp_service::{
    AssociationHandle, Config, IncomingAssociation, Payload, SendError, ServerEvent, Shutdown,
    handler::handler_fn,
    serve_association,
    testing::{Duplex, Peer, duplex},
};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

use crate::{
    Handles,
    support::{Server, must, on, settle},
};

fn config() -> Config {
    Config::new()
        .with_outbound_queue(2)
        .with_outbound_queue_bytes(1_000)
}

/// A peer that holds one message unread, and two that were pushed wait behind it.
async fn stuck(config: Config) -> (Handles, Peer, AssociationHandle) {
    let mut server = Handles::new(config);
    let narrow = Duplex::new().with_capacity(1);
    let peer = server.server.network.connect_with(narrow).await.unwrap();
    let handle = server.ask(&peer).await;
    for text in ["first", "second", "third"] {
        must(handle.send(text)).await.unwrap();
        settle().await;
    }
    (server, peer, handle)
}

#[track_caller]
fn assert_closed(server: &Server, counts: &str) {
    let closed = server.log.closed();
    assert!(closed.contains(counts), "{closed}");
}

fn is_shutting_down(result: &Result<(), SendError>) -> bool {
    matches!(result, Err(SendError::ShuttingDown))
}

#[tokio::test(start_paused = true)]
async fn draining_server_sends_accepted_messages() {
    let (mut server, peer, handle) = stuck(config()).await;
    let mut waiting = Box::pin(handle.send("fourth"));
    assert!((&mut waiting).now_or_never().is_none());
    server.server.stop();
    assert!(is_shutting_down(&must(waiting).await));
    assert!(is_shutting_down(
        &handle.try_send("late").map_err(SendError::from)
    ));
    for expected in ["first", "second", "third"] {
        peer.expect_message(expected).await;
    }
    peer.expect_shutdown().await;
    assert_closed(&server.server, "sends: 3, discarded_sends: 0");
}

#[tokio::test(start_paused = true)]
async fn panic_discards_accepted_messages() {
    let server = Server::with_config(config(), async |peer: AssociationHandle| {
        for text in ["first", "second", "third"] {
            must(peer.send(text)).await.unwrap();
            settle().await;
        }
        assert!(peer.is_closed(), "a handler's own mistake");
        "never sent"
    });
    let narrow = Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(narrow).await.unwrap();
    peer.send("hello").await;
    sleep(Duration::from_secs(1)).await;
    peer.expect_message("first").await;
    peer.expect_abort("internal error").await;
    assert_closed(&server, "sends: 3, discarded_sends: 2");
}

/// It is refused when its turn comes.
#[tokio::test(start_paused = true)]
async fn reply_that_cannot_be_sent_discards_those_behind_it() {
    let server = Server::with_config(config(), async |peer: AssociationHandle| {
        for text in ["first", "second"] {
            must(peer.send(text)).await.unwrap();
            settle().await;
        }
        tokio::spawn(async move {
            settle().await;
            must(peer.send("behind it")).await.unwrap();
        });
        on(60_000, "on no stream")
    });
    let narrow = Duplex::new().with_capacity(1);
    let peer = server.network.connect_with(narrow).await.unwrap();
    peer.send("hello").await;
    sleep(Duration::from_secs(1)).await;
    peer.expect_message("first").await;
    peer.expect_message("second").await;
    peer.expect_abort("no stream to reply on").await;
    assert_closed(&server, "sends: 3, discarded_sends: 1");
}

#[tokio::test(start_paused = true)]
async fn accepted_messages_do_not_prevent_idleness() {
    let idle = Duration::from_secs(5);
    let (server, peer, handle) = stuck(config().with_idle_timeout(idle)).await;
    let end = timeout(Duration::from_secs(60), handle.closed());
    assert!(end.await.is_ok(), "{:?}", server.server.log.lines());
    peer.expect_message("first").await;
    peer.expect_abort("shutdown timed out").await;
    assert_closed(&server.server, "discarded_sends: 2");
}

#[tokio::test(start_paused = true)]
async fn full_queue_does_not_hide_the_end() {
    async fn push_on(peer: &AssociationHandle) {
        while must(peer.send("more")).await.is_ok() {}
    }
    let ends: [fn(&Peer, &mut Server); 4] = [
        |peer, _| peer.abort("goodbye"),
        |peer, _| peer.lose(),
        |peer, _| peer.shutdown(),
        |_, server| server.stop(),
    ];
    for end in ends {
        let handler = async |peer: AssociationHandle| {
            push_on(&peer).await;
            "done"
        };
        let make = tower::service_fn(async |incoming: IncomingAssociation| {
            while must(incoming.send("more")).await.is_ok() {}
            Ok::<_, Shutdown>(handler_fn(async |payload: Payload| payload))
        });
        // Requests that wait for the call keep the server from reading.
        let config = config().with_max_in_flight(1);
        let servers = [
            Server::with_config(config.clone(), handler),
            Server::with_config(config, make),
        ];
        for mut server in servers {
            let narrow = Duplex::new().with_capacity(2);
            let peer = server.network.connect_with(narrow).await.unwrap();
            for stream in 0..2 {
                peer.send(on(stream, "go")).await;
            }
            settle().await;
            end(&peer, &mut server);
            sleep(Duration::from_secs(60)).await;
            assert_closed(&server, "sends: 4, discarded_sends: 2");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn restart_does_not_undo_an_end_that_was_begun() {
    let (transport, peer) = duplex();
    let (tell, handles) = channel();
    let anew = Arc::new(Mutex::new(None));
    let hook = Arc::clone(&anew);
    let serving =
        serve_association(transport, async |payload: Payload| payload).on_event(move |event| {
            match event {
                ServerEvent::Up { association, .. } => tell.send((*association).clone()).unwrap(),
                ServerEvent::Restarted { association, .. } => {
                    let result = association.try_send("hello again").map_err(SendError::from);
                    *hook.lock().unwrap() = Some((result, association.is_closed()));
                }
                _ => {}
            }
        });
    let serving = tokio::spawn(serving.into_future());
    settle().await;
    peer.hold_acks();
    let handle = handles.recv().unwrap();
    handle.shutdown(Shutdown::AfterAck).unwrap();
    settle().await;
    peer.restart();
    settle().await;
    let (result, closed) = anew.lock().unwrap().take().unwrap();
    assert!(is_shutting_down(&result), "{result:?}");
    assert!(closed);
    peer.release_acks();
    peer.expect_shutdown().await;
    must(serving).await.unwrap();
}

/// Uses the handle at the moment at which it is woken.
struct Curious {
    handle: AssociationHandle,
    found_it_closed: AtomicBool,
}

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        self.found_it_closed.store(self.handle.is_closed(), Relaxed);
    }
}

#[test]
fn waiters_are_woken_without_a_lock() {
    let scenario = async {
        let (_server, _peer, handle) = stuck(config()).await;
        let curious = Arc::new(Curious {
            handle: handle.clone(),
            found_it_closed: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&curious));
        let mut waiting = Box::pin(handle.send("fourth"));
        let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        handle.shutdown(Shutdown::AfterAck).unwrap();
        assert!(curious.found_it_closed.load(Relaxed));
        assert!(is_shutting_down(&must(waiting).await));
    };
    // In a thread of its own: a lock that is held would hold it, and not the test.
    let (tell, done) = channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scenario);
        tell.send(()).unwrap();
    });
    done.recv_timeout(Duration::from_secs(60)).unwrap();
}

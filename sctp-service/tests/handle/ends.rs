//! Handles, and the messages they accepted, when an association ends.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AbortReason, AssociationHandle, Config, End, IncomingAssociation, Payload, SendError,
    ServerEvent, Shutdown, Side, serve,
    testing::{Duplex, Peer, ScriptedListener, duplex},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    Handles, heard,
    support::{Server, must, on, settle},
};

/// A peer that holds one message unread, which is the first of three that were pushed.
pub(crate) async fn stuck() -> (Handles, Peer, AssociationHandle) {
    let mut server = Handles::new(
        Config::new()
            .with_outbound_queue(2)
            .with_outbound_queue_bytes(1_000),
    );
    let settings = Duplex::new().with_capacity(1);
    let peer = server.server.network.connect_with(settings).await.unwrap();
    let handle = server.ask(&peer).await;
    for text in ["first", "second", "third"] {
        must(handle.send(text)).await.unwrap();
        settle().await;
    }
    (server, peer, handle)
}

fn is_shutting_down(result: &Result<(), SendError>) -> bool {
    matches!(result, Err(SendError::ShuttingDown))
}

fn counts(server: &Handles) -> (u32, u32) {
    let line = server.server.log.closed();
    let count = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}: ")).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    (count("sends"), count("discarded_sends"))
}

#[tokio::test(start_paused = true)]
async fn orderly_shutdown_sends_accepted_messages_first() {
    let (server, peer, handle) = stuck().await;
    handle.shutdown(Shutdown::AfterAck).unwrap();
    assert!(is_shutting_down(
        &handle.try_send("late").map_err(SendError::from)
    ));
    assert!(handle.is_closed());
    assert_eq!(handle.closed().now_or_never(), None);
    settle().await;
    for expected in ["first", "second", "third"] {
        peer.expect_message(expected).await;
    }
    peer.expect_shutdown().await;
    let end = End::Shutdown { by: Side::Local };
    assert_eq!(must(handle.closed()).await, Some(end.clone()));
    let result = must(handle.send("late")).await;
    assert!(matches!(result, Err(SendError::Closed(heard)) if heard == end));
    assert_eq!(counts(&server), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn abort_discards_queued_messages_and_wakes_senders() {
    let (server, peer, handle) = stuck().await;
    let mut waiting = Box::pin(handle.send("fourth"));
    assert!((&mut waiting).now_or_never().is_none());
    handle.shutdown(Shutdown::abort("licence expired")).unwrap();
    assert!(is_shutting_down(&must(waiting).await));
    peer.expect_message("first").await;
    peer.expect_abort("licence expired").await;
    must(handle.closed()).await.unwrap();
    assert_eq!(counts(&server), (3, 2));
    let again = handle.shutdown(Shutdown::AfterAck);
    assert!(matches!(again, Err(SendError::Closed(_))), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn abort_overrides_orderly_shutdown_only() {
    let mut server = Handles::default();
    let (peer, handle) = server.connect().await;
    peer.hold_acks();
    handle.shutdown(Shutdown::AfterAck).unwrap();
    settle().await;
    handle.shutdown(Shutdown::AfterAck).unwrap();
    handle.shutdown(Shutdown::abort("now")).unwrap();
    handle.shutdown(Shutdown::AfterAck).unwrap();
    peer.expect_abort("now").await;

    let (peer, handle) = server.connect().await;
    handle.shutdown(Shutdown::AfterAck).unwrap();
    handle.shutdown(Shutdown::abort("at once")).unwrap();
    handle.shutdown(Shutdown::abort("too late")).unwrap();
    peer.expect_abort("at once").await;
}

#[tokio::test(start_paused = true)]
async fn association_that_is_not_served_yet_can_be_ended() {
    let make = tower::service_fn(async |incoming: IncomingAssociation| {
        must(incoming.send("go away")).await.unwrap();
        incoming.handle().shutdown(Shutdown::AfterAck).unwrap();
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(sctp_service::handler::handler_fn(
            async |payload: Payload| payload,
        ))
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    peer.expect_message("go away").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_dropped() {
    let server = Server::new(async |peer: AssociationHandle| {
        peer.shutdown(Shutdown::AfterAck).unwrap();
        sleep(Duration::from_secs(60)).await;
        "never sent"
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    peer.expect_shutdown().await;
    assert!(server.log.closed().contains("dropped_calls: 1"));
}

#[tokio::test(start_paused = true)]
async fn reply_that_ends_the_association_closes_its_handles() {
    let (tell, mut handles) = mpsc::channel(1);
    let server = Server::new(async move |peer: AssociationHandle| {
        must(peer.send("before")).await.unwrap();
        tell.send(peer).await.unwrap();
        Shutdown::AfterAck
    });
    let peer = server.connect().await;
    peer.hold_acks();
    peer.send("hello").await;
    let handle = must(handles.recv()).await.unwrap();
    settle().await;
    assert!(is_shutting_down(&must(handle.send("late")).await));
    peer.release_acks();
    peer.expect_message("before").await;
    peer.expect_shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_requested_by_a_handler_takes_effect_at_once() {
    for end in [Shutdown::AfterAck, Shutdown::abort("enough")] {
        let asked = end.clone();
        let server = Server::new(async move |peer: AssociationHandle, payload: Bytes| {
            if payload == "end" {
                peer.shutdown(asked.clone()).unwrap();
                return None;
            }
            must(peer.send("pushed")).await.unwrap();
            Some(payload)
        });
        let peer = server.connect().await;
        // All of them are read in one go.
        for (stream, text) in ["first", "end", "behind it"].into_iter().enumerate() {
            peer.send(on(u16::try_from(stream).unwrap(), text)).await;
        }
        peer.expect_message("pushed").await;
        peer.expect_message("first").await;
        match end {
            Shutdown::AfterAck => peer.expect_shutdown().await,
            _ => peer.expect_abort("enough").await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_may_send_while_the_server_drains() {
    let mut server = Server::new(async |peer: AssociationHandle| {
        peer.drain().started().await;
        must(peer.send("the server goes down")).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        must(peer.send("last words")).await.unwrap();
        "answer"
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    settle().await;
    server.stop();
    for expected in ["the server goes down", "last words", "answer"] {
        peer.expect_message(expected).await;
    }
    peer.expect_shutdown().await;
    must(server.stopped()).await;
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_of_one_lets_its_calls_finish() {
    let (tell, mut handles) = mpsc::channel(2);
    let server = Server::new(async move |peer: AssociationHandle, payload: Bytes| {
        let drain = peer.drain().clone();
        tell.send(peer).await.unwrap();
        drain.started().await;
        sleep(Duration::from_secs(1)).await;
        payload
    });
    let peers = [server.connect().await, server.connect().await];
    for peer in &peers {
        peer.send("in flight").await;
    }
    let (first, second) = (
        must(handles.recv()).await.unwrap(),
        must(handles.recv()).await.unwrap(),
    );
    first.graceful_shutdown();
    // All that has arrived is read by then.
    sleep(Duration::from_millis(10)).await;
    must(first.send("accepted")).await.unwrap();
    peers[0].send("never read").await;
    peers[0].expect_message("accepted").await;
    peers[0].expect_message("in flight").await;
    peers[0].expect_shutdown().await;
    // That was the one, not the server.
    assert!(!second.drain().is_started());
    server.connect().await;
    second.graceful_shutdown();
    peers[1].expect_message("in flight").await;
    peers[1].expect_shutdown().await;
    AssociationHandle::default().graceful_shutdown();
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_of_a_handle_has_the_drain_timeout() {
    let (tell, mut handles) = mpsc::channel(1);
    let server = Server::new(async move |peer: AssociationHandle| {
        tell.send(peer).await.unwrap();
        std::future::pending::<()>().await;
    });
    let peer = server.connect().await;
    peer.send("hangs").await;
    let begun = Instant::now();
    must(handles.recv()).await.unwrap().graceful_shutdown();
    peer.expect_abort("drain timed out").await;
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn handle_that_is_kept_keeps_no_server_from_ending() {
    let mut server = Handles::default();
    let (peer, handle) = server.connect().await;
    server.server.stop();
    peer.expect_shutdown().await;
    must(server.server.stopped()).await;
    assert_eq!(
        must(handle.closed()).await,
        Some(End::Shutdown { by: Side::Local })
    );
}

#[tokio::test(start_paused = true)]
async fn reason_of_own_abort_is_known_once_closed() {
    let mut server = Handles::default();
    let (_peer, handle) = server.connect().await;
    assert_eq!(handle.abort_reason(), None);
    handle.shutdown(Shutdown::abort("enough")).unwrap();
    must(handle.closed()).await.unwrap();
    assert_eq!(
        handle.abort_reason(),
        Some(AbortReason::new("enough").unwrap())
    );

    let (peer, handle) = server.connect().await;
    peer.abort("goodbye");
    must(handle.closed()).await.unwrap();
    assert_eq!(handle.abort_reason(), None);
}

#[tokio::test(start_paused = true)]
async fn peer_that_shuts_down_receives_no_more_messages() {
    let (server, peer, handle) = stuck().await;
    peer.shutdown();
    assert_eq!(
        must(handle.closed()).await,
        Some(End::Shutdown { by: Side::Peer })
    );
    assert_eq!(counts(&server), (3, 2));
    assert!(matches!(
        handle.try_send("late").map_err(SendError::from),
        Err(SendError::Closed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_during_the_last_requests() {
    let server = Server::new(async |peer: AssociationHandle| {
        sleep(Duration::from_secs(1)).await;
        assert!(is_shutting_down(&must(peer.send("late")).await));
        "discarded"
    });
    let peer = server.connect().await;
    peer.send("hello").await;
    settle().await;
    peer.shutdown();
    sleep(Duration::from_secs(2)).await;
    assert!(server.log.closed().contains("discarded_replies: 1"));
}

#[tokio::test(start_paused = true)]
async fn abort_by_peer_or_loss_closes_handles() {
    let mut server = Handles::default();
    let (peer, handle) = server.connect().await;
    peer.abort("goodbye");
    let end = must(handle.closed()).await.unwrap();
    assert_eq!(end.reason().unwrap(), "goodbye");

    let (peer, handle) = server.connect().await;
    peer.lose();
    assert!(matches!(
        must(handle.closed()).await,
        Some(End::Lost { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn unannounced_end_wakes_waiting_senders() {
    let (server, peer, handle) = stuck().await;
    let mut waiting = Box::pin(handle.send("fourth"));
    assert!((&mut waiting).now_or_never().is_none());
    peer.abort("goodbye");
    let result = must(waiting).await;
    assert!(matches!(result, Err(SendError::Closed(_))), "{result:?}");
    assert_eq!(counts(&server), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn handle_from_before_a_restart_reaches_no_peer() {
    let (mut server, peer, old) = stuck().await;
    peer.restart();
    let ended = must(old.closed()).await;
    assert_eq!(ended, None);
    for result in [
        old.try_send("for the earlier life")
            .map_err(SendError::from),
        old.shutdown(Shutdown::AfterAck),
    ] {
        assert!(
            matches!(result, Err(SendError::NoAssociation)),
            "{result:?}"
        );
    }
    let new = server.ask(&peer).await;
    must(new.send("for this one")).await.unwrap();
    peer.expect_message("for this one").await;
    assert!(heard(&peer).is_empty());
    peer.abort("enough");
    must(new.closed()).await.unwrap();
    assert_eq!(counts(&server), (4, 2));
}

/// A registry that the hook alone keeps.
#[tokio::test(start_paused = true)]
async fn hook_receives_each_handle_and_its_end() {
    let known = Arc::new(Mutex::new(Vec::<AssociationHandle>::new()));
    let registry = Arc::clone(&known);
    let ends = Arc::new(Mutex::new(Vec::new()));
    let ended = Arc::clone(&ends);
    let hook = move |event: &ServerEvent<'_>| {
        let mut known = registry.lock().unwrap();
        match event {
            ServerEvent::Up { association, .. } => known.push((*association).clone()),
            ServerEvent::Restarted { association, .. } => {
                known.retain(|handle| !handle.is_closed());
                known.push((*association).clone());
            }
            ServerEvent::Closed { association, .. } => {
                assert!(association.is_closed());
                let end = association.closed().now_or_never();
                ended.lock().unwrap().push(end.unwrap().unwrap());
                known.retain(|handle| !handle.same_association(association));
            }
            _ => {}
        }
    };
    let (listener, network) = ScriptedListener::new();
    let serving = serve(listener, async |payload: Payload| payload).on_event(hook);
    tokio::spawn(serving.into_future());
    let peers = [
        network.connect().await.unwrap(),
        network.connect().await.unwrap(),
    ];
    settle().await;
    peers[1].restart();
    settle().await;
    let handles = known.lock().unwrap().clone();
    assert_eq!(handles.len(), 2);
    for (handle, peer) in handles.iter().zip(&peers) {
        must(handle.send("news")).await.unwrap();
        peer.expect_message("news").await;
    }
    peers[1].abort("goodbye");
    settle().await;
    assert_eq!(ends.lock().unwrap()[0].reason().unwrap(), "goodbye");
    let left = known.lock().unwrap().clone();
    assert_eq!(left.len(), 1);
    assert!(left[0].same_association(&handles[0]));
}

#[tokio::test]
async fn dropped_task_closes_handles_without_an_end() {
    let (transport, peer) = duplex();
    let (tell, mut handles) = mpsc::channel(1);
    let service = async move |handle: AssociationHandle| {
        tell.send(handle).await.unwrap();
        "hello"
    };
    let one = Config::new()
        .with_outbound_queue(1)
        .with_outbound_queue_bytes(1_000);
    let serving = sctp_service::serve_association(transport, service).with_config(one);
    let mut served = Box::pin(serving.into_future());
    peer.send("hello").await;
    tokio::select! {
        end = &mut served => panic!("{end:?}"),
        _ = peer.expect_message("hello") => {}
    }
    let handle = must(handles.recv()).await.unwrap();
    must(handle.send("never taken")).await.unwrap();
    let mut waiting = Box::pin(handle.send("waiting"));
    assert!((&mut waiting).now_or_never().is_none());
    drop(served);
    assert!(matches!(must(waiting).await, Err(SendError::NoAssociation)));
    assert_eq!(must(handle.closed()).await, None);
    assert!(matches!(
        must(handle.send("late")).await,
        Err(SendError::NoAssociation)
    ));
    let reason = AbortReason::from_static("late");
    assert!(handle.shutdown(reason.into()).is_err());
}

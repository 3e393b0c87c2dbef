//! A push that the transport refuses, after all.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use sctp_service::{
    AbortReason, AssociationHandle, ConnectInfo, End, Event, Message, RecvError, SendError,
    ServerEvent, Shutdown, Transport, serve_association,
    testing::{Duplex, InMemory},
};
use tokio::sync::mpsc;

use crate::{
    heard,
    log::Log,
    support::{must, settle},
};

/// It does not know how long a message may be, and its aborts go nowhere.
struct Unknowing(InMemory);

impl Transport for Unknowing {
    fn connect_info(&self) -> ConnectInfo {
        self.0.connect_info()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.0.poll_next_event(cx)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.0.poll_closed(cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.0.poll_send(cx, queue)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.0.start_shutdown()
    }

    fn abort(&mut self, _: &AbortReason) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn refused_send_is_reported_and_ends_nothing() {
    let (lines, _guard) = Log::start();
    let (transport, peer) = Duplex::new().with_max_message(10).build();
    let (tell, mut handles) = mpsc::channel(1);
    let log = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&log);
    let serving = serve_association(
        Unknowing(transport),
        async move |handle: AssociationHandle| {
            for text in [
                "before",
                "longer than that",
                "between",
                "much too long",
                "behind",
            ] {
                must(handle.send(text)).await.unwrap();
            }
            tell.send(handle).await.unwrap();
            "answer"
        },
    )
    .on_event(move |event| match event {
        ServerEvent::SendRefused { error, .. } => {
            hook.lock().unwrap().push(error.to_string());
        }
        ServerEvent::Closed { counts, .. } => hook.lock().unwrap().push(format!("{counts:?}")),
        _ => {}
    });
    let serving = tokio::spawn(serving.into_future());
    peer.send("hello").await;
    for expected in ["before", "between", "behind", "answer"] {
        peer.expect_message(expected).await;
    }
    let handle = must(handles.recv()).await.unwrap();
    must(handle.send("last")).await.unwrap();
    peer.expect_message("last").await;
    // What was refused has returned its permit.
    for _ in 0..100 {
        must(handle.send("longer than that")).await.unwrap();
    }
    must(handle.flush()).await.unwrap();
    must(handle.send("done")).await.unwrap();
    peer.expect_message("done").await;
    peer.shutdown();
    must(serving).await.unwrap();
    assert!(heard(&peer).is_empty());
    let log = log.lock().unwrap().clone();
    assert_eq!(log.len(), 103, "{log:?}");
    // The peer can have that happen at will.
    let line = "discarding message that the transport refused";
    assert_eq!(lines.times(line), 1);
    assert!(log[0].contains("16 bytes"), "{}", log[0]);
    assert!(log[1].contains("13 bytes"), "{}", log[1]);
    let closed = &log[102];
    assert!(
        closed.contains("sends: 107, discarded_sends: 102"),
        "{closed}"
    );
    assert!(closed.contains("discarded_replies: 0"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn refused_reply_is_reported_as_a_reply() {
    let (transport, peer) = Duplex::new().with_max_message(10).build();
    let log = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&log);
    let serving = serve_association(
        Unknowing(transport),
        async move |handle: AssociationHandle| {
            must(handle.send("pushed")).await.unwrap();
            "an answer that is too long"
        },
    )
    .on_event(move |event| hook.lock().unwrap().push(format!("{event:?}")));
    let serving = tokio::spawn(serving.into_future());
    peer.send("hello").await;
    peer.expect_message("pushed").await;
    must(serving).await.unwrap();
    let log = log.lock().unwrap().clone();
    assert!(log[2].starts_with("ReplyRefused"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn between_an_abort_and_its_end_nothing_is_accepted() {
    let (transport, peer) = Duplex::new().build();
    let (tell, mut handles) = mpsc::channel(1);
    let serving = serve_association(
        Unknowing(transport),
        async move |handle: AssociationHandle| {
            tell.send(handle).await.unwrap();
            Shutdown::abort("enough")
        },
    );
    let serving = tokio::spawn(serving.into_future());
    peer.send("hello").await;
    let handle = must(handles.recv()).await.unwrap();
    settle().await;
    let result = must(handle.send("late")).await;
    assert!(matches!(result, Err(SendError::ShuttingDown)), "{result:?}");
    must(serving).await.unwrap();
}

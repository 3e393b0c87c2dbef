//! One association served alone, and one that cannot abort with a reason.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::VecDeque,
    future::IntoFuture,
    io,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AbortReason, ByStream, Cause, Config, ConnectInfo, End, Event, Fate, Message, RecvError,
    SendError, Shutdown, Side, Transport, serve_association,
    testing::{InMemory, duplex},
};
use support::{must, settle};
use tokio::{sync::oneshot, time::sleep};

async fn echo(payload: Bytes) -> Result<Bytes, Shutdown> {
    match &payload[..] {
        b"quit" => Err(Shutdown::AfterAck),
        b"abort" => Err(Shutdown::abort("as you wish")),
        _ => Ok(payload),
    }
}

#[tokio::test(start_paused = true)]
async fn served_association_resolves_with_its_end() {
    for (last, end) in [
        ("quit", End::Shutdown { by: Side::Local }),
        ("abort", aborted()),
    ] {
        let (transport, peer) = duplex();
        let serving = tokio::spawn(serve_association(transport, echo).into_future());
        peer.send("hello").await;
        peer.expect_message("hello").await;
        peer.send(last).await;
        assert_eq!(must(serving).await.unwrap(), end);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_of_a_served_association_is_graceful_and_bounded() {
    let (stop, stopped) = oneshot::channel::<()>();
    let (transport, peer) = duplex();
    let config = Config::new().with_drain_timeout(Duration::from_secs(3));
    let served = serve_association(transport, async || sleep(Duration::from_secs(9)).await)
        .with_config(config)
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(served.into_future());
    peer.send("slow").await;
    settle().await;
    stop.send(()).unwrap();
    peer.expect_abort("drain timed out").await;
    assert_eq!(must(serving).await.unwrap(), aborted());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_served_association_drops_its_transport() {
    let (transport, peer) = duplex();
    drop(serve_association(transport, echo).into_future());
    assert_eq!(must(peer.closed()).await, End::Shutdown { by: Side::Peer });
    let (transport, peer) = duplex();
    peer.send("unread").await;
    drop(serve_association(transport, echo).into_future());
    peer.expect_abort("").await;
}

/// Like a one-to-one socket: an abort has no reason, and is done by closing.
struct OneToOne {
    inner: InMemory,
    aborts_on_close: bool,
}

impl Transport for OneToOne {
    fn connect_info(&self) -> ConnectInfo {
        self.inner.connect_info()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.inner.poll_next_event(cx)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.inner.poll_closed(cx)
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>> {
        self.inner.poll_send(cx, queue)
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        self.inner.start_shutdown()
    }

    fn abort(&mut self, _: &AbortReason) -> io::Result<()> {
        self.aborts_on_close = true;
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for OneToOne {
    fn drop(&mut self) {
        if self.aborts_on_close {
            self.inner.abort(&AbortReason::default()).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn abort_has_no_reason_if_none_can_be_sent() {
    let (transport, peer) = duplex();
    let begin = tokio::time::Instant::now();
    let (note, noted) = std::sync::mpsc::channel();
    let transport = OneToOne {
        inner: transport,
        aborts_on_close: false,
    };
    let served = serve_association(transport, echo).on_event(move |event| {
        if let sctp_service::ServerEvent::Closed { reason, .. } = event {
            note.send(reason.map(ToString::to_string)).unwrap();
        }
    });
    let serving = tokio::spawn(served.into_future());
    peer.send("abort").await;
    assert_eq!(must(serving).await.unwrap(), aborted());
    assert_eq!(noted.recv().unwrap().as_deref(), Some("as you wish"));
    let end = must(peer.closed()).await;
    assert!(matches!(end, End::Aborted { by: Side::Peer, .. }), "{end}");
    assert_eq!(end.reason().unwrap(), "");
    assert!(begin.elapsed() < Duration::from_millis(100), "at once");
}

fn aborted() -> End {
    End::Aborted {
        by: Side::Local,
        causes: sctp_core::ErrorCauses::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn handle_of_an_unserved_association_is_closed() {
    for is_begun in [false, true] {
        let (transport, _peer) = duplex();
        let mut serving = serve_association(transport, echo).with_correlation(ByStream::new());
        let handle = serving.handle();
        let mut waiting = Box::pin(handle.request("never sent"));
        assert!((&mut waiting).now_or_never().is_none());
        match is_begun {
            // Not polled.
            true => drop(serving.into_future()),
            false => drop(serving),
        }
        assert_eq!(must(handle.closed()).await, None);
        let error = must(waiting).await.unwrap_err();
        assert!(matches!(error.cause(), Cause::Closed), "{error}");
        assert_eq!(error.fate(), Fate::NotSent);
        assert!(handle.is_closed());
    }
}

//! Messages that nobody asked for, and their order.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt;
use sctp_service::{
    AssociationHandle, ByStream, IncomingAssociation, Message, Payload, Ppid, Request, SendError,
    Shutdown, serve_association,
    testing::{Duplex, duplex, request},
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{sleep, timeout},
};
use tower::service_fn;

use crate::{
    Handles,
    ends::stuck,
    heard,
    support::{Server, must, on, settle},
};

#[tokio::test(start_paused = true)]
async fn idle_association_is_woken_for_a_send() {
    let mut server = Handles::default();
    let (peer, handle) = server.connect().await;
    settle().await;
    let message = Message::new("news").on_stream(7).with_ppid(Ppid::M3UA);
    must(handle.send(message.unordered())).await.unwrap();
    let heard = peer.expect_message("news").await;
    assert_eq!(heard.info.stream.get(), 7);
    assert_eq!(heard.info.ppid, Ppid::M3UA);
    assert!(heard.info.unordered);
    handle.try_send("more").unwrap();
    assert_eq!(peer.expect_message("more").await.info.stream.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn answer_to_a_send_is_a_request() {
    let server = Server::new(async |peer: AssociationHandle, payload: Bytes| {
        if payload == "start" {
            must(peer.send("who are you?")).await.unwrap();
        }
        payload
    });
    let peer = server.connect().await;
    peer.send("start").await;
    peer.expect_message("who are you?").await;
    peer.expect_message("start").await;
    peer.send("it is me").await;
    peer.expect_message("it is me").await;
}

/// An answer is a message like any other: it is served when its stream's turn comes.
#[tokio::test(start_paused = true)]
async fn handler_gets_answers_only_on_other_streams() {
    let answered = Arc::new(Notify::new());
    let server = Server::new(async move |peer: AssociationHandle, payload: Bytes| {
        if payload == "answer" {
            answered.notify_one();
            return None;
        }
        must(peer.send("question")).await.unwrap();
        answered.notified().await;
        Some("done")
    });
    for (stream, arrives) in [(1, true), (0, false)] {
        let peer = server.connect().await;
        peer.send("ask").await;
        peer.expect_message("question").await;
        peer.send(on(stream, "answer")).await;
        let done = timeout(Duration::from_secs(3600), peer.recv()).await;
        let expected = arrives.then(|| Some("done".into()));
        assert_eq!(
            done.ok()
                .map(|message| message.map(|message| message.payload)),
            expected
        );
    }
}

#[tokio::test(start_paused = true)]
async fn message_accepted_before_a_reply_is_sent_before_it() {
    let server = Server::new(async |peer: AssociationHandle, Payload(payload): Payload| {
        for number in 0..3 {
            must(peer.send(format!("{number} before"))).await.unwrap();
        }
        Payload(payload)
    });
    let peer = server.connect().await;
    for _ in 0..2 {
        peer.send("answer").await;
    }
    for _ in 0..2 {
        for expected in ["0 before", "1 before", "2 before", "answer"] {
            peer.expect_message(expected).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn message_of_an_unfinished_request_is_sent() {
    let server = Server::new(async |peer: AssociationHandle| {
        must(peer.send("working")).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        "done"
    });
    let peer = server.connect().await;
    peer.send("work").await;
    settle().await;
    assert_eq!(heard(&peer), ["working"]);
    peer.expect_message("done").await;
}

#[tokio::test(start_paused = true)]
async fn make_service_sends_before_the_service_exists() {
    let (go, gone) = oneshot::channel::<()>();
    let gone = Arc::new(tokio::sync::Mutex::new(Some(gone)));
    let make = service_fn(move |incoming: IncomingAssociation| {
        let gone = Arc::clone(&gone);
        async move {
            must(incoming.send("welcome")).await.unwrap();
            gone.lock().await.take().unwrap().await.unwrap();
            Ok::<_, Infallible>(service_fn(async |request: Request| {
                Ok::<_, Infallible>(request.into_payload())
            }))
        }
    });
    let server = Server::new(make);
    let peer = server.connect().await;
    peer.expect_message("welcome").await;
    peer.send("hello").await;
    settle().await;
    assert!(heard(&peer).is_empty());
    go.send(()).unwrap();
    peer.expect_message("hello").await;
}

#[tokio::test]
async fn send_wakes_a_session_that_moved_tasks() {
    let (transport, peer) = duplex();
    let (tell, mut handles) = mpsc::channel(1);
    let mut served = Box::pin(IntoFuture::into_future(serve_association(
        transport,
        async move |handle: AssociationHandle| {
            tell.send(handle).await.unwrap();
            "hello"
        },
    )));
    peer.send("hello").await;
    tokio::select! {
        end = &mut served => panic!("{end:?}"),
        _ = peer.expect_message("hello") => {}
    }
    let handle = must(handles.recv()).await.unwrap();
    let serving = tokio::spawn(served);
    // It rests in that task now.
    tokio::task::yield_now().await;
    must(handle.send("news")).await.unwrap();
    peer.expect_message("news").await;
    peer.shutdown();
    must(serving).await.unwrap();
}

#[tokio::test]
async fn default_handle_has_no_association() {
    let handle = request("hello").association().clone();
    assert_eq!(handle.connect_info(), None);
    let refused = [
        handle.try_send("news").map_err(SendError::from),
        must(handle.send("news")).await,
    ];
    for error in refused.map(Result::unwrap_err) {
        assert!(matches!(error, SendError::NoAssociation), "{error:?}");
    }
    assert!(handle.is_closed());
    assert_eq!(must(handle.closed()).await, None);
    assert!(!handle.same_association(&AssociationHandle::default()));
}

#[tokio::test(start_paused = true)]
async fn handles_tell_associations_apart() {
    let mut server = Handles::default();
    let (first, one) = server.connect().await;
    let (_second, two) = server.connect().await;
    let again = server.ask(&first).await;
    assert!(one.same_association(&again));
    assert!(!one.same_association(&two));
    let none = AssociationHandle::default();
    assert_eq!((one.id(), none.id()), (again.id(), 0));
    assert!(one.id() != 0 && one.id() != two.id());
    assert!(format!("{one:?}").starts_with("AssociationHandle(association "));
    first.restart();
    settle().await;
    let anew = server.ask(&first).await;
    assert!(!one.same_association(&anew));
    settle().await;
    must(anew.send("news")).await.unwrap();
    first.expect_message("news").await;
    assert_eq!(
        one.connect_info().unwrap().assoc(),
        anew.connect_info().unwrap().assoc()
    );
}

#[tokio::test(start_paused = true)]
async fn flush_waits_for_what_was_accepted_before() {
    let (_server, peer, handle) = stuck().await;
    let mut flushed = Box::pin(handle.flush());
    assert!((&mut flushed).now_or_never().is_none());
    for text in ["first", "second"] {
        peer.expect_message(text).await;
        settle().await;
    }
    must(flushed).await.unwrap();
    // The last one is with the transport, and not read.
    handle.try_send("fourth").unwrap();
    assert!(handle.flush().now_or_never().is_none());
    peer.expect_message("third").await;
    must(handle.flush()).await.unwrap();
    peer.expect_message("fourth").await;
}

/// A message on a stream for calls is refused when the session sees it, before those that wait.
#[tokio::test(start_paused = true)]
async fn flush_waits_for_what_is_before_a_refused_message() {
    let (transport, peer) = Duplex::new().with_capacity(1).build();
    let (tell, mut handles) = mpsc::channel(1);
    let service = async move |handle: AssociationHandle| {
        tell.send(handle).await.unwrap();
    };
    let serving = serve_association(transport, service).with_correlation(ByStream::default());
    tokio::spawn(serving.into_future());
    peer.send("hello").await;
    let handle = must(handles.recv()).await.unwrap();
    for text in ["first", "second"] {
        handle.try_send(text).unwrap();
    }
    let flushed = handle.flush();
    let mut flushed = std::pin::pin!(flushed);
    assert!(flushed.as_mut().now_or_never().is_none());
    settle().await;
    handle
        .try_send(Message::new("refused").on_stream(3))
        .unwrap();
    settle().await;
    assert!(flushed.as_mut().now_or_never().is_none());
    // One that begins later waits for the same.
    let later = handle.flush();
    let mut later = std::pin::pin!(later);
    assert!(later.as_mut().now_or_never().is_none());
    peer.expect_message("first").await;
    must(flushed).await.unwrap();
    must(later).await.unwrap();
    peer.expect_message("second").await;
}

#[tokio::test(start_paused = true)]
async fn flush_with_nothing_to_send_is_done_at_once() {
    let mut server = Handles::default();
    let (peer, handle) = server.connect().await;
    handle.flush().now_or_never().unwrap().unwrap();
    handle.try_send("news").unwrap();
    must(handle.flush()).await.unwrap();
    peer.abort("gone");
    must(handle.closed()).await.unwrap();
    // Nothing was lost.
    handle.flush().now_or_never().unwrap().unwrap();
    let none = AssociationHandle::default().flush().now_or_never();
    assert!(matches!(none, Some(Err(SendError::NoAssociation))));
}

#[tokio::test(start_paused = true)]
async fn flush_during_an_orderly_end_waits_for_the_rest() {
    let (_server, peer, handle) = stuck().await;
    handle.shutdown(Shutdown::AfterAck).unwrap();
    let mut flushed = Box::pin(handle.flush());
    assert!((&mut flushed).now_or_never().is_none());
    for text in ["first", "second", "third"] {
        peer.expect_message(text).await;
    }
    must(flushed).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn flush_fails_when_messages_are_discarded() {
    let (_server, _peer, handle) = stuck().await;
    let flushed = handle.flush();
    handle.shutdown(Shutdown::abort("enough")).unwrap();
    let error = must(flushed).await.unwrap_err();
    let is_ended = matches!(error, SendError::ShuttingDown | SendError::Closed(_));
    assert!(is_ended, "{error}");

    let (_server, peer, handle) = stuck().await;
    let mut flushed = Box::pin(handle.flush());
    assert!((&mut flushed).now_or_never().is_none());
    peer.abort("gone");
    assert!(must(flushed).await.is_err());

    let (_server, peer, handle) = stuck().await;
    let mut flushed = Box::pin(handle.flush());
    assert!((&mut flushed).now_or_never().is_none());
    peer.restart();
    let error = must(flushed).await.unwrap_err();
    let is_over = matches!(error, SendError::NoAssociation | SendError::ShuttingDown);
    assert!(is_over, "{error}");
}

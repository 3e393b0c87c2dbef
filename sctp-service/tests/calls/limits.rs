//! Limits of calls, and calls that are given up.

use std::time::Duration;

use sctp_service::{
    AssociationHandle, Cause, Config, Correlation, Correlator, Fate, Identity, Message, Received,
    Refusal, Request, SendError, Waiting, testing::Duplex,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tower::{Service, ServiceExt};

use crate::{
    Calling, ask_back, assert_failed, by_header, call, reply_to,
    support::{Server, must, on, settle},
    text,
};

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_wait_for_a_permit() {
    let mut server = Calling::new(Config::new().with_max_calls(2));
    let (peer, handle) = server.connect().await;
    let _asked = [call(&handle, "1"), call(&handle, "2"), call(&handle, "3")];
    let first = peer.recv().await.unwrap();
    assert_eq!(text(&peer.recv().await.unwrap()), b"2");
    settle().await;
    assert!(peer.try_recv().is_none());
    peer.send(reply_to(&first, "!")).await;
    assert_eq!(text(&peer.recv().await.unwrap()), b"3");
}

#[tokio::test(start_paused = true)]
async fn caller_reserves_a_permit() {
    let mut server = Calling::new(Config::new().with_max_calls(1));
    let (peer, handle) = server.connect().await;
    let mut caller = handle.caller();
    let mut other = caller.clone();
    let reserved = caller.ready().await.unwrap();
    let second = Duration::from_secs(1);
    assert!(timeout(second, other.ready()).await.is_err());
    let asked = reserved.call(Message::new("?"));
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "!")).await;
    assert_eq!(&asked.await.unwrap().payload[5..], b"!");
    assert!(other.ready().await.is_ok());
}

#[tokio::test(start_paused = true)]
#[should_panic = "poll_ready must be called first"]
async fn caller_without_a_permit_panics() {
    let mut server = Calling::default();
    let (_peer, handle) = server.connect().await;
    drop(handle.caller().call(Message::new("?")));
}

#[tokio::test(start_paused = true)]
async fn call_that_finds_no_room_waits_for_it() {
    let mut server = Calling::new(
        Config::new()
            .with_outbound_queue(8)
            .with_outbound_queue_bytes(4),
    );
    let settings = Duplex::new().with_capacity(1);
    let peer = server.server.network.connect_with(settings).await.unwrap();
    let handle = server.ask(&peer).await;
    handle.send("fills the peer").await.unwrap();
    settle().await;
    handle.send("1234").await.unwrap();
    let mut caller = handle.caller();
    let asked = caller.ready().await.unwrap().call(Message::new("?"));
    let asked = tokio::spawn(asked);
    peer.expect_message("fills the peer").await;
    peer.expect_message("1234").await;
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn dropped_call_is_not_sent_if_it_still_waits() {
    let mut server = Calling::default();
    let settings = Duplex::new().with_capacity(1);
    let peer = server.server.network.connect_with(settings).await.unwrap();
    let handle = server.ask(&peer).await;
    handle.send("fills the peer").await.unwrap();
    settle().await;
    let dropped = call(&handle, "dropped");
    settle().await;
    dropped.abort();
    settle().await;
    let asked = call(&handle, "kept");
    peer.expect_message("fills the peer").await;
    let question = peer.recv().await.unwrap();
    assert_eq!(text(&question), b"kept");
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn call_without_room_in_time_is_not_sent() {
    let mut server = Calling::new(Config::new().with_max_calls(1));
    let (peer, handle) = server.connect().await;
    let _first = call(&handle, "first");
    settle().await;
    let asked = handle.request_within(Duration::from_secs(1), "second");
    let error = asked.await.unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::TimedOut),
        Fate::NotSent,
    );
    peer.recv().await.unwrap();
    settle().await;
    assert!(peer.try_recv().is_none());
}

#[tokio::test(start_paused = true)]
async fn call_timeout_defaults_to_the_configured_one() {
    let five = Duration::from_secs(5);
    let mut server = Calling::new(Config::new().with_call_timeout(five));
    let (_peer, handle) = server.connect().await;
    let begun = Instant::now();
    let error = must(handle.request("?")).await.unwrap_err();
    assert_failed(
        &error,
        |cause| matches!(cause, Cause::TimedOut),
        Fate::Unknown,
    );
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn sent_calls_leave_room_for_others() {
    let mut server = Calling::new(
        Config::new()
            .with_outbound_queue(1)
            .with_outbound_queue_bytes(1),
    );
    let (peer, handle) = server.connect().await;
    let _asked = [call(&handle, "1"), call(&handle, "2"), call(&handle, "3")];
    for expected in [b"1", b"2", b"3"] {
        assert_eq!(text(&must(peer.recv()).await.unwrap()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn message_that_cannot_be_sent_fails_its_call_alone() {
    let mut server = Calling::default();
    let (peer, handle) = server.connect().await;
    let wrong = handle.request(on(999, "?")).await.unwrap_err();
    let is_refused = |cause: &Cause| {
        let Cause::Refused(refusal) = cause else {
            return false;
        };
        matches!(**refusal, Refusal::Send(SendError::InvalidStream { .. }))
    };
    assert_failed(&wrong, is_refused, Fate::NotSent);
    let asked = call(&handle, "?");
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "!")).await;
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn calls_behind_too_many_requests_are_reported_once() {
    let config = Config::new()
        .with_max_in_flight(1)
        .with_read_ahead_bytes(2000);
    let (tell, mut handles) = mpsc::channel(100);
    let handler = async move |handle: AssociationHandle, request: Request| {
        tell.send(handle.clone()).await.unwrap();
        ask_back(handle, request).await
    };
    let server = Server::with(handler, |server| {
        server.with_config(config).with_correlation(by_header())
    });
    let peer = server.connect().await;
    peer.send(on(0, "?")).await;
    let question = peer.recv().await.unwrap();
    for stream in 1..20 {
        peer.send(on(stream, "?")).await;
    }
    peer.send(reply_to(&question, "!")).await;
    let handle = handles.recv().await.unwrap();
    for _ in 0..5 {
        settle().await;
        handle.send("wakes the session").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(31)).await;
    server.log.assert_has("HeldBack");
    let reported = server.log.lines();
    let reported = reported.iter().filter(|line| line.contains("HeldBack"));
    assert_eq!(reported.count(), 1);
}

struct Broken;

impl Correlator for Broken {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        _: &mut Message,
    ) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(number)
    }

    fn identify(&mut self, _: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        panic!("this correlator is broken, as the test wants it");
    }
}

#[tokio::test(start_paused = true)]
async fn correlator_that_panics_aborts_its_association_alone() {
    let server = Server::with(ask_back, |server| {
        let broken = std::sync::atomic::AtomicBool::new(true);
        server.with_correlation(Correlation::by_key(move |_| {
            match broken.swap(false, std::sync::atomic::Ordering::Relaxed) {
                true => Either::Broken(Broken),
                false => Either::Sound(crate::Header),
            }
        }))
    });
    let peer = server.connect().await;
    peer.send("?").await;
    peer.expect_abort("internal error").await;
    let peer = server.connect().await;
    peer.send("?").await;
    let question = peer.recv().await.unwrap();
    peer.send(reply_to(&question, "!")).await;
    peer.expect_message("!").await;
}

enum Either {
    Broken(Broken),
    Sound(crate::Header),
}

impl Correlator for Either {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        match self {
            Self::Broken(it) => it.stamp(number, message),
            Self::Sound(it) => it.stamp(number, message),
        }
    }

    fn identify(&mut self, received: &Received, waiting: Waiting<'_, u32>) -> Identity<u32> {
        match self {
            Self::Broken(it) => it.identify(received, waiting),
            Self::Sound(it) => it.identify(received, waiting),
        }
    }
}

//! Events of a client, beyond those tested on both transports.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use sctp_core::PeerAddrChangeState;
use sctp_service::{
    Counts, RecvError,
    client::{Client, ClientEvent, Connect},
    testing::{InMemory, Peer, duplex},
};
use sctp_tokio::ConnectError;
use tokio::time::sleep;

use crate::{
    identifiers::keyed,
    pool::addr,
    support::{self, client_with, must, settle},
};

/// The record of a hook.
#[derive(Clone)]
pub(crate) struct Heard<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Heard<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Heard<T> {
    pub(crate) fn push(&self, item: T) {
        self.0.lock().unwrap().push(item);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A hook that writes down what associations have counted.
fn counting(counts: &Heard<Counts>) -> impl Fn(&ClientEvent<'_>) + Send + Sync + 'static {
    let counts = counts.clone();
    move |event| {
        if let ClientEvent::Closed { counts: told, .. } = event {
            counts.push(**told);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_an_association_carries_is_counted() {
    let counts = Heard::default();
    let builder = keyed().on_event(counting(&counts));
    let (client, peer) = client_with(builder, 2);
    let calls = ["a", "b", "c"].map(|text| support::call(&client, text));
    let mut requests = Vec::new();
    for _ in &calls {
        requests.push(must(peer.recv()).await.unwrap().payload);
    }
    let [answered, dropped, lost] = calls;
    dropped.abort();
    settle().await;
    for request in &requests[..2] {
        peer.send([&request[..4], b"A"].concat()).await;
    }
    support::payload(answered).await;
    peer.send("0000A: to nobody").await;
    for _ in 0..5 {
        peer.send("0000Q: a request").await;
    }
    settle().await;
    peer.lose();
    support::failure(lost).await;
    settle().await;
    let [told] = counts.take()[..] else { panic!() };
    let expected = (3, 1, 2);
    assert_eq!((told.calls, told.replies, told.late_replies), expected);
    assert_eq!((told.requests, told.discarded_requests), (0, 5));
    assert_eq!((told.lost_calls, told.unsent_calls), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn unsent_calls_are_counted_apart_from_lost_calls() {
    let counts = Heard::default();
    let builder = Client::builder().on_event(counting(&counts));
    // One stream for calls, so that the others wait for it.
    let (client, peer) = client_with(builder, 2);
    let calls = [(); 3].map(|()| support::call(&client, "x"));
    must(peer.recv()).await.unwrap();
    settle().await;
    peer.abort("enough");
    for call in calls {
        support::failure(call).await;
    }
    settle().await;
    let [told] = counts.take()[..] else { panic!() };
    assert_eq!((told.calls, told.replies), (3, 0));
    assert_eq!((told.lost_calls, told.unsent_calls), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn restart_path_change_and_receive_failure_are_reported() {
    let heard = Heard::default();
    let hook = heard.clone();
    let builder = Client::builder().on_event(move |event| {
        let about = event.connect_info().is_some();
        hook.push(match event {
            ClientEvent::Restarted { .. } => format!("restarted {about}"),
            ClientEvent::PathChanged { change, .. } => format!("{:?} {about}", change.state),
            ClientEvent::ReceiveFailed { error, .. } => format!("{error} {about}"),
            ClientEvent::Closed { counts, lasted, .. } => {
                format!("{} lost in {lasted:?}", counts.lost_calls)
            }
            _ => return,
        });
    });
    let (client, peer) = client_with(builder, 10);
    let lost = support::call(&client, "x");
    must(peer.recv()).await.unwrap();
    peer.restart();
    support::failure(lost).await;
    peer.change_path(addr(9), PeerAddrChangeState::Unreachable);
    sleep(Duration::from_secs(5)).await;
    peer.fail_receive(RecvError::Io(io::Error::other("as told")));
    settle().await;
    must(client.graceful_shutdown()).await;
    let mut heard = heard.take();
    let closed = heard.pop().unwrap();
    assert!(closed.starts_with("1 lost in 5"), "{closed}");
    let expected = ["restarted true", "Unreachable true", "as told true"];
    assert_eq!(heard, expected);
}

/// A server that is there from the third attempt on.
struct Late {
    attempts: u8,
    addrs: [SocketAddr; 1],
    peer: Option<Peer>,
}

impl Connect for Late {
    type Transport = InMemory;

    async fn connect(&mut self) -> Result<InMemory, ConnectError> {
        self.attempts += 1;
        if self.attempts < 3 {
            return Err(ConnectError::Refused { peer: Vec::new() });
        }
        let (transport, peer) = duplex();
        self.peer = Some(peer);
        Ok(transport)
    }

    fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }
}

#[tokio::test(start_paused = true)]
async fn next_attempt_is_when_the_event_says() {
    let heard = Heard::default();
    let hook = heard.clone();
    let connect = Late {
        attempts: 0,
        addrs: [addr(1)],
        peer: None,
    };
    let client = Client::builder()
        .on_event(move |event| {
            let now = tokio::time::Instant::now();
            match event {
                ClientEvent::ConnectFailed { addrs, next, .. } => {
                    assert_eq!(*addrs, [addr(1)]);
                    hook.push((now, next.unwrap()));
                }
                ClientEvent::Open { .. } => {}
                _ => hook.push((now, Duration::ZERO)),
            }
        })
        .connect_in_background(connect);
    sleep(Duration::from_secs(1)).await;
    drop(client);
    let heard = heard.take();
    assert_eq!(heard.len(), 3);
    for pair in heard.windows(2) {
        let late = pair[1].0 - (pair[0].0 + pair[0].1);
        assert!(late <= Duration::from_millis(1), "{late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_of_a_client_are_called_in_order() {
    let heard = Heard::default();
    let (first, second) = (heard.clone(), heard.clone());
    let builder = Client::builder()
        .on_event(move |_| first.push("first"))
        .on_event(|_| panic!("a hook that panics keeps no other from being called"))
        .on_event(move |_| second.push("second"));
    let (_client, _peer) = client_with(builder, 2);
    settle().await;
    // The association is up, and open.
    assert_eq!(heard.take(), ["first", "second", "first", "second"]);
}

//! A peer whose kernel knows nothing of the association any more, as after a restart: it answers
//! with an ABORT without a cause.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr, sync::Arc};

use sctp_tokio::{
    AbortReason, Association, End, Endpoint, ErrorCauses, Event, Message, SctpListener, SendError,
    Side,
};
use support::{
    must,
    netns::{NetNs, two_cables},
    until_end,
};
use tokio::sync::oneshot;

const NEVER_HEARD: AbortReason = AbortReason::from_static("nobody will hear this");

/// Aborts while nothing gets out, and lets everything through again.
fn abort_unheard(association: &Association, namespace: &NetNs) {
    namespace.tc("qdisc add dev one root netem loss 100%");
    association.abort(&NEVER_HEARD).unwrap();
    namespace.tc("qdisc del dev one root");
}

/// Has a client whose server has forgotten it send something, and do what it does then before it
/// receives. Returns how its association ended.
async fn end_of_the_forgotten<F>(
    before_receiving: impl FnOnce(Association) -> F + Send + 'static,
) -> End
where
    F: Future<Output = Association>,
{
    let (left, right) = two_cables();
    let (tell_addr, addr) = oneshot::channel();
    let (tell_forgotten, forgotten) = oneshot::channel();
    let right = Arc::new(right);
    let namespace = Arc::clone(&right);
    let server = right.start(move || async move {
        let mut listener = SctpListener::bind("10.1.0.2:0").await.unwrap();
        tell_addr.send(listener.local_addrs().unwrap()[0]).unwrap();
        let mut association = must(listener.accept()).await.unwrap();
        assert_eq!(support::next(&mut association).await.payload, "hello");
        support::acknowledged(&association).await;
        abort_unheard(&association, &namespace);
        until_end(&mut association).await;
        tell_forgotten.send(()).unwrap();
        // The listener stays: it is not for want of one that the client is answered by an ABORT.
        listener
    });
    let client = left.start(move || async move {
        let server: SocketAddr = must(addr).await.unwrap();
        let client = Association::connect(server).await.unwrap();
        client.send("hello").await.unwrap();
        must(forgotten).await.unwrap();
        client.send("are you there?").await.unwrap();
        until_end(&mut before_receiving(client).await).await.1
    });
    let (_listener, end) = tokio::join!(server, client);
    end
}

fn aborted_without_a_cause() -> End {
    End::Aborted {
        by: Side::Peer,
        causes: ErrorCauses::default(),
    }
}

#[tokio::test]
async fn causeless_abort_is_reported_as_an_abort() {
    let end = end_of_the_forgotten(async |client| client).await;
    assert_eq!(end, aborted_without_a_cause());
}

/// The kernel tells the socket's error to whichever call comes first.
#[tokio::test]
async fn causeless_abort_is_reported_after_a_failed_send() {
    let end = end_of_the_forgotten(async |client| {
        assert_eq!(must(client.closed()).await, End::Unread);
        let error = client.send("still there?").await.unwrap_err();
        assert!(matches!(error, SendError::Closed(End::Unread)), "{error}");
        client
    });
    assert_eq!(end.await, aborted_without_a_cause());
}

#[tokio::test]
async fn causeless_abort_is_reported_after_a_failed_shutdown() {
    let end = end_of_the_forgotten(async |client| {
        assert_eq!(must(client.closed()).await, End::Unread);
        client.start_shutdown().unwrap();
        client
    });
    assert_eq!(end.await, aborted_without_a_cause());
}

#[tokio::test]
async fn causeless_abort_on_endpoint_is_a_loss() {
    let (left, right) = two_cables();
    let (tell_addr, addr) = oneshot::channel();
    let (tell_forgotten, forgotten) = oneshot::channel();
    let server = right.start(move || async move {
        let mut endpoint = Endpoint::bind("10.1.0.2:0").await.unwrap();
        tell_addr.send(endpoint.local_addrs().unwrap()[0]).unwrap();
        let assoc = loop {
            let event = must(endpoint.next_event()).await.unwrap();
            if matches!(event.event, Event::Message(_)) {
                break event.assoc;
            }
        };
        must(forgotten).await.unwrap();
        endpoint
            .send(assoc, Message::new("are you there?"))
            .await
            .unwrap();
        loop {
            if let Event::Closed(end) = must(endpoint.next_event()).await.unwrap().event {
                break end;
            }
        }
    });
    let left = Arc::new(left);
    let namespace = Arc::clone(&left);
    let client = left.start(move || async move {
        let server: SocketAddr = must(addr).await.unwrap();
        let mut client = Association::connect(server).await.unwrap();
        client.send("hello").await.unwrap();
        support::acknowledged(&client).await;
        abort_unheard(&client, &namespace);
        until_end(&mut client).await;
        tell_forgotten.send(()).unwrap();
    });
    let (end, ()) = tokio::join!(server, client);
    let unknown = End::Lost {
        error: io::ErrorKind::NotConnected,
    };
    assert_eq!(end, unknown);
    assert_eq!(end.to_string(), "lost: no answer, or ABORT without a cause");
}

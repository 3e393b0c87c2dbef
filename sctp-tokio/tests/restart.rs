//! A peer that starts again under the same addresses while this end still knows its old
//! association: its ABORT is lost on the way, and then it connects from the same port.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr, sync::Arc};

use sctp_tokio::{
    AbortReason, AssocId, Association, ByteStream, End, Endpoint, Event, Message, Notification,
    Received, SctpListener, Side, SocketBuilder, options::InitMsg, sctp_core::AssocChangeState,
};
use support::{acknowledged, must, netns::two_cables};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

const SERVER: &str = "10.1.0.2:0";

/// A client that sends "old", vanishes without a word, starts again, and sends "new".
async fn restarting_client(link: Arc<support::netns::NetNs>, server: SocketAddr) {
    let from: SocketAddr = "10.1.0.1:0".parse().unwrap();
    let old = must(
        SocketBuilder::new()
            .with_local_addrs([from])
            .connect(&[server]),
    )
    .await
    .unwrap();
    old.send("old").await.unwrap();
    acknowledged(&old).await;
    link.tc("qdisc add dev one root netem loss 100%");
    old.abort(&AbortReason::from_static("nobody hears this"))
        .unwrap();
    let from = old.initial_local_addrs()[0];
    drop(old);
    link.tc("qdisc del dev one root");
    let again = SocketBuilder::new()
        .with_local_addrs([from])
        .with_init(InitMsg::new().with_outbound_streams(3));
    let mut new = must(again.connect(&[server])).await.unwrap();
    new.send(Message::new("new").on_stream(2)).await.unwrap();
    acknowledged(&new).await;
    assert!(must(new.shutdown()).await.unwrap().is_orderly());
}

/// Events of a server, in a line each.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Message(Received { payload, .. }) => {
                self.0.push(payload.escape_ascii().to_string());
            }
            Event::Notification(Notification::AssocChange(change)) => {
                assert!(matches!(
                    change.state,
                    AssocChangeState::Restart | AssocChangeState::CommUp
                ));
                let (outbound, inbound) = (change.outbound_streams, change.inbound_streams);
                self.0
                    .push(format!("{:?} {outbound} {inbound}", change.state));
            }
            Event::Closed(end) => {
                assert_eq!(*end, End::Shutdown { by: Side::Peer });
                self.0.push("end".into());
            }
            _ => {}
        }
    }
}

async fn served(mut server: Association) -> Vec<String> {
    let mut log = Log::default();
    loop {
        let event = must(server.next_event()).await.unwrap();
        log.note(&event);
        match event {
            Event::Closed(_) => return log.0,
            Event::Notification(Notification::AssocChange(_)) => {
                assert_eq!(server.inbound_streams(), 3);
            }
            _ => {}
        }
    }
}

/// Serves a [`restarting_client`], which is told the server's address by a sender. Returns what the
/// server returns.
async fn with_restart<T, F>(
    serve: impl FnOnce(oneshot::Sender<SocketAddr>) -> F + Send + 'static,
) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (left, right) = two_cables();
    let (tell, addr) = oneshot::channel();
    let serving = right.start(move || serve(tell));
    let addr = must(addr).await.unwrap();
    let left = Arc::new(left);
    let link = Arc::clone(&left);
    let client = left.start(move || restarting_client(link, addr));
    tokio::join!(serving, client).0
}

/// A listener whose address a client is told.
fn listener(tell: oneshot::Sender<SocketAddr>) -> SctpListener {
    let server = SocketBuilder::new().with_local_addrs([SERVER.parse().unwrap()]);
    let listener = server.listen().unwrap();
    tell.send(listener.local_addrs().unwrap()[0]).unwrap();
    listener
}

#[tokio::test]
async fn restart_is_reported_and_association_continues() {
    let log = with_restart(async |tell| {
        let mut listener = listener(tell);
        let log = served(must(listener.accept()).await.unwrap()).await;
        assert!(listener.try_accept().is_err(), "it was no new association");
        log
    });
    assert_eq!(log.await, ["old", "Restart 128 3", "new", "end"]);
}

#[tokio::test]
async fn restart_fails_reading_of_a_byte_stream() {
    let read = with_restart(async |tell| {
        let association = must(listener(tell).accept()).await.unwrap();
        let mut stream = ByteStream::new(association, 0).unwrap();
        let mut read = Vec::new();
        let error = must(stream.read_to_end(&mut read)).await.unwrap_err();
        for error in [
            error,
            must(stream.read_u8()).await.unwrap_err(),
            must(stream.write_u8(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(error.to_string(), "peer restarted");
        }
        let (mut association, _) = stream.into_parts();
        must(association.discard_until_closed()).await.unwrap();
        read
    });
    assert_eq!(read.await, b"old");
}

#[tokio::test]
async fn restarted_and_closed_association_is_accepted_whole() {
    let (left, right) = two_cables();
    let (tell, addr) = oneshot::channel();
    let (done, client_done) = oneshot::channel();
    let serving = right.start(async move || {
        let mut listener = listener(tell);
        must(client_done).await.unwrap();
        let mut log = Log::default();
        let mut server = must(listener.accept()).await.unwrap();
        loop {
            let event = must(server.next_event()).await.unwrap();
            log.note(&event);
            if let Event::Closed(_) = event {
                return log.0;
            }
        }
    });
    let addr = must(addr).await.unwrap();
    let left = Arc::new(left);
    let link = Arc::clone(&left);
    left.start(move || restarting_client(link, addr)).await;
    done.send(()).unwrap();
    assert_eq!(serving.await, ["old", "Restart 128 3", "new", "end"]);
}

#[tokio::test]
async fn restart_on_endpoint_keeps_the_association() {
    let log = with_restart(async |tell| {
        let mut endpoint = Endpoint::bind(SERVER).await.unwrap();
        tell.send(endpoint.local_addrs().unwrap()[0]).unwrap();
        let (mut log, mut ids) = (Log::default(), Vec::<AssocId>::new());
        loop {
            let event = must(endpoint.next_event()).await.unwrap();
            log.note(&event.event);
            ids.push(event.assoc);
            if let Event::Closed(_) = event.event {
                ids.dedup();
                assert_eq!(ids.len(), 1);
                return log.0;
            }
        }
    });
    assert_eq!(
        log.await,
        ["CommUp 128 128", "old", "Restart 128 3", "new", "end"]
    );
}

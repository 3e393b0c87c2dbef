//! Support of the tests.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sctp_service::{
    AbortReason, AssocId, CallError, ConnectInfo, End, Event, Fate, Message, Received, RecvError,
    SendError, Transport,
    client::{Client, ClientBuilder},
    testing::{Duplex, InMemory, Peer},
};
use sctp_tokio::Notification;
use tokio::{sync::mpsc, task::JoinHandle};

pub(crate) use crate::must;

pub(crate) type Reply = JoinHandle<Result<Received, CallError>>;

/// A client with the default settings, and its server.
pub(crate) fn client() -> (Client, Peer) {
    client_with(Client::builder(), 10)
}

pub(crate) fn client_with(builder: ClientBuilder, streams: u16) -> (Client, Peer) {
    let (transport, peer) = streams_each_way(streams).build();
    (builder.over(transport), peer)
}

pub(crate) fn streams_each_way(streams: u16) -> Duplex {
    let info = ConnectInfo::new(AssocId::new(3)).with_streams(streams, streams);
    Duplex::new().with_connect_info(info)
}

/// Makes a call in the background.
pub(crate) fn call(client: &Client, payload: impl Into<Bytes>) -> Reply {
    let client = client.clone();
    let message = Message::new(payload);
    tokio::spawn(async move { must(client.request(message)).await })
}

/// The payload of a reply that must come.
pub(crate) async fn payload(reply: Reply) -> Bytes {
    must(reply).await.unwrap().unwrap().payload
}

/// The failure of a call that must fail.
pub(crate) async fn failure(reply: Reply) -> CallError {
    must(reply).await.unwrap().unwrap_err()
}

#[track_caller]
pub(crate) fn assert_failed(error: &CallError, text: &str, fate: Fate) {
    assert_eq!(error.fate(), fate, "{error}");
    assert!(error.to_string().starts_with(text), "{error}");
    assert_eq!(error.is_safe_to_retry(), fate == Fate::NotSent);
}

/// Lets every other task run until it waits.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_micros(1)).await;
}

/// A transport whose kernel reports what the test says.
pub(crate) struct Reporting {
    inner: InMemory,
    reports: mpsc::UnboundedReceiver<Event>,
}

impl Reporting {
    pub(crate) fn new(inner: InMemory) -> (Self, mpsc::UnboundedSender<Event>) {
        let (report, reports) = mpsc::unbounded_channel();
        (Self { inner, reports }, report)
    }
}

impl Transport for Reporting {
    fn connect_info(&self) -> ConnectInfo {
        self.inner.connect_info()
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        if let Poll::Ready(Some(event)) = self.reports.poll_recv(cx) {
            return Poll::Ready(Ok(event));
        }
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

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        self.inner.abort(reason)
    }
}

/// The kernel's report of a message, or of its only fragment, that failed.
pub(crate) fn send_failed(context: u32, sent: bool) -> Event {
    const TYPE: u16 = 0x800d;
    const LEN: u32 = 32;
    const WHOLE: u16 = 3;
    let mut bytes = Vec::new();
    bytes.extend(TYPE.to_ne_bytes());
    bytes.extend(u16::from(sent).to_ne_bytes());
    bytes.extend(LEN.to_ne_bytes());
    bytes.extend([0; 4]); // no cause
    bytes.extend(1u16.to_ne_bytes()); // the stream
    bytes.extend(WHOLE.to_ne_bytes());
    bytes.extend([0; 4]); // no payload protocol identifier
    bytes.extend(context.to_ne_bytes());
    bytes.extend(3i32.to_ne_bytes());
    bytes.extend(3i32.to_ne_bytes());
    Event::Notification(Notification::decode(bytes.into()).unwrap())
}

#[test]
fn handles_can_be_shared_and_sent() {
    fn is<T: Send + Sync + Clone + 'static>() {}
    is::<Client>();
    is::<sctp_service::client::pool::Pool>();
    is::<CallError>();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "client/support.rs")]
async fn hanging_wait_names_its_line() {
    must(std::future::pending::<()>()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Pending<()>")]
async fn hanging_wait_names_its_future() {
    must(std::future::pending::<()>()).await;
}

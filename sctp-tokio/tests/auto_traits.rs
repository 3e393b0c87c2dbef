//! `Send`, `Sync` and `Unpin` of every public type and of every asynchronous function's future: to
//! lose one by accident would break callers. Compiling is the test.
#![allow(clippy::unwrap_used, reason = "never run")]

use std::{collections::VecDeque, io::IoSlice, net::SocketAddr};

use sctp_tokio::{
    Association, ByteStream, ConnectError, Control, DecodeError, EncodeError, End, Endpoint,
    EndpointEvent, EndpointSendError, EndpointSender, Event, Message, MessageFramed, MessageSink,
    OneToOneListener, Received, RecvError, RecvHalf, ReuniteError, SctpListener, SendError,
    SendHalf, SendInfo, Side, SocketBuilder,
};
use tokio_util::codec::LinesCodec;

fn all<T: Send + Sync + Unpin + 'static>() {}
/// A future can be moved to another thread; nothing polls it from two.
fn can_be_spawned<T: Send>(_: T) {}

#[test]
fn types() {
    all::<Association>();
    all::<ByteStream>();
    all::<ConnectError>();
    all::<Control>();
    all::<DecodeError<std::io::Error>>();
    all::<EncodeError<std::io::Error>>();
    all::<End>();
    all::<Endpoint>();
    all::<EndpointEvent>();
    all::<EndpointSendError>();
    all::<EndpointSender>();
    all::<Event>();
    all::<Message>();
    all::<MessageFramed<Association, LinesCodec>>();
    all::<MessageFramed<RecvHalf, LinesCodec>>();
    all::<MessageFramed<SendHalf, LinesCodec>>();
    all::<MessageSink>();
    all::<OneToOneListener>();
    all::<Received>();
    all::<RecvError>();
    all::<RecvHalf>();
    all::<ReuniteError>();
    all::<SctpListener>();
    all::<SendError>();
    all::<SendHalf>();
    all::<Side>();
    all::<SocketBuilder>();
    // What is re-exported.
    all::<sctp_tokio::AbortReason>();
    all::<sctp_tokio::AssocId>();
    all::<sctp_tokio::ErrorCause>();
    all::<sctp_tokio::ErrorCauses>();
    all::<sctp_tokio::EventSet>();
    all::<sctp_tokio::Notification>();
    all::<sctp_tokio::Ppid>();
    all::<sctp_tokio::ReasonTooLong>();
    all::<sctp_tokio::RecvInfo>();
    all::<sctp_tokio::Reliability>();
    all::<SendInfo>();
    all::<sctp_tokio::Socket>();
    all::<sctp_tokio::StreamId>();
}

#[allow(dead_code, reason = "it is compiled, not run")]
async fn futures(
    mut association: Association,
    mut half: RecvHalf,
    sender: SendHalf,
    mut endpoint: Endpoint,
    hub: EndpointSender,
    mut listener: SctpListener,
    mut one_to_one: OneToOneListener,
) {
    let addr: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let mut queue = VecDeque::new();
    let mut many = VecDeque::new();
    let assoc = association.id();
    let slices = [IoSlice::new(b"x")];
    let info = SendInfo::default();

    can_be_spawned(Association::connect(addr));
    can_be_spawned(SocketBuilder::new().connect(&[addr]));
    can_be_spawned(SocketBuilder::new().connect_one_to_one(&[addr]));
    can_be_spawned(association.recv());
    can_be_spawned(association.next_event());
    can_be_spawned(association.send("x"));
    can_be_spawned(association.send_queue(&mut queue));
    can_be_spawned(association.send_vectored(&info, &slices));
    can_be_spawned(association.flushed());
    can_be_spawned(association.shutdown());
    can_be_spawned(association.closed());

    can_be_spawned(half.recv());
    can_be_spawned(half.next_event());
    can_be_spawned(sender.send("x"));
    can_be_spawned(sender.send_queue(&mut queue));
    can_be_spawned(sender.send_vectored(&info, &slices));
    can_be_spawned(sender.flushed());
    can_be_spawned(sender.closed());

    can_be_spawned(Endpoint::bind(addr));
    can_be_spawned(endpoint.next_event());
    can_be_spawned(endpoint.send(assoc, "x"));
    can_be_spawned(hub.send(assoc, "x"));
    can_be_spawned(hub.send_queue(assoc, &mut queue));
    can_be_spawned(hub.send_many(&mut many));
    can_be_spawned(hub.writable());

    can_be_spawned(SctpListener::bind(addr));
    can_be_spawned(listener.accept());
    can_be_spawned(OneToOneListener::bind(addr));
    can_be_spawned(one_to_one.accept());
}

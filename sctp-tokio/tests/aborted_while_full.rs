//! Sends that wait for room when the peer aborts, and nobody receives.
//!
//! What ends such a wait differs from run to run where threads really run at the same time: the SMP
//! guest shows it (`SCTP_KERNEL=smp`), User-Mode Linux does not.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{collections::VecDeque, future::poll_fn, io::IoSlice};

use futures::SinkExt;
use sctp_tokio::{
    AbortReason, AssocId, EncodeError, EndpointSender, Message, MessageFramed, SendError, SendHalf,
    SendInfo, Socket, SocketBuilder,
};
use support::{LOOPBACK, eventually, must, pair_with};
use tokio_util::codec::BytesCodec;

/// Associations of each form. Fewer than a hundredth of them hung.
const ASSOCIATIONS: usize = 64;

const LEN: usize = 1000;

const FORMS: [Form; 8] = [
    Form::Send,
    Form::SendVectored,
    Form::SendQueue,
    Form::PollSend,
    Form::PollSendVectored,
    Form::PollSendQueue,
    Form::Sink,
    Form::Codec,
];

/// A way to send that waits for room.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Send,
    SendVectored,
    SendQueue,
    PollSend,
    PollSendVectored,
    PollSendQueue,
    Sink,
    Codec,
}

fn message() -> Message {
    Message::new(vec![0; LEN])
}

impl Form {
    /// Sends until that fails.
    async fn run(self, mut sender: SendHalf) -> SendError {
        match self {
            Self::Codec => return run_codec(sender).await,
            Self::Sink => return run_sink(sender).await,
            _ => {}
        }
        loop {
            if let Err(error) = self.send(&mut sender).await {
                return error;
            }
        }
    }

    async fn send(self, sender: &mut SendHalf) -> Result<(), SendError> {
        let (info, payload) = (SendInfo::default(), [0; LEN]);
        let slices = [IoSlice::new(&payload)];
        let mut queue: VecDeque<_> = [message(), message()].into();
        match self {
            Self::Send => sender.send(message()).await,
            Self::SendVectored => sender.send_vectored(&info, &slices).await,
            Self::SendQueue => sender.send_queue(&mut queue).await,
            Self::PollSend => poll_fn(|cx| sender.poll_send(cx, &queue[0])).await,
            Self::PollSendVectored => {
                poll_fn(|cx| sender.poll_send_vectored(cx, &info, &slices)).await
            }
            Self::PollSendQueue => poll_fn(|cx| sender.poll_send_queue(cx, &mut queue)).await,
            Self::Sink | Self::Codec => unreachable!(),
        }
    }
}

async fn run_sink(sender: SendHalf) -> SendError {
    let mut sink = sender.into_sink();
    loop {
        if let Err(error) = sink.send(message()).await {
            return error;
        }
    }
}

async fn run_codec(sender: SendHalf) -> SendError {
    let mut framed = MessageFramed::new(sender, BytesCodec::new());
    loop {
        let frame = bytes::Bytes::from_static(&[0; LEN]);
        match framed.send((frame, SendInfo::default())).await {
            Ok(()) => {}
            Err(EncodeError::Send(error)) => return error,
            Err(error) => panic!("{error}"),
        }
    }
}

fn small_sender() -> SocketBuilder {
    SocketBuilder::new().with_send_buffer_size(20_000)
}

fn small_receiver() -> SocketBuilder {
    SocketBuilder::new().with_recv_buffer_size(10_000)
}

fn is_full(socket: &Socket) -> bool {
    socket.send_buffer_free().unwrap() == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_sends_end_with_the_association() {
    for form in FORMS {
        let (mut servers, mut receivers) = (Vec::new(), Vec::new());
        let (mut handles, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..ASSOCIATIONS {
            let (client, server) = pair_with(small_sender(), small_receiver()).await;
            let (sender, receiver) = client.split();
            handles.push(sender.clone());
            tasks.push(tokio::spawn(form.run(sender)));
            servers.push(server);
            receivers.push(receiver);
        }
        eventually(|| {
            handles
                .iter()
                .all(|handle| is_full(handle.socket().unwrap()))
        })
        .await;
        // One by one: a task that nothing else delays tries again at the earliest moment.
        for (server, task) in servers.iter().zip(tasks) {
            server.abort(&AbortReason::from_static("enough")).unwrap();
            let error = must(task).await.unwrap();
            assert!(matches!(error, SendError::Closed(_)), "{form:?}: {error}");
        }
    }
}

/// The same on a socket that associations could share.
async fn run_on_endpoint(poll: bool, mut sender: EndpointSender, assoc: AssocId) -> SendError {
    loop {
        let mut queue: VecDeque<_> = [message(), message()].into();
        let result = if poll {
            poll_fn(|cx| sender.poll_send_queue(cx, assoc, &mut queue)).await
        } else {
            sender.send(assoc, message()).await
        };
        if let Err(error) = result {
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_endpoint_sends_end_with_the_association() {
    let (mut endpoints, mut servers, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..ASSOCIATIONS {
        let local = small_sender().with_local_addrs([LOOPBACK.parse().unwrap()]);
        let mut endpoint = local.endpoint().unwrap();
        let peer = endpoint.local_addrs().unwrap();
        let server = must(small_receiver().connect(&peer)).await.unwrap();
        let assoc = must(endpoint.next_event()).await.unwrap().assoc;
        tasks.push(tokio::spawn(run_on_endpoint(
            at % 2 == 0,
            endpoint.sender(),
            assoc,
        )));
        servers.push(server);
        endpoints.push(endpoint);
    }
    eventually(|| endpoints.iter().all(|endpoint| is_full(endpoint.socket()))).await;
    for (server, task) in servers.iter().zip(tasks) {
        server.abort(&AbortReason::from_static("enough")).unwrap();
        let error = must(task).await.unwrap();
        assert!(matches!(error, SendError::Closed(_)), "{error}");
    }
}

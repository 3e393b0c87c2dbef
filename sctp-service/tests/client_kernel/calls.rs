//! Calls over one association.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use sctp_service::{
    ByStream, CallError, Cause, ConnectInfo, End, Event, Fate, Message, RecvError, SendError, Side,
    Transport,
    client::{Client, Remote},
};
use sctp_tokio::{
    AbortReason, Association, ConnectError, SctpListener, SocketBuilder, options::InitMsg,
};

use crate::{must, server::Server};

#[tokio::test]
async fn calls_are_answered_before_the_shutdown() {
    let server = Server::start(Duration::from_secs(30));
    for (streams, depth) in [(1, 1), (10, 1), (10, 8), (64, 1)] {
        let init = InitMsg::new().with_outbound_streams(streams);
        let remote = Remote::new(server.addr).with_socket(SocketBuilder::new().with_init(init));
        let client = Client::builder()
            .with_correlation(ByStream::new().with_depth(depth))
            .connect(remote)
            .await
            .unwrap();
        let calls: Vec<_> = (0..300)
            .map(|n: usize| {
                let client = client.clone();
                tokio::spawn(async move {
                    let text = n.to_string().repeat(1 + n % 700);
                    let reply = client.request(text.clone()).await.unwrap();
                    assert_eq!(reply.payload, text);
                })
            })
            .collect();
        for call in calls {
            must(call).await.unwrap();
        }
        let end = must(client.graceful_shutdown()).await;
        assert_eq!(end, Some(End::Shutdown { by: Side::Local }));
    }
    server.stop().await;
}

#[tokio::test]
async fn connection_refused_is_reported() {
    let gone = Server::start(Duration::from_secs(30));
    let addr = gone.addr;
    gone.stop().await;
    let error = must(Client::connect(addr)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    let client = Client::builder().connect_lazily(Remote::new(addr));
    let error = must(client.request("x")).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(
        matches!(error.cause(), Cause::NotConnected(error) if matches!(**error, ConnectError::Refused { .. }))
    );
}

/// A server that reads nothing: its window closes after a fraction of what the client's kernel
/// takes, and the rest never goes out.
#[tokio::test]
async fn kernel_reports_unsent_messages() {
    let init = InitMsg::new().with_outbound_streams(200);
    let listener = SocketBuilder::new()
        .with_local_addrs(["127.0.0.1:0".parse().unwrap()])
        .with_init(init)
        .with_recv_buffer_size(10_000)
        .listen()
        .unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let accepted = tokio::spawn(accept(listener));
    let taken = Arc::new(AtomicUsize::new(0));
    let socket = SocketBuilder::new().with_init(init);
    let client = Client::over(Observed {
        inner: must(socket.connect(&[addr])).await.unwrap(),
        taken: Arc::clone(&taken),
    });
    let server = must(accepted).await.unwrap().unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.request(vec![b'x'; 1000]).await })
        })
        .collect();
    must(async {
        while taken.load(Ordering::Relaxed) < 60 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.abort(&AbortReason::from_static("enough")).unwrap();
    let mut fates = [0, 0];
    for call in calls {
        let error: CallError = must(call).await.unwrap().unwrap_err();
        assert_eq!(error.reason().unwrap(), "enough", "{error}");
        fates[usize::from(error.fate() == Fate::Unknown)] += 1;
    }
    let [not_sent, unknown] = fates;
    assert!(
        not_sent > 0 && unknown > 0,
        "{not_sent} not sent, {unknown} unknown"
    );
}

/// An association that counts what its kernel has taken.
struct Observed {
    inner: Association,
    taken: Arc<AtomicUsize>,
}

impl Transport for Observed {
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
        let before = queue.len();
        let sent = self.inner.poll_send_queue(cx, queue);
        self.taken
            .fetch_add(before - queue.len(), Ordering::Relaxed);
        sent
    }

    fn start_shutdown(&mut self) -> io::Result<()> {
        Association::start_shutdown(&self.inner)
    }

    fn abort(&mut self, reason: &AbortReason) -> io::Result<()> {
        Association::abort(&self.inner, reason)
    }
}

async fn accept(listener: SctpListener) -> io::Result<Association> {
    let mut listener = listener;
    listener.accept().await
}

#[tokio::test]
async fn server_pushes_and_the_client_sends_one_way() {
    let listener = SctpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    let accepted = tokio::spawn(accept(listener));
    let (builder, mut inbox) = Client::builder().with_inbox(1);
    let client = must(builder.connect(Remote::new(addr))).await.unwrap();
    let mut server = must(accepted).await.unwrap().unwrap();
    server.send("a notice").await.unwrap();
    let notice = must(inbox.recv()).await.unwrap();
    assert_eq!(
        (&notice.payload()[..], notice.stream().get()),
        (&b"a notice"[..], 0)
    );
    client.send(Message::new("noted")).await.unwrap();
    assert_eq!(must(server.recv()).await.unwrap().unwrap().payload, "noted");
}

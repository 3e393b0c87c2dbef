//! The world of the kernel.

use std::{future::Future, net::SocketAddr};

use bytes::Bytes;
use sctp_service::{End, Event, Message, client::Remote};
use sctp_tokio::{AbortReason, Association, SctpListener, SocketBuilder};

use crate::must;

pub(crate) type Listener = SctpListener;

pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// A place for a server to listen at, and again after a restart.
pub(crate) struct Place(SocketAddr);

impl Place {
    pub(crate) fn new() -> (Self, Listener) {
        let listener = listen("127.0.0.1:0".parse().unwrap());
        (Self(listener.local_addrs().unwrap()[0]), listener)
    }

    pub(crate) fn listen(&self) -> Listener {
        listen(self.0)
    }

    pub(crate) fn connector(&self) -> Remote {
        Remote::new(self.0)
    }
}

fn listen(addr: SocketAddr) -> Listener {
    SocketBuilder::new()
        .with_local_addrs([addr])
        .listen()
        .unwrap()
}

/// A server's end in the hands of a test.
pub(crate) struct Hand(Association);

impl Hand {
    pub(crate) async fn accept(listener: &mut Listener) -> Self {
        Self(must(listener.accept()).await.unwrap())
    }

    pub(crate) async fn recv(&mut self) -> (u16, Bytes) {
        let received = must(self.0.recv()).await.unwrap().unwrap();
        (received.info.stream.get(), received.payload)
    }

    pub(crate) async fn send(&self, stream: u16, payload: impl Into<Bytes>) {
        let message = Message::new(payload).on_stream(stream);
        must(self.0.send(message)).await.unwrap();
    }

    /// Waits until there is something unread.
    pub(crate) async fn unread(&self) {
        must(async {
            while rustix::io::ioctl_fionread(self.0.socket().unwrap()).unwrap() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) fn abort(&self, reason: &'static str) {
        self.0.abort(&AbortReason::from_static(reason)).unwrap();
    }

    pub(crate) fn shutdown(&self) {
        self.0.start_shutdown().unwrap();
    }

    pub(crate) async fn end(&mut self) -> End {
        loop {
            if let Event::Closed(end) = must(self.0.next_event()).await.unwrap() {
                return end;
            }
        }
    }
}

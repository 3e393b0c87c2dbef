//! A server in the background.

use std::{net::SocketAddr, time::Duration};

use sctp_service::{Config, Payload, serve};
use sctp_tokio::{SocketBuilder, options::InitMsg};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::must;

/// A server that echoes, until it is stopped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    /// Starts a server. Once stopped, calls in flight have this long to finish; then their
    /// associations are aborted, with the reason `drain timed out`.
    pub(crate) fn start(drain_timeout: Duration) -> Self {
        let listener = SocketBuilder::new()
            .with_local_addrs(["127.0.0.1:0".parse().unwrap()])
            .with_init(InitMsg::new().with_outbound_streams(100))
            .listen()
            .unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, echo)
            .with_config(Config::new().with_drain_timeout(drain_timeout))
            .with_graceful_shutdown(async move { drop(stopped.await) });
        Self {
            addr,
            stop: Some(stop),
            running: tokio::spawn(server.into_future()),
        }
    }

    /// Stops it, and waits until every association is closed.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        must(self.running).await.unwrap();
    }
}

/// Answers after others have had their turn a few times, so that calls are in flight together.
async fn echo(Payload(payload): Payload) -> Payload {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    Payload(payload)
}

//! Serving the associations of one shared socket.

mod demux;
mod inbox;
mod shared;

use std::{fmt, future::pending, io, net::SocketAddr};

use sctp_core::AssocId;
use sctp_tokio::{Endpoint, EndpointSender};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::demux::Demux;
pub use self::shared::EndpointTransport;
use crate::{Executor, Listener, MakeService, Serve, executor::Spawner, serve};

/// Maximum number of associations that wait to be accepted.
const BACKLOG: usize = 128;

/// Serves the associations of a one-to-many socket: one descriptor for all peers that keep up.
///
/// It is [`serve`](crate::serve()) over an [`EndpointListener`], and everything said there holds. The
/// task that reads the socket is spawned here, with [`tokio::spawn`]: for an executor of your own, use
/// `serve` with [`EndpointListener::with_executor`].
///
/// An association that falls behind needs a descriptor and an epoll watch of its own. Without them
/// it is aborted, so that it does not hold up the others: see [`EndpointListener`].
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use sctp_service::{Payload, serve_endpoint};
/// use sctp_tokio::Endpoint;
///
/// async fn echo(Payload(payload): Payload) -> Payload {
///     Payload(payload)
/// }
///
/// serve_endpoint(Endpoint::bind("127.0.0.1:9877").await?, echo).await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside a tokio runtime.
#[track_caller]
pub fn serve_endpoint<M, K>(endpoint: Endpoint, make_service: M) -> Serve<EndpointListener, M, K>
where
    M: MakeService<K>,
    K: 'static,
{
    serve(EndpointListener::new(endpoint), make_service)
}

/// The associations of an [`Endpoint`] as a [`Listener`]: one task reads the shared socket, and
/// each association is driven as if it had one of its own.
///
/// An association that falls behind, because its service is busy or because its peer does not
/// read, is peeled off to a socket of its own: it then delays itself alone. The threshold is 64
/// events or 256 KiB that wait to be read, or a shared send buffer that has been full for
/// 50 ms, of which it has the largest part, or a shared receive buffer that is half full while it
/// has messages with missing fragments. If there is no descriptor (`EMFILE`, `ENFILE`) or no epoll
/// watch (`fs.epoll.max_user_watches`) for that, it is aborted with the reason `receive queue full`,
/// and a warning is logged: it is not kept until there is one.
///
/// To send without being asked, keep an [`AssociationHandle`](crate::AssociationHandle) of each: it
/// follows to the new socket. An [`EndpointSender`] that was kept reaches only those that keep up:
/// for one that was peeled off it answers
/// [`SendError::NoAssociation`](crate::SendError::NoAssociation), and
/// [`try_send_to_all`](EndpointSender::try_send_to_all) passes it over without a word.
pub struct EndpointListener {
    incoming: mpsc::Receiver<EndpointTransport>,
    sender: EndpointSender,
    /// Cancelled when the listener stops.
    stopped: CancellationToken,
}

impl EndpointListener {
    /// Spawns the task that reads the endpoint. It lives until this listener is dropped and the
    /// last association has ended.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[track_caller]
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self::spawned_with(endpoint, &Spawner::default())
    }

    /// Like [`new`](Self::new), with the task spawned by an executor, which
    /// [`Serve::with_executor`] is to be given as well.
    #[must_use]
    pub fn with_executor(endpoint: Endpoint, executor: impl Executor) -> Self {
        Self::spawned_with(endpoint, &Spawner::new(executor))
    }

    #[track_caller]
    fn spawned_with(endpoint: Endpoint, spawner: &Spawner) -> Self {
        let sender = endpoint.sender();
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        let stopped = CancellationToken::new();
        spawner.spawn(Demux::new(endpoint, outgoing, stopped.clone()).run());
        Self {
            incoming,
            sender,
            stopped,
        }
    }
}

impl fmt::Debug for EndpointListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointListener")
            .field("endpoint", &self.sender)
            .field("waiting", &self.incoming.len())
            .finish()
    }
}

impl Listener for EndpointListener {
    type Transport = EndpointTransport;

    async fn accept(&mut self) -> io::Result<EndpointTransport> {
        match self.incoming.recv().await {
            Some(transport) => Ok(transport),
            None if self.stopped.is_cancelled() => pending().await,
            None => Err(io::Error::other(
                "the task that reads the endpoint has ended",
            )),
        }
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.sender.socket().local_addrs(AssocId::FUTURE)
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        let stopped = self.sender.socket().listen(0);
        self.stopped.cancel();
        stopped
    }

    /// Waits for the task that reads the endpoint to hand over what the kernel had.
    async fn accept_waiting(&mut self) -> Option<io::Result<EndpointTransport>> {
        self.incoming.recv().await.map(Ok)
    }
}

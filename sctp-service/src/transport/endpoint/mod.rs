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

/// Serves the associations of a one-to-many socket, with one descriptor for all peers that keep up.
///
/// Equivalent to [`serve`](crate::serve()) with an [`EndpointListener`]. The task that reads the
/// socket is spawned by this function with [`tokio::spawn`]. To use an executor, call `serve` with
/// [`EndpointListener::with_executor`].
///
/// An association that falls behind needs a descriptor and an epoll watch of its own. If none is
/// available, it is aborted, so that it does not delay the others: see [`EndpointListener`].
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

/// Listener for the associations of an [`Endpoint`]. One task reads the shared socket, and each
/// association is served as if it had its own socket.
///
/// An association that falls behind, because its service is busy or because its peer does not read,
/// is peeled off to a socket of its own, and then delays only itself. This happens if:
///
/// - 64 events or 256 KiB wait to be read,
/// - the shared send buffer has been full for 50 ms, and the association uses most of it, or
/// - the shared receive buffer is half full, and the association has incomplete messages in it.
///
/// If no descriptor (`EMFILE`, `ENFILE`) or epoll watch (`fs.epoll.max_user_watches`) is available
/// for the new socket, the association is aborted with the reason `receive queue full`, and a
/// warning is logged.
///
/// To send unsolicited messages, use the [`AssociationHandle`](crate::AssociationHandle) of an
/// association, which also works after the association was peeled off. An [`EndpointSender`]
/// reaches only associations on the shared socket: for others it returns
/// [`SendError::NoAssociation`](crate::SendError::NoAssociation), and
/// [`try_send_to_all`](EndpointSender::try_send_to_all) silently skips them.
pub struct EndpointListener {
    incoming: mpsc::Receiver<EndpointTransport>,
    sender: EndpointSender,
    /// Cancelled when the listener stops.
    stopped: CancellationToken,
}

impl EndpointListener {
    /// Creates the listener, and spawns the task that reads the endpoint. The task ends when the
    /// listener is dropped and the last association has closed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[track_caller]
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self::spawned_with(endpoint, &Spawner::default())
    }

    /// Like [`new`](Self::new), but spawns the task with an executor. Pass the same executor to
    /// [`Serve::with_executor`].
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

    /// Waits until the task that reads the endpoint has handed over all established associations.
    async fn accept_waiting(&mut self) -> Option<io::Result<EndpointTransport>> {
        self.incoming.recv().await.map(Ok)
    }
}

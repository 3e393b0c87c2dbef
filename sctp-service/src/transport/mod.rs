//! Interfaces of transports and listeners.

mod association;
mod endpoint;
mod listener_ext;
mod stats;

use std::{
    collections::VecDeque,
    error::Error,
    future::{Future, pending, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll},
};

use sctp_core::AbortReason;
use sctp_tokio::{End, Event, Message, RecvError, SendError};
use tokio::task::{unconstrained, yield_now};

pub use self::{
    endpoint::{EndpointListener, EndpointTransport, serve_endpoint},
    listener_ext::{LimitAssociations, Limited, ListenerExt, Tap},
    stats::TransportStats,
};
use crate::ConnectInfo;

/// Transport of one association.
///
/// Implemented by [`sctp_tokio::Association`] for the kernel's SCTP, and by the in-memory transport
/// of the feature `testing`. Every `poll_` method keeps only the waker of the last task that polled
/// it. All of them are polled by the task of the association.
///
/// Dropping a transport closes it; the effect on the wire is up to the transport. An open transport
/// is dropped only together with the task of its association, as when the runtime stops.
pub trait Transport: Send + 'static {
    /// Returns information about the association in its current state.
    fn connect_info(&self) -> ConnectInfo;

    /// Returns the maximum size of an outbound message in bytes, or `None` if it is unknown. In
    /// that case a message that is too long is refused when it is sent. Called once for each
    /// association.
    fn max_message(&self) -> Option<usize> {
        None
    }

    /// Returns the statistics of the association and its paths.
    ///
    /// The default implementation returns [`Unsupported`](io::ErrorKind::Unsupported), for transports
    /// that have no statistics.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, such as for an association that is closed.
    fn stats(&self) -> io::Result<TransportStats> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Polls for the next message, notification or end.
    ///
    /// [`Event::Closed`] follows all events that were queued before it. Further polls return it
    /// again.
    ///
    /// # Errors
    ///
    /// An error, such as a message above the limit, is final, and is followed by [`Event::Closed`].
    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>>;

    /// Polls for the end of the association without reading, so that a dead peer is detected in
    /// bounded time while the association is not read. Messages may still be unread when this
    /// method resolves.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End>;

    /// Sends as many messages from the front of the queue as there is room for, and removes them.
    /// Returns `Ready(Ok)` if the queue is empty, and `Pending` if there is no room.
    ///
    /// # Errors
    ///
    /// Returns an error if the front message was refused. The message has been removed; call again
    /// for the rest of the queue.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>>;

    /// Polls until the peer has acknowledged everything that was sent, for
    /// [`IncomingAssociation::acknowledged`](crate::IncomingAssociation::acknowledged).
    ///
    /// The default implementation is ready at once, for transports that lose nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the association has closed, so that it is unknown which messages have
    /// arrived.
    fn poll_acknowledged(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    /// Begins an orderly shutdown: a SHUTDOWN is sent once everything is acknowledged. This method
    /// does not wait, not even for room, and is idempotent.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. The session still waits for the end of the association, up
    /// to a timeout.
    fn start_shutdown(&mut self) -> io::Result<()>;

    /// Aborts the association: discards unsent messages and sends an ABORT with the reason. This
    /// method does not wait.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, which is harmless if the association has already closed.
    /// [`Unsupported`](io::ErrorKind::Unsupported) means that the transport cannot send a reason:
    /// the reason is logged, and the transport is dropped at once, which aborts without a reason.
    fn abort(&mut self, reason: &AbortReason) -> io::Result<()>;
}

/// Aborts an association that is not served.
pub(crate) fn abort(transport: &mut impl Transport, reason: &AbortReason) {
    if let Err(error) = transport.abort(reason) {
        tracing::debug!(error = &error as &dyn Error, "cannot abort");
    }
}

/// Source of associations.
///
/// [`ListenerExt`] has combinators. A custom listener around another one can access each
/// association before it is served, for example to set options.
///
/// To send unsolicited messages, keep an [`AssociationHandle`](crate::AssociationHandle) instead of
/// a [`SendHalf`](sctp_tokio::SendHalf): a handle does not keep the descriptor open, preserves the
/// order with replies, and works with every transport.
///
/// ```
/// use std::{io, net::SocketAddr};
///
/// use sctp_service::Listener;
/// use sctp_tokio::{Association, SctpListener};
///
/// /// Sends to a multi-homed peer's last address first.
/// struct LastFirst(SctpListener);
///
/// impl Listener for LastFirst {
///     type Transport = Association;
///
///     async fn accept(&mut self) -> io::Result<Association> {
///         let association = self.0.accept().await?;
///         if let Some(&last) = association.initial_peer_addrs().last() {
///             association.control().set_primary_addr(last)?;
///         }
///         Ok(association)
///     }
///
///     fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
///         self.0.local_addrs()
///     }
///
///     fn stop_listening(&mut self) -> io::Result<()> {
///         Listener::stop_listening(&mut self.0)
///     }
///
///     async fn accept_waiting(&mut self) -> Option<io::Result<Association>> {
///         self.0.accept_waiting().await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a listener",
    label = "not a listener",
    note = "bind one with `SctpListener::bind(addr).await?`"
)]
pub trait Listener: Send + 'static {
    /// Transport of the accepted associations.
    type Transport: Transport;

    /// Waits for the next association.
    ///
    /// # Errors
    ///
    /// No error is fatal. If a single association was lost (`ECONNABORTED` and similar),
    /// [`serve`](crate::serve()) accepts the next one at once, with a pause of 10 milliseconds
    /// after 64 such errors in a row. After any other error it pauses for a second, since
    /// descriptors and memory become available when associations close.
    ///
    /// # Cancel safety
    ///
    /// Implementations must be cancel-safe: if the future is dropped before it completes, no
    /// association is lost.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Transport>> + Send;

    /// Returns the local addresses of the listener.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>>;

    /// Stops listening: new peers are refused, and established associations continue. Associations
    /// that were established before but not yet accepted are still returned by
    /// [`accept_waiting`](Self::accept_waiting).
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn stop_listening(&mut self) -> io::Result<()>;

    /// Accepts an association that was established before the listener
    /// [stopped](Self::stop_listening), or returns `None` if none is left.
    ///
    /// A server that shuts down calls this method until it returns `None`. The default
    /// implementation polls [`accept`](Self::accept) twice, outside of tokio's cooperative budget,
    /// and lets the runtime check for readiness in between. A listener around another one should
    /// forward this method. A listener that hands associations over asynchronously should implement
    /// it.
    ///
    /// # Errors
    ///
    /// Same as for [`accept`](Self::accept).
    ///
    /// # Cancel safety
    ///
    /// Same as for [`accept`](Self::accept).
    fn accept_waiting(
        &mut self,
    ) -> impl Future<Output = Option<io::Result<Self::Transport>>> + Send {
        async {
            let mut accept = pin!(unconstrained(self.accept()));
            for _ in 0..2 {
                let polled = poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx))).await;
                if let Poll::Ready(accepted) = polled {
                    return Some(accepted);
                }
                yield_now().await;
            }
            None
        }
    }
}

/// `None` accepts no associations, for a server that only [dials](crate::Serve::with_dial).
impl<L: Listener> Listener for Option<L> {
    type Transport = L::Transport;

    async fn accept(&mut self) -> io::Result<Self::Transport> {
        match self {
            Some(listener) => listener.accept().await,
            None => pending().await,
        }
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_ref().map_or(Ok(Vec::new()), Listener::local_addrs)
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        self.as_mut().map_or(Ok(()), Listener::stop_listening)
    }

    async fn accept_waiting(&mut self) -> Option<io::Result<Self::Transport>> {
        self.as_mut()?.accept_waiting().await
    }
}

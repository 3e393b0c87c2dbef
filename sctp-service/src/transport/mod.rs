//! The seam between the framework and whatever carries its associations.

mod association;
mod endpoint;
mod listener_ext;

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
};
use crate::ConnectInfo;

/// Transport of one association.
///
/// The kernel's is [`sctp_tokio::Association`]; the one for tests is in the `testing` feature.
/// Every `poll_` method keeps the waker of the last task that polled it; an association polls all of
/// them from its one task.
///
/// Dropping a transport closes it. What that does on the wire is the transport's affair; one
/// that has not ended is dropped only with the task of its association, as when the runtime stops.
pub trait Transport: Send + 'static {
    /// Describes the association as it is now.
    fn connect_info(&self) -> ConnectInfo;

    /// Returns the length of the longest message that it can send, in bytes; `None` where it does not know, and a message
    /// that is too long is refused when it is to be sent. It is asked once for each association.
    fn max_message(&self) -> Option<usize> {
        None
    }

    /// Polls for the next message, notification or end.
    ///
    /// [`Event::Closed`] comes after everything that was queued before it, and asking again
    /// answers it again.
    ///
    /// # Errors
    ///
    /// An error (a message above the limit, something unknown of the kernel) is final, and
    /// followed by [`Event::Closed`].
    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>>;

    /// Polls for the end of the association without reading, so that an association that is held back
    /// hears of a dead peer in bounded time. Messages may still be unread when it resolves.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<End>;

    /// Sends from the front of the queue as much as there is room for, and removes each message
    /// that was taken. `Ready(Ok)` means that the queue is empty; `Pending`, that there is no
    /// room.
    ///
    /// # Errors
    ///
    /// The front message was refused and has been removed; call again for the rest.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Message>,
    ) -> Poll<Result<(), SendError>>;

    /// Polls until the peer has acknowledged everything that was taken. Only
    /// [`IncomingAssociation::acknowledged`](crate::IncomingAssociation::acknowledged) asks for it.
    ///
    /// By default it is ready at once, for transports that lose nothing.
    ///
    /// # Errors
    ///
    /// The association has ended, and it is unknown which messages have arrived.
    fn poll_acknowledged(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    /// Begins the orderly end: everything sent is acknowledged, then SHUTDOWN. It waits for
    /// nothing, not even for room, and doing it twice is doing it once.
    ///
    /// # Errors
    ///
    /// The error of the system. The end is waited for all the same, up to a limit.
    fn start_shutdown(&mut self) -> io::Result<()>;

    /// Ends at once: discards what is unsent and sends an ABORT with the reason. It waits for
    /// nothing.
    ///
    /// # Errors
    ///
    /// The error of the system; where the association is already gone, that is harmless.
    /// [`Unsupported`](io::ErrorKind::Unsupported) means that it can send no reason: that is
    /// logged, and the transport is dropped at once, which aborts without one.
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
/// [`ListenerExt`] has combinators. One of your own around another sees each association before it is
/// served: to set options of its own, say. To
/// send without being asked, an [`AssociationHandle`](crate::AssociationHandle) is what to keep,
/// and not a [`SendHalf`](sctp_tokio::SendHalf): it keeps no descriptor, goes out in order with the
/// replies, and works over every transport, for [`serve_endpoint`](crate::serve_endpoint) too.
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
///             association.set_primary_addr(last)?;
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
    /// The associations that it yields.
    type Transport: Transport;

    /// Waits for the next association.
    ///
    /// # Errors
    ///
    /// No error is final. [`serve`](crate::serve()) takes the next association at once when one
    /// was lost on the way (`ECONNABORTED` and its like), with a pause of 10 milliseconds after 64
    /// of them in a row. It pauses for a second after any other: descriptors and memory come back
    /// when associations end.
    ///
    /// # Cancel safety
    ///
    /// Required of every implementation: a future that is dropped before it completes has lost
    /// no association.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Transport>> + Send;

    /// Returns the addresses that it listens on.
    ///
    /// # Errors
    ///
    /// What the system said.
    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>>;

    /// Makes new peers be refused, and lets associations that are up live on. Those that came up
    /// before and were not yet accepted are still yielded by
    /// [`accept_waiting`](Self::accept_waiting).
    ///
    /// # Errors
    ///
    /// What the system said.
    fn stop_listening(&mut self) -> io::Result<()>;

    /// Accepts an association that came up before the listener [stopped](Self::stop_listening), or
    /// returns `None` when none is left.
    ///
    /// A server that shuts down calls this until it returns `None`. By default it polls
    /// [`accept`](Self::accept) twice, outside of tokio's cooperative budget, and lets the runtime
    /// look for readiness in between. A listener around another one passes it on; one whose
    /// associations take a while to be handed over implements it.
    ///
    /// # Errors
    ///
    /// Same as [`accept`](Self::accept).
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

/// `None` accepts nothing: for a server that only
/// [dials](crate::Serve::with_dial).
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

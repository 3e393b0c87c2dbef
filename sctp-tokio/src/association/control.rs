//! Control handle of an association.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use sctp_core::{
    AssocId, Socket, StreamId,
    options::{AssocStats, PathInfo, ResetDirection, Status},
};

use super::shared::{AssociationShared, already_closed_error};
use crate::error_context::{AddrList, AddrOwner, bind_error, prefixed};

/// Options, addresses and statistics of an established [`Association`](crate::Association), created
/// by its [`control`](crate::Association::control) method and those of the halves.
///
/// A handle is cheap to clone, can be used from any task, and does not keep the socket open. No
/// method waits. All other options are available through
/// [`Association::socket`](crate::Association::socket) and [`id`](Self::id).
///
/// # Errors
///
/// Each method that returns a `Result` fails with [`NotConnected`](io::ErrorKind::NotConnected) if the
/// association was closed before it had a socket, was dropped, or was converted into its socket.
/// Each but [`send_buffer_size`](Self::send_buffer_size) fails with `InvalidInput` once the
/// association is closed. Otherwise they return the errors of the method of [`Socket`] with the same
/// name.
///
/// # Example
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_tokio::Association;
///
/// let association = Association::connect("127.0.0.1:9877").await?;
/// let control = association.control();
/// for addr in control.peer_addrs()? {
///     let path = control.path_info(addr)?;
///     println!("{addr}: {:?}, {:?}", path.state, path.smoothed_rtt);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Control {
    id: AssocId,
    shared: Weak<AssociationShared>,
}

impl Control {
    pub(super) fn new(shared: &Arc<AssociationShared>) -> Self {
        Self {
            id: shared.id,
            shared: Arc::downgrade(shared),
        }
    }

    fn option<T>(&self, ask: impl FnOnce(&Socket, AssocId) -> io::Result<T>) -> io::Result<T> {
        let shared = self.shared.upgrade().ok_or_else(already_closed_error)?;
        ask(shared.socket().ok_or_else(already_closed_error)?, self.id)
    }

    /// Returns the association's identifier on its socket.
    #[must_use]
    pub fn id(&self) -> AssocId {
        self.id
    }

    /// Returns the state of the association; see [`Socket::status`].
    ///
    /// # Errors
    ///
    /// The [errors of every method](Self#errors).
    pub fn status(&self) -> io::Result<Status> {
        self.option(Socket::status)
    }

    /// Returns the counters of the association; see [`Socket::assoc_stats`].
    ///
    /// # Errors
    ///
    /// The [errors of every method](Self#errors).
    pub fn stats(&self) -> io::Result<AssocStats> {
        self.option(Socket::assoc_stats)
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`) in bytes, with one system call. It is the size
    /// of the largest message that can be sent; see [`Socket::send_buffer_size`].
    ///
    /// An association inherits the size from its listener or endpoint.
    ///
    /// # Errors
    ///
    /// The [errors of every method](Self#errors). A closed association is not an error.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.option(|socket, _| socket.send_buffer_size())
    }

    /// Returns the peer's current addresses, the primary one first; see [`Socket::peer_addrs`].
    ///
    /// # Errors
    ///
    /// The [errors of every method](Self#errors).
    pub fn peer_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.option(Socket::peer_addrs)
    }

    /// Returns the current local addresses; see [`Socket::local_addrs`].
    ///
    /// # Errors
    ///
    /// The [errors of every method](Self#errors).
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.option(Socket::local_addrs)
    }

    /// Returns the state of the path to one of the peer's addresses; see [`Socket::path_info`].
    /// [`Notification::PeerAddrChange`](crate::Notification::PeerAddrChange) reports changes.
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput`, with the list of the peer's addresses, if the peer does not have the
    /// address. Otherwise the [errors of every method](Self#errors).
    pub fn path_info(&self, addr: SocketAddr) -> io::Result<PathInfo> {
        self.option(|socket, id| {
            let explain = |error| AddrOwner::Peer.explain(error, socket, id, addr);
            socket.path_info(id, addr).map_err(explain)
        })
    }

    /// Makes the path to this address of the peer the primary path; see
    /// [`Socket::set_primary_addr`].
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput`, with the list of the peer's addresses, if the peer does not have the
    /// address. Otherwise the [errors of every method](Self#errors).
    pub fn set_primary_addr(&self, addr: SocketAddr) -> io::Result<()> {
        self.option(|socket, id| {
            let explain = |error| AddrOwner::Peer.explain(error, socket, id, addr);
            socket.set_primary_addr(id, addr).map_err(explain)
        })
    }

    /// Asks the peer to make this local address its primary path; see
    /// [`Socket::set_peer_primary_addr`]. Requires ASCONF (RFC 5061).
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` without ASCONF, and `AddrNotAvailable`, with the list of local
    /// addresses, if this end does not have the address. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn set_peer_primary_addr(&self, addr: SocketAddr) -> io::Result<()> {
        self.option(|socket, id| {
            keep_asconf(socket, id);
            let explain = |error| AddrOwner::Local.explain(error, socket, id, addr);
            socket.set_peer_primary_addr(id, addr).map_err(explain)
        })
    }

    /// Probes the path to one of the peer's addresses, or all paths; see
    /// [`Socket::request_heartbeat`].
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the peer does not have the address. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn request_heartbeat(&self, addr: Option<SocketAddr>) -> io::Result<()> {
        self.option(|socket, id| {
            let explain = |error| match addr {
                Some(addr) => AddrOwner::Peer.explain(error, socket, id, addr),
                None => error,
            };
            socket.request_heartbeat(id, addr).map_err(explain)
        })
    }

    /// Adds local addresses; see [`Socket::bindx_add`]. Their port must be that of the socket.
    ///
    /// With ASCONF (RFC 5061) the peer is informed and can use them. Without ASCONF, the
    /// peer does not learn of them.
    ///
    /// # Errors
    ///
    /// Returns `AddrNotAvailable` if the machine does not have an address. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn bindx_add(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.option(|socket, id| {
            keep_asconf(socket, id);
            let explain = |error| bind_error(&error, socket, id, addrs);
            socket.bindx_add(addrs).map_err(explain)
        })
    }

    /// Removes local addresses; see [`Socket::bindx_remove`]. With ASCONF (RFC 5061) the
    /// peer is informed and stops using them.
    ///
    /// # Errors
    ///
    /// Returns `ResourceBusy` for the last address. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn bindx_remove(&self, addrs: &[SocketAddr]) -> io::Result<()> {
        self.option(|socket, id| {
            keep_asconf(socket, id);
            let named = |error| prefixed(&error, format_args!("cannot unbind {}", AddrList(addrs)));
            socket.bindx_remove(addrs).map_err(named)
        })
    }

    /// Requests a reset of streams to sequence number 0 (RFC 6525); see
    /// [`Socket::reset_streams`]. An empty list means all streams.
    /// [`Notification::StreamReset`](crate::Notification::StreamReset) reports the result.
    ///
    /// # Errors
    ///
    /// Returns `Unsupported` without stream reconfiguration. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn reset_streams(&self, direction: ResetDirection, streams: &[StreamId]) -> io::Result<()> {
        self.option(|socket, id| socket.reset_streams(id, direction, streams))
    }

    /// Requests additional streams in each direction (RFC 6525); see
    /// [`Socket::add_streams`].
    ///
    /// [`Notification::StreamChange`](crate::Notification::StreamChange) reports the
    /// result. The new streams can be used once it has been received.
    ///
    /// # Errors
    ///
    /// Returns `Unsupported` without stream reconfiguration. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn add_streams(&self, inbound: u16, outbound: u16) -> io::Result<()> {
        self.option(|socket, id| socket.add_streams(id, inbound, outbound))
    }

    /// Adds or replaces a shared key (RFC 4895); see [`Socket::set_auth_key`].
    ///
    /// To rotate keys, add the new one at both ends, [activate](Self::set_active_auth_key) it,
    /// deactivate the old one, and [delete](Self::delete_auth_key) it after
    /// [`Notification::Authentication`](crate::Notification::Authentication) has reported that it is
    /// no longer in use.
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` without AUTH. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn set_auth_key(&self, key: u16, secret: &[u8]) -> io::Result<()> {
        self.option(|socket, id| socket.set_auth_key(id, key, secret))
    }

    /// Makes this shared key the active one, with which messages are authenticated; see
    /// [`Socket::set_active_auth_key`].
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` if the key does not exist. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn set_active_auth_key(&self, key: u16) -> io::Result<()> {
        self.option(|socket, id| socket.set_active_auth_key(id, key))
    }

    /// Stops sending with a shared key; see [`Socket::deactivate_auth_key`].
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` for the active key. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn deactivate_auth_key(&self, key: u16) -> io::Result<()> {
        self.option(|socket, id| socket.deactivate_auth_key(id, key))
    }

    /// Deletes a shared key; see [`Socket::delete_auth_key`].
    ///
    /// # Errors
    ///
    /// Returns `InvalidInput` for the active key. Otherwise the [errors of every
    /// method](Self#errors).
    pub fn delete_auth_key(&self, key: u16) -> io::Result<()> {
        self.option(|socket, id| socket.delete_auth_key(id, key))
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Enables ASCONF on the socket if the association has it.
///
/// A peeled-off or accepted socket does not inherit the setting (`sctp_endpoint_init`), and would not
/// inform the peer.
fn keep_asconf(socket: &Socket, assoc: AssocId) {
    if matches!(socket.asconf_supported(assoc), Ok(true)) {
        // If this fails, the operation that needs it fails too.
        let _ = socket.set_asconf_supported(true);
    }
}

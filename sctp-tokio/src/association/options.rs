//! Looking at an association while it is up, and changing it.

use std::{io, net::SocketAddr};

use sctp_core::{
    AssocId, Socket, StreamId,
    options::{AssocStats, PathInfo, ResetDirection, Status},
};

use super::{
    Association,
    send_half::SendHalf,
    shared::{AssociationShared, already_closed_error},
};
use crate::error_context::{AddrList, AddrOwner, bind_error, prefixed};

/// The same for an association and for its sending half, which can be in another task.
macro_rules! manage {
    ($handle:ident, $shared:ident) => {
        /// What the association is doing now, without naming it in each call. Everything else that
        /// an association can be asked and told is reached through
        #[doc = concat!("[`socket`](", stringify!($handle), "::socket) and")]
        #[doc = concat!("[`id`](", stringify!($handle), "::id).")]
        ///
        /// # Errors
        ///
        /// Each of these calls answers [`NotConnected`](io::ErrorKind::NotConnected) when the
        /// association had ended before it could get a socket, `InvalidInput` once it has ended,
        /// and otherwise what the method of [`Socket`] with the same purpose says.
        impl $handle {
            fn option<T>(
                &self,
                ask: impl FnOnce(&Socket, AssocId) -> io::Result<T>,
            ) -> io::Result<T> {
                let shared: &AssociationShared = self.$shared();
                ask(shared.socket().ok_or_else(already_closed_error)?, shared.id)
            }

            /// Returns the state of the association; see [`Socket::status`].
            ///
            /// # Errors
            ///
            /// As said above.
            pub fn status(&self) -> io::Result<Status> {
                self.option(Socket::status)
            }

            /// Returns what the association has done so far; see [`Socket::assoc_stats`].
            ///
            /// # Errors
            ///
            /// As said above.
            pub fn stats(&self) -> io::Result<AssocStats> {
                self.option(Socket::assoc_stats)
            }

            /// Returns the size of the send buffer (`SO_SNDBUF`): the length of the longest message
            /// that can be sent. One system call; see [`Socket::send_buffer_size`].
            ///
            /// An association has what its listener or endpoint had, whatever was asked for there.
            ///
            /// # Errors
            ///
            /// `NotConnected` as said above, and what `getsockopt(2)` says; that the association has
            /// ended is no error.
            #[doc(alias = "SO_SNDBUF")]
            pub fn send_buffer_size(&self) -> io::Result<usize> {
                self.option(|socket, _| socket.send_buffer_size())
            }

            /// Returns the peer's addresses as they are now, the primary one first.
            ///
            /// # Errors
            ///
            /// As said above.
            pub fn current_peer_addrs(&self) -> io::Result<Vec<SocketAddr>> {
                self.option(Socket::peer_addrs)
            }

            /// Returns this end's addresses as they are now.
            ///
            /// # Errors
            ///
            /// As said above.
            pub fn current_local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
                self.option(Socket::local_addrs)
            }

            /// Returns the state of the path to one of the peer's addresses; see
            /// [`Socket::path_info`]. That it changes is told by
            /// [`Notification::PeerAddrChange`](crate::Notification::PeerAddrChange).
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also when the peer does not have the address, and then the
            /// text names it and those that the peer has.
            pub fn peer_path(&self, addr: SocketAddr) -> io::Result<PathInfo> {
                self.option(|socket, id| {
                    let explain = |error| AddrOwner::Peer.explain(error, socket, id, addr);
                    socket.path_info(id, addr).map_err(explain)
                })
            }

            /// Sends on the path to this address of the peer, as long as it works; see
            /// [`Socket::set_primary_addr`].
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also when the peer does not have the address, and then the
            /// text names it and those that the peer has.
            pub fn set_primary(&self, addr: SocketAddr) -> io::Result<()> {
                self.option(|socket, id| {
                    let explain = |error| AddrOwner::Peer.explain(error, socket, id, addr);
                    socket.set_primary_addr(id, addr).map_err(explain)
                })
            }

            /// Asks the peer to send to this address of ours, as long as it works; see
            /// [`Socket::set_peer_primary_addr`]. Needs ASCONF (RFC 5061).
            ///
            /// # Errors
            ///
            /// As said above; `PermissionDenied` without ASCONF; `AddrNotAvailable` when this end does not
            /// have the address, and then the text names it and those that this end has.
            pub fn set_peer_primary(&self, addr: SocketAddr) -> io::Result<()> {
                self.option(|socket, id| {
                    keep_asconf(socket, id);
                    let explain = |error| AddrOwner::Own.explain(error, socket, id, addr);
                    socket.set_peer_primary_addr(id, addr).map_err(explain)
                })
            }

            /// Probes the path to one of the peer's addresses now, or all of its paths; see
            /// [`Socket::request_heartbeat`].
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also when the peer does not have the address.
            pub fn request_heartbeat(&self, addr: Option<SocketAddr>) -> io::Result<()> {
                self.option(|socket, id| {
                    let explain = |error| match addr {
                        Some(addr) => AddrOwner::Peer.explain(error, socket, id, addr),
                        None => error,
                    };
                    socket.request_heartbeat(id, addr).map_err(explain)
                })
            }

            /// Adds addresses to this end; see [`Socket::bindx_add`]. The port of each must be the
            /// one that the socket is bound to. With ASCONF (RFC 5061) the peer is told and uses
            /// them; without, it never learns of them.
            ///
            /// # Errors
            ///
            /// As said above; `AddrNotAvailable` for an address of another machine.
            pub fn bind_also(&self, addrs: &[SocketAddr]) -> io::Result<()> {
                self.option(|socket, id| {
                    keep_asconf(socket, id);
                    let explain = |error| bind_error(&error, socket, id, addrs);
                    socket.bindx_add(addrs).map_err(explain)
                })
            }

            /// Gives addresses of this end up; see [`Socket::bindx_remove`]. With ASCONF (RFC 5061)
            /// the peer is told and stops using them.
            ///
            /// # Errors
            ///
            /// As said above; `ResourceBusy` for the last address.
            pub fn unbind(&self, addrs: &[SocketAddr]) -> io::Result<()> {
                self.option(|socket, id| {
                    keep_asconf(socket, id);
                    let named =
                        |error| prefixed(&error, format_args!("cannot unbind {}", AddrList(addrs)));
                    socket.bindx_remove(addrs).map_err(named)
                })
            }

            /// Asks to begin streams again at sequence number 0, an empty list meaning all (RFC
            /// 6525); see [`Socket::reset_streams`]. How it went is told by
            /// [`Notification::StreamReset`](crate::Notification::StreamReset).
            ///
            /// # Errors
            ///
            /// As said above; `Unsupported` when the association cannot be reconfigured.
            pub fn reset_streams(
                &self,
                direction: ResetDirection,
                streams: &[StreamId],
            ) -> io::Result<()> {
                self.option(|socket, id| socket.reset_streams(id, direction, streams))
            }

            /// Asks for so many more streams in each direction (RFC 6525); see
            /// [`Socket::add_streams`]. How it went is told by
            /// [`Notification::StreamChange`](crate::Notification::StreamChange); once that has been
            /// received, the new ones can be sent on.
            ///
            /// # Errors
            ///
            /// As said above; `Unsupported` when the association cannot be reconfigured.
            pub fn add_streams(&self, inbound: u16, outbound: u16) -> io::Result<()> {
                self.option(|socket, id| socket.add_streams(id, inbound, outbound))
            }

            /// Adds a shared key, or replaces the one of this number (RFC 4895); see
            /// [`Socket::set_auth_key`]. To rotate keys: add the new one at both ends, then
            #[doc = concat!("[`activate`](", stringify!($handle), "::activate_auth_key) it,")]
            /// deactivate the old one, and
            #[doc = concat!("[`delete`](", stringify!($handle), "::delete_auth_key)")]
            /// it when [`Notification::Authentication`](crate::Notification::Authentication) says
            /// that nothing needs it any more.
            ///
            /// # Errors
            ///
            /// As said above; `PermissionDenied` without AUTH.
            pub fn set_auth_key(&self, key: u16, secret: &[u8]) -> io::Result<()> {
                self.option(|socket, id| socket.set_auth_key(id, key, secret))
            }

            /// Sends with this shared key from now on; see [`Socket::set_active_auth_key`].
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also when there is no such key.
            pub fn activate_auth_key(&self, key: u16) -> io::Result<()> {
                self.option(|socket, id| socket.set_active_auth_key(id, key))
            }

            /// Stops sending with a shared key; see [`Socket::deactivate_auth_key`].
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also for the active key.
            pub fn deactivate_auth_key(&self, key: u16) -> io::Result<()> {
                self.option(|socket, id| socket.deactivate_auth_key(id, key))
            }

            /// Forgets a shared key; see [`Socket::delete_auth_key`].
            ///
            /// # Errors
            ///
            /// As said above; `InvalidInput` also for the active key.
            pub fn delete_auth_key(&self, key: u16) -> io::Result<()> {
                self.option(|socket, id| socket.delete_auth_key(id, key))
            }
        }
    };
}

/// Turns ASCONF on for the socket, if the association has it: one that was peeled off or accepted
/// has forgotten what it was made with (`sctp_endpoint_init`), and would tell the peer nothing.
fn keep_asconf(socket: &Socket, assoc: AssocId) {
    if matches!(socket.asconf_supported(assoc), Ok(true)) {
        // If it is refused, what comes next says why.
        let _ = socket.set_asconf_supported(true);
    }
}

manage!(Association, shared);
manage!(SendHalf, shared);

//! Asynchronous SCTP for tokio on Linux.
//!
//! # Choosing a type
//!
//! | task | type |
//! |---|---|
//! | Talk to one peer | [`Association::connect`], or [`SocketBuilder`] for several addresses and options |
//! | Serve peers, each on its own socket | [`SctpListener`] |
//! | Serve all peers on one descriptor | [`Endpoint`] |
//! | Read statistics, change addresses, paths, streams and keys | [`Association::control`] |
//! | Interoperate with one-to-one sockets | [`OneToOneListener`], [`SocketBuilder::connect_one_to_one`] |
//! | Take over a descriptor from systemd or a parent process | [`SocketBuilder::listen_from`] and its variants |
//! | Run TLS or HTTP on an association | [`ByteStream`], an `AsyncRead`, `AsyncBufRead` and `AsyncWrite` |
//! | Use a codec of tokio-util | [`MessageFramed`] |
//! | Let short messages pass long ones of other streams | [`SocketBuilder::with_interleaving`] |
//! | Handle messages with a tower service | the crate `sctp-service` |
//! | Make the system calls directly | the crate `sctp-core` |
//!
//! With [`Association`] and [`SctpListener`], a slow peer does not delay others. On an [`Endpoint`]
//! all peers share one send buffer and one receive queue.
//!
//! # Three forms of each operation
//!
//! An `async fn`, a `poll_` function for hand-written futures, and a `try_` function that fails
//! instead of waiting: sending with [`SendError::Full`], other operations with an error of kind
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock). [`Association`], [`RecvHalf`],
//! [`Endpoint`] and the listeners are also `Stream`s; [`Association::sink`] and [`SendHalf::into_sink`]
//! return a `Sink`, [`MessageSink`].
//!
//! The `poll_` functions take `&mut self` and keep the waker of the most recent call, so each task
//! polls its own handle.
//!
//! The end of an association is available as [`closed`](Association::closed),
//! [`poll_closed`](Association::poll_closed) and [`end`](Association::end).
//!
//! Sending to an address instead of an association is available only in [`sctp_core`]: it can
//! establish an unwanted association, and block the thread.
//!
//! # Runtime
//!
//! Sockets need a tokio runtime with its I/O and time drivers enabled, as `#[tokio::main]` and
//! `enable_all` provide it. Creating a socket outside one panics, also by connecting or accepting.
//!
//! # Closing an association
//!
//! | operation | on the wire | events of the peer |
//! |---|---|---|
//! | [`Association::shutdown`] | everything that was sent, then the SHUTDOWN handshake | the messages, then [`End::Shutdown`] by [`Side::Peer`] |
//! | [`Association::abort`] | an ABORT with the reason; unsent messages are discarded | [`End::Aborted`] with the reason, [`End::reason`] |
//! | drop | SHUTDOWN, or ABORT if messages are unread | either of the above |
//! | failure of the network | nothing | [`End::Lost`] after the kernel's retransmissions |
//!
//! The end is queued behind the messages. To receive every message, receive until [`Event::Closed`]
//! (or `None`).
//!
//! # Types of other crates
//!
//! The public API exposes types and traits of these crates, all but tokio re-exported. A new major
//! version of any of them requires a new major version of this crate.
//!
//! | crate | where |
//! |---|---|
//! | [`sctp_core`] | identifiers, notifications, socket options |
//! | [`bytes`] | payloads |
//! | [`futures_core`], [`futures_sink`] | `Stream` and `Sink` of associations, listeners and endpoints |
//! | `tokio` | `ToSocketAddrs`, and the traits of [`ByteStream`] |
//! | [`tokio_util`] | `codec` of [`MessageFramed`] |
//!
//! # Guides
//!
//! [`guide::errors`] lists the errors of each operation, and [`guide::performance`] the choices
//! that decide throughput and latency.

#![forbid(unsafe_code)]

// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod association;
mod byte_stream;
mod endpoint;
mod error;
mod error_context;
mod event;
mod framed;
pub mod guide;
mod io;
mod listener;
mod message;
mod send;
mod socket;
mod sync;

pub use association::{
    Association,
    control::Control,
    end::{End, Side},
    recv_half::RecvHalf,
    reunite::ReuniteError,
    send_half::SendHalf,
};
pub use byte_stream::ByteStream;
#[doc(no_inline)]
pub use bytes;
pub use endpoint::{Endpoint, sender::EndpointSender};
pub use error::{ConnectError, EndpointSendError, RecvError, SendError};
pub use event::{EndpointEvent, Event};
pub use framed::{
    codec::{DecodeError, EncodeError, MessageFramed},
    sink::MessageSink,
};
#[doc(no_inline)]
pub use futures_core;
#[doc(no_inline)]
pub use futures_sink;
pub use listener::{SctpListener, one_to_one::OneToOneListener};
pub use message::{Message, Received};
pub use sctp_core::{
    self, AbortReason, AssocChange, AssocChangeState, AssocId, ErrorCause, ErrorCauses, EventSet,
    Notification, PeerAddrChange, PeerAddrChangeState, Ppid, ReasonTooLong, RecvInfo, Reliability,
    SendFailed, SendInfo, Socket, StreamId, options,
};
pub use socket::builder::SocketBuilder;
#[doc(no_inline)]
pub use tokio_util;

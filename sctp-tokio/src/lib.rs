//! Asynchronous SCTP for tokio over the Linux kernel.
//!
//! # Which type do I need?
//!
//! | you want | use |
//! |---|---|
//! | to talk to one peer | [`Association::connect`], or [`SocketBuilder`] for several addresses and options |
//! | to serve peers, each with a socket of its own | [`SctpListener`] |
//! | one descriptor for all peers, as in the textbook's servers | [`Endpoint`] |
//! | sockets that TCP's code could own, for interoperation | [`OneToOneListener`], [`SocketBuilder::connect_one_to_one`] |
//! | a descriptor that systemd or a parent process passed | [`SocketBuilder::listen_from`] and its like |
//! | items instead of bytes, with a codec of tokio-util | [`MessageFramed`] |
//! | short messages that do not wait for long ones of other streams | [`SocketBuilder::with_interleaving`] |
//! | to handle messages with a tower service | the crate `sctp-service` |
//! | the system calls themselves | the crate `sctp-core` |
//!
//! [`Association`] and [`SctpListener`] keep a slow peer from delaying any other. On an
//! [`Endpoint`] all peers share one send buffer and one receive queue.
//!
//! # Every operation in three forms
//!
//! An `async fn`, a `poll_` function for hand-written futures, and a `try_` function that answers
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock) instead of waiting. [`Association`], [`RecvHalf`],
//! [`Endpoint`] and the listeners are also `Stream`s, [`Association`] and [`SendHalf`] also
//! `Sink`s.
//!
//! Sending to an address, and not to an association, is only in [`sctp_core`]: it can open an
//! association that nobody asked for, and block the thread.
//!
//! # The runtime
//!
//! Sockets are made in a tokio runtime with its I/O and time drivers enabled, as `#[tokio::main]` and
//! `enable_all` have them. Elsewhere making one panics, connecting and accepting included.
//!
//! # How an association ends
//!
//! | here | on the wire | the peer receives |
//! |---|---|---|
//! | [`Association::shutdown`] | all that was sent, then the SHUTDOWN handshake | the messages, then [`End::Shutdown`] by [`Side::Peer`] |
//! | [`Association::abort`] | an ABORT with the reason; what is unsent is discarded | [`End::Aborted`] with the reason, [`End::reason`] |
//! | drop | SHUTDOWN, or ABORT if messages are unread | either of these |
//! | the network fails | nothing | [`End::Lost`] after the kernel's retransmissions |
//!
//! The end is queued behind the messages: receive until [`Event::Ended`] (or `None`) and nothing
//! is lost.
//!
//! # When something goes wrong
//!
//! [`errors`] says which error comes when: the peer refuses, aborts with a reason or vanishes, a
//! message is too long, a buffer is full, the kernel has no SCTP.
//!
//! # When it is slow
//!
//! [`tuning`] says which settings of the kernel decide throughput, and how to see which one it is;
//! [`performance`] what this crate itself costs; and [`shared_socket`] what an [`Endpoint`] with many
//! associations needs.

#![forbid(unsafe_code)]

// So that the example on the first page of the package is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod association;
mod endpoint;
mod error;
mod error_context;
mod event;
mod framed;
mod io;
mod listener;
mod message;
mod send;
mod socket;
mod sync;

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/shared_socket.md")]
pub mod shared_socket {}

#[doc = include_str!("../docs/tuning.md")]
pub mod tuning {}

pub use association::{
    Association,
    end::{End, Side},
    recv_half::RecvHalf,
    send_half::SendHalf,
};
pub use endpoint::{Endpoint, sender::EndpointSender};
pub use error::{ConnectError, EndpointSendError, RecvError, SendError};
pub use event::{EndpointEvent, Event};
pub use framed::codec::{DecodeError, EncodeError, MessageFramed};
pub use listener::{SctpListener, one_to_one::OneToOneListener};
pub use message::{Message, Received};
pub use sctp_core::{
    self, AbortReason, AssocChange, AssocChangeState, AssocId, ErrorCause, ErrorCauses, EventSet,
    Notification, PeerAddrChange, PeerAddrChangeState, Ppid, ReasonTooLong, RecvInfo, Reliability,
    SendFailed, SendInfo, Socket, StreamId, options,
};
pub use socket::builder::SocketBuilder;

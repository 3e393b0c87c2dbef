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

mod adopt;
mod arrival;
mod assembly;
mod association;
mod association_io;
mod builder;
mod codec;
mod connect;
mod connect_any;
mod debug;
mod end;
mod endpoint;
mod endpoint_arrival;
mod endpoint_batch;
mod endpoint_sender;
mod error;
mod event;
mod explained;
mod give_away;
mod hub;
mod hung_up;
mod io;
mod listener;
mod listener_arrival;
mod manage;
mod many;
mod message;
mod one_to_one;
mod opening;
mod receive;
mod recv_half;
mod run;
mod send;
mod send_half;
mod shared;
mod sink;
mod sync;
mod waiters;

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/shared_socket.md")]
pub mod shared_socket {}

#[doc = include_str!("../docs/tuning.md")]
pub mod tuning {}

pub use association::Association;
pub use builder::SocketBuilder;
pub use codec::{DecodeError, EncodeError, MessageFramed};
pub use end::{End, Side};
pub use endpoint::{Endpoint, EndpointEvent};
pub use endpoint_sender::EndpointSender;
pub use error::{ConnectError, EndpointSendError, RecvError, SendError};
pub use event::Event;
pub use listener::SctpListener;
pub use message::{Message, Received};
pub use one_to_one::OneToOneListener;
pub use recv_half::RecvHalf;
pub use sctp_core::{
    self, AbortReason, AssocChange, AssocChangeState, AssocId, ErrorCause, ErrorCauses, EventSet,
    Notification, PeerAddrChange, PeerAddrChangeState, Ppid, ReasonTooLong, RecvInfo, Reliability,
    SendFailed, SendInfo, Socket, StreamId, options,
};
pub use send_half::SendHalf;

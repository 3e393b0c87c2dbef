//! Linux kernel SCTP for Rust: the types of RFC 9260 and RFC 6458, the kernel's ABI, and a
//! [`Socket`] whose methods are one system call each.
//!
//! This crate adds no buffering or scheduling. A call that would block fails with
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock), and a message that does not fit its buffer
//! arrives in parts. `sctp-tokio` adds async readiness and message reassembly; `sctp-service`
//! dispatches messages to a tower service.
//!
//! # SCTP in one page
//!
//! An **association** connects two endpoints, each of which may have several addresses
//! (multi-homing). It carries **messages**, not bytes: one receive returns exactly one sent
//! message.
//!
//! Messages travel on **streams**, numbered from 0 in each direction. Messages of one stream stay
//! in order, and a lost packet delays only the streams whose messages it carried. A *long* message
//! still delays all messages sent after it, unless both ends
//! [interleave](Socket::set_interleaving_supported) messages. Each message carries a payload
//! protocol identifier ([`Ppid`]), which the kernel does not interpret.
//!
//! A **one-to-many** socket carries any number of associations, each identified by an [`AssocId`].
//! An association can be **peeled off** to a socket of its own. A **one-to-one** socket behaves
//! like a TCP socket. On Linux, `SCTP_EOF` and `SCTP_ABORT` with a reason work on one-to-many and
//! peeled-off sockets only.
//!
//! The kernel reports events in the same queue as the messages, as [`Notification`]s.
//!
//! # Overview
//!
//! | module or type | purpose |
//! |---|---|
//! | [`AssocId`], [`StreamId`], [`Ppid`] | identifiers |
//! | [`SendInfo`], [`RecvInfo`], [`NextInfo`], [`Reliability`] | metadata of messages |
//! | [`AbortReason`], [`ErrorCause`] | reasons for which an association was aborted |
//! | [`Notification`], [`EventSet`] | events, and subscriptions to them |
//! | [`Socket`], [`SocketRef`], [`RecvBatch`] | system calls |
//! | [`options`] | value types of the socket options |
//! | [`errno`] | error numbers that `ErrorKind` does not distinguish |
//!
//! The public API exposes types of [`bytes`], and implements the trait of [`bitflags`] for sets of
//! flags. Both crates are re-exported. A new major version of either requires a new major version
//! of this crate.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only the system calls use it")
)]

#[cfg(not(unix))]
compile_error!("sctp-core compiles on Unix systems only");

mod abi;
mod abort_reason;
mod cmsg;
pub mod errno;
mod error_cause;
mod event_set;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(test, not(fuzzing)))]
mod fuzzing;
mod ids;
mod info;
mod notification;
pub mod options;
mod ppid;
mod reliability;
mod sockaddr;
mod socket;
mod sys;

pub use abort_reason::{AbortReason, ReasonTooLong};
#[doc(no_inline)]
pub use bitflags;
#[doc(no_inline)]
pub use bytes;
pub use error_cause::{ErrorCause, ErrorCauseIter, ErrorCauses};
pub use event_set::EventSet;
pub use ids::{AssocId, StreamId};
pub use info::{NextInfo, RecvInfo, SendInfo};
pub use notification::*;
pub use ppid::{ParsePpidError, Ppid};
pub use reliability::Reliability;
pub use socket::*;
pub use sys::SocketRef;

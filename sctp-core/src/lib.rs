//! Linux kernel SCTP for Rust: the types of RFC 9260 and RFC 6458, the kernel's ABI,
//! and a [`Socket`] on which one method is one system call.
//!
//! This crate does no scheduling and hides nothing: a call that would block answers
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock), a message that does not fit its buffer
//! comes in parts. `sctp-tokio` adds readiness and whole messages on top, `sctp-service`
//! turns messages into calls of a tower service.
//!
//! # SCTP in one page
//!
//! An **association** connects two endpoints, each of which may have several addresses
//! (multi-homing). It carries **messages**, not bytes: what one `send` wrote, one receive
//! returns. Messages travel on **streams**, numbered from 0 in each direction; order holds
//! within a stream and not between streams, so a lost packet delays one stream alone. (A *long*
//! message delays all that are sent after it, unless both ends
//! [interleave](Socket::set_interleaving_supported) messages.) Each message carries a payload
//! protocol identifier ([`Ppid`]) that the kernel does not look at.
//!
//! A **one-to-many** socket carries any number of associations, told apart by [`AssocId`]; one
//! of them can be **peeled off** to a socket of its own. A **one-to-one** socket behaves like
//! TCP's. On Linux the two ways to end an association *by message*, `SCTP_EOF` and
//! `SCTP_ABORT` with a reason, work on one-to-many and peeled-off sockets only.
//!
//! Everything the kernel has to say arrives in the same queue as the messages, as a
//! [`Notification`].
//!
//! # Where things are
//!
//! | module or type | what |
//! |---|---|
//! | [`AssocId`], [`StreamId`], [`Ppid`] | identifiers |
//! | [`SendInfo`], [`RecvInfo`], [`NextInfo`], [`Reliability`] | what travels beside a message |
//! | [`AbortReason`], [`ErrorCause`] | why an association ended |
//! | [`Notification`], [`EventSet`] | what the kernel reports, and what to ask it for |
//! | [`Socket`], [`RecvBatch`] | the system calls |
//! | [`options`] | the value types of the socket options |

#[cfg(not(target_os = "linux"))]
compile_error!("sctp-core is made of Linux's system calls, and builds for Linux only");

mod abi;
mod abort_reason;
mod cmsg;
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
pub use error_cause::{ErrorCause, ErrorCauseIter, ErrorCauses};
pub use event_set::EventSet;
pub use ids::{AssocId, StreamId};
pub use info::{NextInfo, RecvInfo, SendInfo};
pub use notification::*;
pub use ppid::Ppid;
pub use reliability::Reliability;
pub use socket::*;

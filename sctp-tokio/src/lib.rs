//! Asynchronous SCTP for tokio over the Linux kernel.
mod end;
mod error;
mod event;
mod message;

pub use end::{End, Side};
pub use error::{ConnectError, RecvError, SendError};
pub use event::Event;
pub use message::{Message, Received};
pub use sctp_core::{
    AbortReason, AssocId, ErrorCause, ErrorCauses, EventSet, Notification, Ppid, RecvInfo,
    Reliability, SendInfo, StreamId,
};

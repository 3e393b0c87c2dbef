//! Abort reasons of the framework.

use sctp_core::AbortReason;

pub(crate) static DRAIN_TIMED_OUT: AbortReason = AbortReason::from_static("drain timed out");
pub(crate) static HANDSHAKE_TIMED_OUT: AbortReason =
    AbortReason::from_static("handshake timed out");
pub(crate) static INTERNAL_ERROR: AbortReason = AbortReason::from_static("internal error");
pub(crate) static MALFORMED_PAYLOAD: AbortReason = AbortReason::from_static("malformed payload");
pub(crate) static MESSAGE_TOO_LARGE: AbortReason = AbortReason::from_static("message too large");
pub(crate) static NO_REPLY: AbortReason = AbortReason::from_static("no reply");
pub(crate) static NO_REPLY_STREAM: AbortReason = AbortReason::from_static("no stream to reply on");
pub(crate) static SERVER_SHUTTING_DOWN: AbortReason =
    AbortReason::from_static("server shutting down");
pub(crate) static SHUTDOWN_TIMED_OUT: AbortReason = AbortReason::from_static("shutdown timed out");
pub(crate) static TOO_MANY_ASSOCIATIONS: AbortReason =
    AbortReason::from_static("too many associations");
pub(crate) static UNEXPECTED_REPLY: AbortReason = AbortReason::from_static("unexpected reply");

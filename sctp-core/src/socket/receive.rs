//! Receiving of single messages.

use std::{fmt, io, net::SocketAddr, os::fd::AsFd};

use bytes::BufMut;

use super::Socket;
use crate::{
    abi,
    cmsg::RecvControl,
    info::{NextInfo, RecvInfo},
    sockaddr, sys,
};

/// Flags of a receive (`msg_flags`).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RecvFlags(i32);

impl RecvFlags {
    /// Returns `true` if this part ends its message (`MSG_EOR`).
    #[must_use]
    pub fn is_end_of_record(self) -> bool {
        self.0 & libc::MSG_EOR != 0
    }

    /// Returns `true` for a notification, or a part of one (`MSG_NOTIFICATION`).
    #[must_use]
    pub fn is_notification(self) -> bool {
        self.0 & abi::MSG_NOTIFICATION != 0
    }

    /// Returns `true` if ancillary data was lost for lack of space (`MSG_CTRUNC`).
    #[must_use]
    pub fn is_control_truncated(self) -> bool {
        self.0 & libc::MSG_CTRUNC != 0
    }

    /// Returns `true` if a part of the message was lost for lack of space (`MSG_TRUNC`).
    #[must_use]
    pub fn is_truncated(self) -> bool {
        self.0 & libc::MSG_TRUNC != 0
    }
}

impl fmt::Debug for RecvFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_end_of_record(), "MSG_EOR"),
            (self.is_notification(), "MSG_NOTIFICATION"),
            (self.is_control_truncated(), "MSG_CTRUNC"),
            (self.is_truncated(), "MSG_TRUNC"),
        ];
        f.debug_set()
            .entries(
                names
                    .into_iter()
                    .filter(|(set, _)| *set)
                    .map(|(_, name)| name),
            )
            .finish()
    }
}

/// Metadata of a received message or notification, or of a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecvMeta {
    /// Number of received bytes.
    pub len: usize,
    /// Flags of the receive.
    pub flags: RecvFlags,
    /// Metadata of the message, present on every part of a message and on no notification.
    ///
    /// `None` unless [`Socket::set_recv_rcvinfo`] is on.
    pub info: Option<RecvInfo>,
    /// Metadata of the next message in the queue. `None` unless [`Socket::set_recv_nxtinfo`] is on.
    pub next: Option<NextInfo>,
    /// Source address.
    pub from: Option<SocketAddr>,
}

impl RecvMeta {
    pub(super) fn decode(len: usize, raw: sys::RawMeta<'_>) -> Self {
        let RecvControl { info, next } = RecvControl::decode(raw.control);
        Self {
            len,
            flags: RecvFlags(raw.flags),
            info,
            next,
            from: sockaddr::decode(raw.name).map(|(addr, _)| addr),
        }
    }
}

impl Socket {
    /// Receives a message or notification, or as much of it as fits, and appends it to the buffer
    /// (`recvmsg(2)`).
    ///
    /// If the message exceeds the spare capacity of the buffer, the rest stays at the front of the
    /// queue and `MSG_EOR` is not set. The same holds when the kernel delivers a message before all
    /// of it has arrived (partial delivery). Parts of different messages can then be interleaved on
    /// a one-to-many socket: reassemble them by association, and with I-DATA by stream.
    ///
    /// On a one-to-one socket, a length of 0 without `MSG_NOTIFICATION` is end-of-file.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a buffer without spare capacity, `WouldBlock` if nothing is queued.
    /// One-to-one and peeled-off sockets return a pending error (`ECONNRESET`) once, to the next
    /// call.
    pub fn recv_msg(&self, buf: &mut impl BufMut) -> io::Result<RecvMeta> {
        if !buf.has_remaining_mut() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "receive buffer has no spare capacity",
            ));
        }
        sys::recvmsg(self.as_fd(), buf, 0, RecvMeta::decode)
    }
}

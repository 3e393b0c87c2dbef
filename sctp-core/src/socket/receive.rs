//! Receiving one message, or a part of one.

use std::{fmt, io, net::SocketAddr, os::fd::AsFd};

use bytes::BufMut;

use super::Socket;
use crate::{
    abi,
    cmsg::RecvControl,
    info::{NextInfo, RecvInfo},
    sockaddr, sys,
};

/// The flags of a receive (`msg_flags`).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RecvFlags(i32);

impl RecvFlags {
    /// Whether this part ends its message (`MSG_EOR`).
    #[must_use]
    pub fn is_end_of_record(self) -> bool {
        self.0 & libc::MSG_EOR != 0
    }

    /// Whether this is a notification, or a part of one (`MSG_NOTIFICATION`).
    #[must_use]
    pub fn is_notification(self) -> bool {
        self.0 & abi::MSG_NOTIFICATION != 0
    }

    /// Whether ancillary data was lost for lack of room (`MSG_CTRUNC`).
    #[must_use]
    pub fn is_control_truncated(self) -> bool {
        self.0 & libc::MSG_CTRUNC != 0
    }

    /// Whether bytes of the message were lost for lack of room (`MSG_TRUNC`).
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

/// What came beside a received message or notification, or beside a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecvMeta {
    /// How many bytes were received.
    pub len: usize,
    /// The receive's flags.
    pub flags: RecvFlags,
    /// What the kernel said about the message; it is on every part of a message and on no
    /// notification. `None` unless [`Socket::set_recv_rcvinfo`] is on.
    pub info: Option<RecvInfo>,
    /// What is queued behind it; `None` unless [`Socket::set_recv_nxtinfo`] is on.
    pub next: Option<NextInfo>,
    /// The address it came from.
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
    /// Receives a message or notification, or as much of it as there is room for, behind what
    /// the buffer holds (`recvmsg(2)`).
    ///
    /// When the message is longer than the buffer's spare room, the rest stays first in the
    /// queue, and `MSG_EOR` is not set. The same happens when the kernel begins to deliver a
    /// message that has not arrived completely (partial delivery). On a one-to-many socket parts
    /// of different messages can then come interleaved: put them together by association, and
    /// with I-DATA by stream.
    ///
    /// A length of 0 without `MSG_NOTIFICATION` is the end of a one-to-one socket's association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a buffer without spare room, `WouldBlock` when nothing is queued. On
    /// one-to-one and peeled-off sockets a pending error (`ECONNRESET`) is reported once, to
    /// whichever call comes first.
    pub fn recv_msg(&self, buf: &mut impl BufMut) -> io::Result<RecvMeta> {
        if !buf.has_remaining_mut() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no room in the receive buffer",
            ));
        }
        sys::recvmsg(self.as_fd(), buf, 0, RecvMeta::decode)
    }
}

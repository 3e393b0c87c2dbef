//! Sending of single messages and of batches.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsFd,
};

use super::Socket;
use crate::{
    abi,
    cmsg::SendControl,
    ids::AssocId,
    info::SendInfo,
    sockaddr,
    sys::{self, MAX_BATCH, Outgoing},
};

impl Socket {
    /// Sends one message on an association (`sendmsg(2)`), whole or not at all.
    ///
    /// One-to-one and peeled-off sockets ignore `assoc`. The kernel joins the slices to one
    /// message.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the send buffer is full; *any* free space suffices for a message of any
    /// size. `InvalidInput` (`EINVAL`) for an empty message or a stream that was not negotiated,
    /// `EMSGSIZE` for a message longer than the send buffer, `ESHUTDOWN` while the association is
    /// shutting down, `BrokenPipe` if it is closed or never existed.
    pub fn send_msg(
        &self,
        assoc: AssocId,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let control = SendControl::new(assoc, info, 0);
        let message = Outgoing {
            name: &[],
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Sends one message to an address, on the existing association or else on a new one.
    ///
    /// **This can establish an unwanted association**: a send to a peer whose association has just
    /// been closed starts a new one. With interleaving (I-DATA) on, the call can also *block*
    /// without limit during the handshake, although the socket is non-blocking. Servers and
    /// asynchronous code should send by association.
    ///
    /// # Errors
    ///
    /// Same as [`Socket::send_msg`]; `AddrNotAvailable` if the address belongs to an association
    /// that was peeled off.
    pub fn send_msg_to(
        &self,
        to: SocketAddr,
        info: &SendInfo,
        payload: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let control = SendControl::new(AssocId::FUTURE, info, 0);
        let name = sockaddr::encode(to);
        let message = Outgoing {
            name: &name,
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Sends one message on every established association of a one-to-many socket (`SCTP_SENDALL`,
    /// RFC 6458 section 5.3.4). Succeeds without effect if there is none.
    ///
    /// # Errors
    ///
    /// The call stops at the first failure. The kernel does not report on how many associations the
    /// message was sent before.
    #[doc(alias = "SCTP_SENDALL")]
    pub fn send_msg_to_all(&self, info: &SendInfo, payload: &[IoSlice<'_>]) -> io::Result<()> {
        let control = SendControl::new(AssocId::FUTURE, info, abi::SCTP_SENDALL);
        let message = Outgoing {
            name: &[],
            control: control.as_bytes(),
            payload,
        };
        sys::sendmsg(self.as_fd(), message, 0).map(drop)
    }

    /// Maximum number of messages per batched call.
    pub const MAX_BATCH: usize = MAX_BATCH;

    /// Sends messages in order with one call (`sendmmsg(2)`).
    ///
    /// Returns the number of messages sent, counted from the first. Takes at most
    /// [`Socket::MAX_BATCH`] messages.
    ///
    /// With `more`, the kernel delays a packet that is not full until a send *without* `more` on
    /// the same association (`MSG_MORE`). Messages then share packets, which takes less than half
    /// of the processor time per message. End every run of messages with a send without `more`:
    /// otherwise the kernel holds the last messages back for seconds.
    ///
    /// # Errors
    ///
    /// The error of the first message, as for [`Socket::send_msg`]. An error of a later message is
    /// not reported; the next send from that message reports it.
    pub fn send_batch<'a>(
        &self,
        items: impl IntoIterator<Item = SendItem<'a>>,
        more: bool,
    ) -> io::Result<usize> {
        let mut batch = SendBatch::default();
        for item in items.into_iter().take(MAX_BATCH) {
            batch.push(item);
        }
        batch.send(self, more)
    }
}

/// Message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct SendItem<'a> {
    /// The association. One-to-one and peeled-off sockets ignore it.
    pub assoc: AssocId,
    /// Parameters of the message.
    pub info: &'a SendInfo,
    /// User data.
    pub payload: &'a [u8],
}

/// Messages of one [`Socket::send_batch`], on the stack.
#[derive(Debug, Default)]
struct SendBatch<'a> {
    controls: [Option<SendControl>; MAX_BATCH],
    payloads: [Option<[IoSlice<'a>; 1]>; MAX_BATCH],
    len: usize,
}

impl<'a> SendBatch<'a> {
    fn push(&mut self, item: SendItem<'a>) {
        self.controls[self.len] = Some(SendControl::new(item.assoc, item.info, 0));
        self.payloads[self.len] = Some([IoSlice::new(item.payload)]);
        self.len += 1;
    }

    fn send(&self, socket: &Socket, more: bool) -> io::Result<usize> {
        let mut messages = [Outgoing {
            name: &[],
            control: &[],
            payload: &[],
        }; MAX_BATCH];
        for ((message, control), payload) in
            messages.iter_mut().zip(&self.controls).zip(&self.payloads)
        {
            if let (Some(control), Some(payload)) = (control, payload) {
                *message = Outgoing {
                    name: &[],
                    control: control.as_bytes(),
                    payload,
                };
            }
        }
        let flags = if more { sys::MSG_MORE } else { 0 };
        sys::sendmmsg(socket.as_fd(), &messages[..self.len], flags)
    }
}
